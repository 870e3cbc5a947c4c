# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The slot for one frame between a source and the worker."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time
from typing import Generic, TypeVar

T = TypeVar('T')


class FrameSlot(Generic[T]):
    """
    A buffer for one frame, so that a frame waits only while the worker processes another one.

    Safe to use from several threads: `_changed` guards all attributes except `waited_s`.

    :param wait: `put` waits until the slot is free, so that no frame is lost; otherwise a newer
        frame replaces the waiting one.
    :param clock_s: a monotonic clock in seconds.
    """

    def __init__(
        self, *, wait: bool = False, clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waited_s = 0.0
        """Seconds that the last taken frame was in the slot; for the thread that calls `take`."""
        self._wait = wait
        self._clock_s = clock_s
        self._put_s = 0.0
        self._changed = threading.Condition()
        self._frame: T | None = None
        self._closed = False
        self._woken = False

    @property
    def drained(self) -> bool:
        """Return whether the slot is closed and empty."""
        with self._changed:
            return self._closed and self._frame is None

    @property
    def closed(self) -> bool:
        """Return whether the slot accepts no more frames."""
        with self._changed:
            return self._closed

    def put(self, frame: T) -> tuple[bool, T | None]:
        """
        Store a frame for the worker.

        :return: False after `close`, otherwise True; and the frame that was replaced, or None.
        """
        with self._changed:
            if self._wait:
                self._changed.wait_for(lambda: self._frame is None or self._closed)
            if self._closed:
                return False, None
            replaced, self._frame = self._frame, frame
            self._put_s = self._clock_s()
            self._changed.notify_all()
            return True, replaced

    def take(self) -> T | None:
        """Wait for a frame and remove it; return None after `wake` or `close` without a frame."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._frame is not None or self._closed or self._woken)
            self._woken = False
            frame, self._frame = self._frame, None
            self.waited_s = self._clock_s() - self._put_s
            self._changed.notify_all()
            return frame

    def wake(self) -> None:
        """Make `take` return at once, also without a frame."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Accept no more frames. A frame in the slot can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
