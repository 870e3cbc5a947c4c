# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What the page shows: the newest state of each source, and the messages of two minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
import json
import math
import threading
from typing import Any

from udp_infer_ros.listen.message import Message, ReceivedFrame
from udp_infer_ros.listen.recording import line_of
from udp_infer_ros.listen.senders import Sender

WINDOW_S = 120
"""Time over which plots are shown and messages are kept."""
MAX_RECENT_BYTES = 128 << 20
"""Size of these messages. Of more, the oldest are forgotten."""
MAX_SOURCES = 32
"""Of more, the one without a frame for the longest time is forgotten: addresses are forged."""


class Update:
    """
    The newest state of one thing that the page shows.

    :param version: grows with each update.
    :param make: returns the state. It is called when a page is sent the update.
    """

    def __init__(self, version: int, make: Callable[[], Mapping[str, Any]]) -> None:
        self.version = version
        self._make = make

    @cached_property
    def text(self) -> str:
        """Return the state as JSON, which all pages share."""
        return json.dumps(self._make(), separators=(',', ':'), allow_nan=False)


@dataclass
class _Second:
    """The frames of one second."""

    second: int
    frames: int = 0
    lost: int = 0
    sums_ms: dict[str, float] = field(default_factory=dict)
    timed: int = 0


@dataclass
class _Source:
    number: int
    stats: Sender
    source: str
    seconds: deque[_Second] = field(default_factory=lambda: deque(maxlen=WINDOW_S))

    def add(self, frame: ReceivedFrame) -> None:
        before = self.stats.lost
        self.stats.add(frame)
        now = int(frame.received_s)
        if not self.seconds or now > self.seconds[-1].second:
            self.seconds.append(_Second(now))
        second = self.seconds[-1]
        second.frames += 1
        second.lost += max(0, self.stats.lost - before)
        if _finite(frame.latency_ms) is not None:
            second.timed += 1
            for stage, value in {**frame.stages_ms, 'total': frame.latency_ms}.items():
                second.sums_ms[stage] = second.sums_ms.get(stage, 0.0) + (value or 0.0)


