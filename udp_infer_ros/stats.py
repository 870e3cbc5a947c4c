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

"""Counters by cause, rate and latency windows. Safe to use from several threads."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
import threading
import time

import numpy as np

WINDOW = 256
"""Frames over which rates and latencies are told."""
IDLE_AFTER_S = 2.0
"""A rate is 0 when nothing has come for so long and for three times the usual interval."""


class Drop(str, Enum):
    """Why a frame that was offered was not processed."""

    REPLACED = 'replaced'
    """A newer frame came before the detector was free."""
    MAX_FPS = 'max_fps'
    """The source is faster than `source.max_fps`."""
    STALE = 'stale'
    """It was older than `source.max_age_s` when its turn came."""
    BAD_MESSAGE = 'bad_message'
    """An image message contradicts itself or has an encoding that is not known."""
    DECODE_ERROR = 'decode_error'
    """Compressed data or a video packet could not be decoded."""
    INFERENCE_ERROR = 'inference_error'
    """The model failed on it."""


class Rate:
    """Events a second over the last WINDOW events."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=WINDOW)

    def tick(self, now_s: float) -> None:
        """Note one event."""
        self._times_s.append(now_s)

    def per_s(self, now_s: float) -> float:
        """Tell the rate; N stamps are N - 1 intervals."""
        if len(self._times_s) < 2:
            return 0.0
        span_s = self._times_s[-1] - self._times_s[0]
        if span_s <= 0.0:
            return 0.0
        interval_s = span_s / (len(self._times_s) - 1)
        if now_s - self._times_s[-1] > max(IDLE_AFTER_S, 3.0 * interval_s):
            return 0.0
        return 1.0 / interval_s


@dataclass(frozen=True)
class Percentiles:
    """Median and 95th percentile of a stage, in milliseconds."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Snapshot:
    """The counters at one moment."""

    offered: int
    processed: int
    dropped: Mapping[str, int]
    errors: Mapping[str, int]
    """Failures that lost no frame, by output, e.g. `udp 10.0.0.7:37020`."""
    sent: Mapping[str, int]
    """Datagrams sent, by target."""
    offered_hz: float
    processed_hz: float
    latency_ms: Mapping[str, Percentiles]
    reconnects: int
    """How often a camera or stream that was lost came back."""
    stalls: int
    """How often no frame came for `source.stall_timeout_s`."""
    last_error: str
    """What went wrong last with the source or a frame; empty if nothing has."""


class Stats:
    """
    What happened to the frames of one node.

    :param clock_s: a monotonic clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._offered = 0
        self._processed = 0
        self._dropped: Counter[str] = Counter({cause.value: 0 for cause in Drop})
        self._errors: Counter[str] = Counter()
        self._reconnects = 0
        self._stalls = 0
        self._last_error = ''
        self._sent: Counter[str] = Counter()
        self._offered_rate = Rate()
        self._processed_rate = Rate()
        self._latency_ms: dict[str, deque[float]] = {}

    def offer(self) -> int:
        """Count one frame that a source has; return how many were offered before it."""
        with self._lock:
            index = self._offered
            self._offered += 1
            self._offered_rate.tick(self._clock_s())
            return index

    @property
    def offered(self) -> int:
        """Tell how many frames were offered, without the cost of a snapshot."""
        with self._lock:
            return self._offered

    def drop(self, cause: Drop) -> None:
        """Count one offered frame that will not be processed."""
        with self._lock:
            self._dropped[cause.value] += 1

    def reconnected(self) -> None:
        """Count a source that was lost and is back."""
        with self._lock:
            self._reconnects += 1

    def stalled(self) -> None:
        """Count a silence of the source that is longer than it may be."""
        with self._lock:
            self._stalls += 1

    def trouble(self, text: str) -> None:
        """Keep the last thing that went wrong with the source or a frame, without passwords."""
        with self._lock:
            self._last_error = text

    def error(self, where: str) -> None:
        """Count one failure that lost no frame."""
        with self._lock:
            self._errors[where] += 1

    def sent(self, target: str) -> None:
        """Count one datagram."""
        with self._lock:
            self._sent[target] += 1

    def processed(self, latency_ms: Mapping[str, float]) -> None:
        """Count one result, with its milliseconds by stage."""
        with self._lock:
            self._processed += 1
            self._processed_rate.tick(self._clock_s())
            for stage, value_ms in latency_ms.items():
                self._latency_ms.setdefault(stage, deque(maxlen=WINDOW)).append(value_ms)

    def dropped(self) -> dict[str, int]:
        """Tell the frames lost so far, by cause."""
        with self._lock:
            return dict(self._dropped)

    def snapshot(self) -> Snapshot:
        """Tell everything, from one moment."""
        with self._lock:
            now_s = self._clock_s()
            latency_ms = {}
            for stage, values in self._latency_ms.items():
                p50_ms, p95_ms = np.percentile(values, (50, 95)).tolist()
                latency_ms[stage] = Percentiles(round(p50_ms, 3), round(p95_ms, 3))
            return Snapshot(
                self._offered, self._processed, dict(self._dropped), dict(self._errors),
                dict(self._sent),
                self._offered_rate.per_s(now_s), self._processed_rate.per_s(now_s), latency_ms,
                self._reconnects, self._stalls, self._last_error)
