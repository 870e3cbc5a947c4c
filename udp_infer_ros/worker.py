# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The worker: take a frame, decode it, process it, write the result to every output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
import logging
import threading

from udp_infer_ros.errors import Drop, FrameError, ModelChangedError, SharedCallError
from udp_infer_ros.frame import Frame
from udp_infer_ros.log import Throttle
from udp_infer_ros.outputs.base import Output
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.sources.intake import Intake, PendingFrame
from udp_infer_ros.stats import Stats
from udp_infer_ros.threads import BackgroundThread

log = logging.getLogger(__name__)


class Worker:
    """
    A thread that processes the frames of an intake one after the other, in order.

    Only this thread runs the pipeline and writes to the outputs. It ends when the intake is
    drained. `_lock` guards `_actions` and `_finished`; only `stop` writes `_abandoned`.

    :param intake: delivers the frames.
    :param pipeline: converts each frame to a result.
    :param outputs: each receives every result, in this order.
    :param stats: counts dropped frames and failed writes.
    """

    def __init__(
        self, intake: Intake, pipeline: Pipeline, outputs: Sequence[Output], stats: Stats,
    ) -> None:
        self._intake = intake
        self._pipeline = pipeline
        self._outputs = tuple(outputs)
        self._stats = stats
        self._lock = threading.Lock()
        self._actions: deque[Callable[[], None]] = deque()
        self._finished = False
        self._abandoned = False
        self._model_changed = False
        self._warnings = Throttle(period_s=5.0)
        self._thread = BackgroundThread(self._run, name='worker')

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """
        Wait for the end of the thread, i.e. until the intake is drained.

        :return: whether the thread has ended.
        """
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """
        Close the intake, process the frames that it still holds, and end the thread.

        :return: whether the thread ended in time; otherwise it writes no more results.
        """
        self._intake.close()
        self._abandoned = not self.join(timeout_s)
        return not self._abandoned

    @property
    def ended(self) -> bool:
        """Return whether the intake is drained and all its frames are processed."""
        with self._lock:
            return self._finished

    @property
    def model_changed(self) -> bool:
        """Return whether the latest frame failed because the server has another model now."""
        return self._model_changed

    def between_frames(self, action: Callable[[], None]) -> None:
        """Run an action in the thread, between two frames; at once if the thread has ended."""
        with self._lock:
            if not self._finished:
                self._actions.append(action)
                self._intake.wake()
                return
        action()

    def _run(self) -> None:
        while not self._intake.drained:
            pending = self._intake.take()
            self._run_actions()
            if pending is not None and (frame := self._decode(pending)) is not None:
                self._process(frame)
        self._run_actions(finish=True)

    def _run_actions(self, *, finish: bool = False) -> None:
        while True:
            with self._lock:
                if not self._actions:
                    self._finished = finish
                    return
                action = self._actions.popleft()
            try:
                action()
            except Exception:  # An action that fails must not end the thread.
                log.exception('an action between two frames failed')

    def _decode(self, pending: PendingFrame) -> Frame | None:
        try:
            return self._intake.to_frame(pending)
        except FrameError as error:
            self._intake.drop(error)
        except Exception as error:  # Decoders raise errors of any type on malformed data.
            self._intake.drop(FrameError('image', type(error).__name__, f'not readable: {error}'))
        return None

    def _process(self, frame: Frame) -> None:
        try:
            result = self._pipeline.process(frame)
        except Exception as error:  # Models raise errors of any type; the next frame may succeed.
            self._model_changed = isinstance(error, ModelChangedError)
            self._stats.count_drop(Drop.INFERENCE_ERROR)
            self._stats.record_error(f'inference failed: {error}')
            if not isinstance(error, SharedCallError):
                self._warnings.warning(
                    log, 'inference', 'frame dropped, inference failed: %s', error)
            return
        if self._abandoned:
            return
        for output in self._outputs:
            try:
                output.write(result, frame.image)
            except Exception as error:  # The other outputs still write.
                self._stats.count_output_error(output.name)
                self._warnings.warning(
                    log, output.name, 'output %s failed: %s', output.name, error)