class Board:
    """
    The state of the page. The listener writes it, the server reads it in another thread.

    There is no queue: each page is sent what is newer than what it has. A page that is slow
    skips updates. `_lock` guards all attributes.

    :param clock: returns the present time, seconds since 1970; of a replay, that of the recording.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called in the thread of the listener when there is an update."""
        self._clock = clock
        self._lock = threading.Lock()
        self._version = 0
        self._numbers = 0
        self._sources: dict[tuple[str, str], _Source] = {}
        self._updates: dict[str, Update] = {}
        self._datagrams: dict[tuple[str, str], str] = {}
        self._recent: deque[tuple[float, bytes]] = deque()
        self._recent_bytes = 0
        self._publish_sources()

    def add_message(self, message: Message) -> None:
        """Keep a message for `recording` and `datagram`."""
        key, line = _key(message.frame), line_of(message)
        with self._lock:
            if key in self._sources or len(self._datagrams) < MAX_SOURCES:
                self._datagrams[key] = message.text
            self._recent.append((message.frame.received_s, line))
            self._recent_bytes += len(line)
            oldest_s = message.frame.received_s - WINDOW_S
            while self._recent[0][0] < oldest_s or self._recent_bytes > MAX_RECENT_BYTES:
                self._recent_bytes -= len(self._recent.popleft()[1])

    def add_frame(self, frame: ReceivedFrame) -> None:
        """Show a frame."""
        with self._lock:
            key = _key(frame)
            if key not in self._sources:
                self._add_source(key)
            source = self._sources[key]
            source.add(frame)
            counts = {
                'frames': source.stats.frames, 'lost': source.stats.lost,
                'incomplete': source.stats.incomplete, 'rate_hz': source.stats.rate_hz}
            number = source.number
            self._publish(f'frame {number}', lambda: _frame_state(frame, number, counts))
        self.on_change()

    def add_seconds(self) -> None:
        """Update the plots and ages, which change without a frame too."""
        with self._lock:
            for source in self._sources.values():
                self._publish(
                    f'seconds {source.number}',
                    partial(dict, _seconds_state(source, self._clock())))
        self.on_change()

    def set_replay(self, position_s: float, duration_s: float) -> None:
        """Show the position in a recording."""
        state = {'kind': 'replay', 'position_s': position_s, 'duration_s': duration_s}
        with self._lock:
            self._publish('replay', lambda: state)

    def clear(self) -> None:
        """Forget all sources and messages."""
        with self._lock:
            self._sources.clear()
            self._datagrams.clear()
            self._recent.clear()
            self._recent_bytes = 0
            self._updates.clear()
            self._publish_sources()
        self.on_change()

    def updates_since(self, versions: Mapping[str, int]) -> list[tuple[str, Update]]:
        """
        Return the updates that a page does not have, oldest first.

        :param versions: by name of an update, the version that the page has.
        """
        with self._lock:
            newer = [(name, update) for name, update in self._updates.items()
                     if update.version > versions.get(name, 0)]
        return sorted(newer, key=lambda item: item[1].version)

    def datagram(self, number: int) -> str | None:
        """Return the text of the last datagram of a source; None if there is no such source."""
        with self._lock:
            keys = [key for key, source in self._sources.items() if source.number == number]
            return self._datagrams.get(keys[0]) if keys else None

    def recording(self) -> list[bytes]:
        """Return the messages of the last two minutes, as lines of --record."""
        with self._lock:
            return [line for _, line in self._recent]

    def _add_source(self, key: tuple[str, str]) -> None:
        if len(self._sources) >= MAX_SOURCES:
            oldest = min(self._sources, key=lambda other: self._sources[other].stats.last_s)
            number = self._sources.pop(oldest).number
            self._datagrams.pop(oldest, None)
            for name in (f'frame {number}', f'seconds {number}'):
                self._updates.pop(name, None)
        self._numbers += 1
        self._sources[key] = _Source(self._numbers, Sender(name=key[0]), key[1])
        self._publish_sources()

    def _publish_sources(self) -> None:
        numbers = [source.number for source in self._sources.values()]
        self._publish('sources', lambda: {'kind': 'sources', 'numbers': numbers})

    def _publish(self, name: str, make: Callable[[], Mapping[str, Any]]) -> None:
        self._version += 1
        self._updates[name] = Update(self._version, make)


def _key(frame: ReceivedFrame) -> tuple[str, str]:
    return frame.sender, frame.source


def _frame_state(
    frame: ReceivedFrame, number: int, counts: Mapping[str, float],
) -> dict[str, Any]:
    return {
        'kind': 'frame', 'number': number, 'sender': frame.sender, 'source': frame.source,
        'frame_id': frame.frame_id, 'seq': frame.seq, 'size': frame.image_size,
        'latency_ms': _finite(frame.latency_ms), 'time_s': frame.received_s,
        'complete': frame.complete, **counts,
        # Ids are text, because the numbers of JavaScript are not exact.
        'objects': [
            (item.label, item.confidence, item.x, item.y, item.width, item.height,
             None if item.tracker_id is None else str(item.tracker_id))
            for item in frame.objects]}


def _seconds_state(source: _Source, now_s: float) -> dict[str, Any]:
    """Return the seconds of a source that have ended."""
    ended = [second for second in source.seconds if now_s - WINDOW_S <= second.second < int(now_s)]
    stages = list(dict.fromkeys(stage for second in ended for stage in second.sums_ms))
    return {
        'kind': 'seconds', 'number': source.number,
        'silent_s': round(max(0.0, now_s - source.stats.last_s), 2),
        'ago_s': [int(now_s) - second.second for second in ended],
        'frames': [second.frames for second in ended],
        'lost': [second.lost for second in ended],
        'latency_ms': {stage: [_mean(second, stage) for second in ended] for stage in stages}}


def _mean(second: _Second, stage: str) -> float | None:
    if stage not in second.sums_ms:
        return None
    return _finite(round(second.sums_ms[stage] / second.timed, 2))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
