# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Rate, age and lost messages of each sender."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from udp_infer_ros.listen.message import Message

WINDOW = 50
"""Frames over which the rate is computed."""
MAX_SENDERS = 256
"""More are counted together: addresses are easily forged."""
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
    last: Message | None = None
    _times_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _next_seq: int | None = None

    @property
    def rate_hz(self) -> float:
        """Return the frames per second over the last WINDOW frames."""
        # Not stats.Rate, because the listener must not need NumPy.
        span_s = self._times_s[-1] - self._times_s[0] if self._times_s else 0.0
        return (len(self._times_s) - 1) / span_s if span_s > 0.0 else 0.0

    def add(self, message: Message) -> None:
        """Count one frame."""
        self.frames += 1
        self.last = message
        self._times_s.append(message.received_s)
        if message.seq is None:
            return
        if self._next_seq is not None:
            if message.seq >= self._next_seq:
                self.lost += message.seq - self._next_seq
            elif self._next_seq - message.seq <= RESTART_GAP and message.seq > 1:
                self.lost = max(0, self.lost - 1)  # It arrived late and was counted as lost.
                return
        self._next_seq = message.seq + 1


class Senders:
    """All senders that messages have come from."""

    def __init__(self) -> None:
        self.by_name: dict[str, Sender] = {}
        self.invalid = 0
        """Number of datagrams that are not messages."""

    def add(self, message: Message) -> Sender:
        """Count one frame; return its sender."""
        name = message.sender
        if name not in self.by_name and len(self.by_name) >= MAX_SENDERS:
            name = 'others'
        sender = self.by_name.setdefault(name, Sender(name=name))
        sender.add(message)
        return sender
