# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""How each sender is doing: rate, age and losses."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from udp_infer_ros.listen.message import Message

WINDOW = 50
MAX_SENDERS = 256
"""More are not told apart: an address is easily made up."""
RESTARTED = 1000
"""A sequence number that falls back by more is that of a sender that began again."""


@dataclass
class Sender:
    """One address that messages come from."""

    name: str
    frames: int = 0
    lost: int = 0
    """Results that are missing in the sequence."""
    last: Message | None = None
    _times_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _next_seq: int | None = None

    @property
    def rate_hz(self) -> float:
        """Tell the frames a second over the last WINDOW of them."""
        span_s = self._times_s[-1] - self._times_s[0] if self._times_s else 0.0
        return (len(self._times_s) - 1) / span_s if span_s > 0.0 else 0.0

    def add(self, message: Message) -> None:
        """Take one frame."""
        self.frames += 1
        self.last = message
        self._times_s.append(message.received_s)
        if message.seq is None:
            return
        if self._next_seq is not None:
            if message.seq >= self._next_seq:
                self.lost += message.seq - self._next_seq
            elif self._next_seq - message.seq <= RESTARTED and message.seq > 1:
                self.lost = max(0, self.lost - 1)  # It was only late.
                return
        self._next_seq = message.seq + 1


class Senders:
    """All that have been heard."""

    def __init__(self) -> None:
        self.by_name: dict[str, Sender] = {}
        self.not_messages = 0
        """Datagrams that were none."""

    def add(self, message: Message) -> Sender:
        """Take one frame; tell whose it is."""
        name = message.sender
        if name not in self.by_name and len(self.by_name) >= MAX_SENDERS:
            name = 'others'
        sender = self.by_name.setdefault(name, Sender(name))
        sender.add(message)
        return sender
