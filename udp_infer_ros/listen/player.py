# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A recording that is played with a time bar."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
import threading
import time
from typing import BinaryIO

from udp_infer_ros.listen.recording import Datagram, MAX_LINE_BYTES, parse_line, parse_lines


class Player:
    """
    The datagrams of a recording at the pace at which they arrived, from any position.

    It does not end unless it is empty: at the end it waits for another position. `_moved` guards
    `_target_s`.

    :param file: the recording. It is read once for its times.
    :raises ValueError: if a line is neither of --record nor a message.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.on_move: Callable[[], None] = lambda: None
        """Called before the position jumps, in the thread that iterates."""
        self._moved = threading.Condition()
        self._target_s: float | None = None
        self._times_s: list[float] = []
        self._offsets: list[int] = []
        for offset, (_, _, received_s) in parse_lines(file):
            # Never decreasing, so that a position can be searched for.
            self._times_s.append(max([received_s, *self._times_s[-1:]]))
            self._offsets.append(offset)
        self.now_s = self._times_s[0] if self._times_s else 0.0
        """Time in the recording, seconds since 1970."""

    @property
    def duration_s(self) -> float:
        """Return the time from the first to the last message."""
        return self._times_s[-1] - self._times_s[0] if self._times_s else 0.0

    @property
    def position_s(self) -> float:
        """Return the time from the first message to the last one that was played."""
        return self.now_s - self._times_s[0] if self._times_s else 0.0

    def move(self, position_s: float) -> None:
        """Continue at another position; called in another thread."""
        with self._moved:
            self._target_s = min(max(position_s, 0.0), self.duration_s)
            self._moved.notify()

    def __iter__(self) -> Iterator[Datagram]:
        number, begin_s = 0, time.monotonic()
        while self._times_s:
            with self._moved:
                if self._target_s is None:
                    wait_s = self._wait_s(number, begin_s)
                    if wait_s is None or wait_s > 0.0:
                        self._moved.wait(wait_s)
                if self._target_s is not None:
                    number = bisect_left(self._times_s, self._times_s[0] + self._target_s)
                    begin_s = time.monotonic() - self._target_s
                    self._target_s = None
                    self.on_move()
                if self._wait_s(number, begin_s) != 0.0:
                    continue
            self.now_s = self._times_s[number]
            yield self._read(number)
            number += 1

    def _wait_s(self, number: int, begin_s: float) -> float | None:
        """Return the time until a message is due; None after the last one."""
        if number >= len(self._times_s):
            return None
        due_s = self._times_s[number] - self._times_s[0]
        return max(0.0, due_s - (time.monotonic() - begin_s))

    def _read(self, number: int) -> Datagram:
        self._file.seek(self._offsets[number])
        return parse_line(self._file.readline(MAX_LINE_BYTES), self._file.name)
