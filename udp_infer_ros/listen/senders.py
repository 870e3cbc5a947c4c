# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Rate, age and lost messages of each sender."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from udp_infer_ros.listen.message import ReceivedFrame

WINDOW = 50
"""Frames over which the rate is computed."""
MAX_SENDERS = 256
"""More are counted together: addresses are easily forged."""
SHOWN_OBJECTS = 20
"""Objects of the last frame that are kept for the table: a frame can have very many."""
RESTART_GAP = 1000
"""A sequence number that decreases by more than this belongs to a restarted sender."""


@dataclass(kw_only=True)
class Sender:
    """Statistics of one address that messages come from."""

    name: str
    """host:port"""
    frames: int = 0
    lost: int = 0
    """Number of results missing in the sequence."""
    incomplete: int = 0
    """Number of frames shown without their missing parts."""
    last: ReceivedFrame | None = None
    """The last frame with its first objects."""
    last_objects: int = 0
    """Number of objects in the last frame."""
    _times_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _next_seq: int | None = None

    @property
    def source(self) -> str:
        """Return the source of the last frame, not made printable; empty if unknown."""
        return '' if self.last is None else self.last.source

    @property
    def last_s(self) -> float:
        """Return the time of arrival of the last frame, seconds since 1970; 0 if none arrived."""
        return 0.0 if self.last is None else self.last.received_s

    @property
    def rate_hz(self) -> float:
        """Return the frames per second over the last WINDOW frames."""
        # Not stats.Rate, because the listener must not need NumPy.
        span_s = self._times_s[-1] - self._times_s[0] if self._times_s else 0.0
        return (len(self._times_s) - 1) / span_s if span_s > 0.0 else 0.0

    def add(self, frame: ReceivedFrame) -> None:
        """Count one frame."""
        self.frames += 1
        self.incomplete += not frame.complete
        self.last_objects = len(frame.objects)
        self.last = replace(frame, objects=frame.objects[:SHOWN_OBJECTS])
        self._times_s.append(frame.received_s)
        if frame.seq is None:
            return
        if self._next_seq is not None:
            if frame.seq >= self._next_seq:
                self.lost += frame.seq - self._next_seq
            elif self._next_seq - frame.seq <= RESTART_GAP and frame.seq > 1:
                self.lost = max(0, self.lost - 1)  # It arrived late and was counted as lost.
                return
        self._next_seq = frame.seq + 1


class Senders:
    """All senders that messages have come from."""

    def __init__(self) -> None:
        self.by_name: dict[str, Sender] = {}
        self.invalid = 0
        """Number of datagrams that are not messages."""

    def add(self, frame: ReceivedFrame) -> Sender:
        """Count one frame; return its sender."""
        name = frame.sender
        if name not in self.by_name and len(self.by_name) >= MAX_SENDERS:
            name = 'others'
        sender = self.by_name.setdefault(name, Sender(name=name))
        sender.add(frame)
        return sender
