# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The place between a source and the worker: room for one frame."""

from __future__ import annotations

from collections.abc import Callable
import threading

from udp_infer_ros.frame import Frame
from udp_infer_ros.stats import Drop, Stats

PendingFrame = Callable[[], Frame]
"""
A frame that is decoded when its turn comes, so that one that is replaced costs nothing.

Raises FrameError if it turns out to be malformed.
"""


class FrameSlot:
    """
    Room for one frame.

    There is no queue, so no frame is ever older than one inference when its turn comes.

    :param stats: told of each frame that is replaced.
    :param wait: `put` waits until the slot is free, so that no frame is lost; otherwise the
        newest frame wins.
    """

    def __init__(self, stats: Stats, *, wait: bool = False) -> None:
        self._stats = stats
        self._wait = wait
        self._changed = threading.Condition()
        self._frame: PendingFrame | None = None
        self._closed = False
        self._woken = False

    @property
    def drained(self) -> bool:
        """Tell whether no frame waits and none will come."""
        with self._changed:
            return self._closed and self._frame is None

    def put(self, frame: PendingFrame) -> bool:
        """
        Leave a frame for the worker.

        :return: False if the slot is closed; the frame was not taken then.
        """
        with self._changed:
            if self._wait:
                self._changed.wait_for(lambda: self._frame is None or self._closed)
            if self._closed:
                return False
            if self._frame is not None:
                self._stats.drop(Drop.REPLACED)
            self._frame = frame
            self._changed.notify_all()
            return True

    def take(self) -> PendingFrame | None:
        """Wait for a frame and take it; None when there is none, but somebody called."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._frame is not None or self._closed or self._woken)
            self._woken = False
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    def wake(self) -> None:
        """Have `take` return at once, with or without a frame."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Accept no more frames. One that waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
