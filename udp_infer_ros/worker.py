# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The worker: take a frame, decode it, process it, write the result to every output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
import logging
import threading
from typing import TypeVar

from udp_infer_ros.errors import Drop, FrameError, ModelChangedError, SharedCallError
from udp_infer_ros.frame import Frame
from udp_infer_ros.log import Throttle
from udp_infer_ros.outputs.base import Output
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.sources.intake import Intake, PendingFrame
from udp_infer_ros.stats import Stats
from udp_infer_ros.threads import BackgroundThread, CallThreads, run_now

log = logging.getLogger(__name__)

T = TypeVar('T')


class Worker:
    """
    A thread that processes the frames of an intake in order.

    Only this thread runs the pipeline and writes to the outputs; only the network may run in other
    threads. It ends when the intake is drained. `_lock` guards `_actions` and `_finished`; only
    `stop` writes `_abandoned`.

    :param intake: delivers the frames.
    :param pipeline: converts each frame to a result.
    :param outputs: each receives every result, in this order.
    :param stats: counts dropped frames and failed writes.
    :param in_flight: largest number of frames that are in the pipeline at once. With 1, a result
        is written before the next frame is taken.
    :param inferences: how many of them the network processes at once; for more than one frame in
        flight.
    """

    def __init__(
        self, intake: Intake, pipeline: Pipeline, outputs: Sequence[Output], stats: Stats, *,
        in_flight: int = 1, inferences: int = 1,
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
        self._in_flight = in_flight
        self._inferences = inferences
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
        threads = None if self._in_flight == 1 else CallThreads(
            self._inferences, name='inference', on_done=self._intake.wake)
        run = threads.submit if threads else run_now
        while not self._intake.drained:
            pending = self._intake.take()
            self._run_actions()
            if pending is not None and (frame := self._decode(pending)) is not None:
                self._attempt(partial(self._pipeline.begin, frame, run))
            while self._pipeline.in_flight == self._in_flight or self._pipeline.inferred:
                self._finish()
        self._finish_all()
        if threads:
            threads.close()
        self._run_actions(finish=True)

    def _run_actions(self, *, finish: bool = False) -> None:
        while True:
            with self._lock:
                if not self._actions:
                    self._finished = finish
                    return
                action = self._actions.popleft()
            self._finish_all()
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

    def _finish_all(self) -> None:
        while self._pipeline.in_flight:
            self._finish()

    def _finish(self) -> None:
        """Write the result of the oldest frame in flight."""
        frame = self._pipeline.oldest
        result = self._attempt(self._pipeline.finish)
        if result is None or self._abandoned:
            return
        for output in self._outputs:
            try:
                output.write(result, frame.image)
            except Exception as error:  # The other outputs still write.
                self._stats.count_output_error(output.name)
                self._warnings.warning(
                    log, output.name, 'output %s failed: %s', output.name, error)

    def _attempt(self, step: Callable[[], T]) -> T | None:
        """Return what a step of the pipeline returns; None if the frame failed."""
        try:
            return step()
        except Exception as error:  # Models raise errors of any type; the next frame may succeed.
            self._model_changed = isinstance(error, ModelChangedError)
            self._stats.count_drop(Drop.INFERENCE_ERROR)
            self._stats.record_error(f'inference failed: {error}')
            if not isinstance(error, SharedCallError):
                self._warnings.warning(
                    log, 'inference', 'frame dropped, inference failed: %s', error)
            return None
