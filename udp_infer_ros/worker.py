# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The worker: take a frame, process it, tell everybody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import logging
import queue
import threading

from udp_infer_ros.errors import DecodeError, StaleError
from udp_infer_ros.frame import Frame
from udp_infer_ros.log import Throttle
from udp_infer_ros.outputs import Output
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.sources.slot import FrameSlot, PendingFrame
from udp_infer_ros.stats import Drop, Stats

log = logging.getLogger(__name__)


class Runner:
    """
    One thread that does all the work, so that the tracker sees the frames in order.

    It ends when its slot is closed and empty.
    """

    def __init__(
        self, slot: FrameSlot, pipeline: Pipeline, outputs: Sequence[Output], stats: Stats,
    ) -> None:
        self._slot = slot
        self._pipeline = pipeline
        self._outputs = tuple(outputs)
        self._stats = stats
        self._actions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._warnings = Throttle(period_s=5.0)
        self._thread = threading.Thread(target=self._run, name='udp_infer worker', daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """
        Finish the frame in hand and end.

        :return: whether the worker ended within the time given.
        """
        self._slot.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def ended(self) -> bool:
        """Tell whether every frame has been dealt with and no more will come."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def between_frames(self, action: Callable[[], None]) -> None:
        """Have something done before the next frame is looked at, even if none ever comes."""
        self._actions.put(action)
        self._slot.wake()
        if self.ended:
            self._act()

    def _run(self) -> None:
        while not self._slot.drained:
            pending = self._slot.take()
            self._act()
            if pending is not None and (frame := self._decoded(pending)):
                self._see(frame)

    def _act(self) -> None:
        while True:
            try:
                action = self._actions.get_nowait()
            except queue.Empty:
                return
            try:
                action()
            except Exception:  # It must not take the worker, and with it every frame, away.
                log.exception('a change between two frames failed')

    def _decoded(self, pending: PendingFrame) -> Frame | None:
        try:
            return pending()
        except Exception as error:  # Who knows what a library raises on garbage; go on.
            cause = _cause(error)
            self._stats.drop(cause)
            self._stats.trouble(f'frame skipped: {error}')
            self._warnings.warning(log, cause.value, 'frame skipped: %s', error)
            return None

    def _see(self, frame: Frame) -> None:
        try:
            result = self._pipeline.process(frame)
        except Exception as error:  # A model may raise anything; the next frame may do.
            self._stats.drop(Drop.INFERENCE_ERROR)
            self._stats.trouble(f'inference failed: {error}')
            self._warnings.warning(log, 'inference', 'frame skipped, inference failed: %s', error)
            return
        for output in self._outputs:
            try:
                output.tell(result, frame.image)
            except Exception as error:  # One that fails must not silence the others.
                self._stats.error(output.name)
                self._warnings.warning(
                    log, output.name, 'output %s failed: %s', output.name, error)


def _cause(error: Exception) -> Drop:
    if isinstance(error, StaleError):
        return Drop.STALE
    return Drop.DECODE_ERROR if isinstance(error, DecodeError) else Drop.BAD_MESSAGE
