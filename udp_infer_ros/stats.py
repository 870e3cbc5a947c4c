# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Counters of frames and errors, and rates and latencies over a window of frames."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import threading
import time

import numpy as np
from udp_infer_ros.errors import Drop

WINDOW = 256
"""Number of frames over which rates and latencies are computed."""
IDLE_AFTER_S = 2.0
"""A rate is 0 after this time, or three mean intervals if that is longer, without an event."""


class Rate:
    """Events per second over the last WINDOW events."""

    def __init__(self, window: int = WINDOW) -> None:
        self._times_s: deque[float] = deque(maxlen=window)

    def tick(self, now_s: float) -> None:
        """Record an event at a time of a monotonic clock, seconds."""
        self._times_s.append(now_s)

    def per_s(self, now_s: float) -> float:
        """Return the rate, Hz: N events are N - 1 intervals. 0 without recent events."""
        if len(self._times_s) < 2:
            return 0.0
        span_s = self._times_s[-1] - self._times_s[0]
        if span_s <= 0.0:
            return 0.0
        interval_s = span_s / (len(self._times_s) - 1)
        if now_s - self._times_s[-1] > max(IDLE_AFTER_S, 3.0 * interval_s):
            return 0.0
        return 1.0 / interval_s


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Median and 95th percentile of a stage, in milliseconds."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The counters at one moment."""

    offered: int
    processed: int
    dropped: Mapping[str, int]
    """Number of dropped frames by cause; every value of `Drop` is a key."""
    transport_lost: int | None
    """Number of frames that were lost before they reached the source; None if unknown."""
    output_errors: Mapping[str, int]
    """Number of results that an output could not write, by name of the output."""
    offered_hz: float
    processed_hz: float
    latency_ms: Mapping[str, Percentiles]
    """Latency by stage."""
    reconnects: int
    """Number of times a lost camera or stream was reopened."""
    stalls: int
    """Number of times no frame arrived for `source.stall_timeout_s`."""
    last_error: str
    """The latest error of the source or of a frame; empty before the first."""


class Stats:
    """
    The counters of one node. They continue across its lifecycle states.

    Safe to use from several threads: `_lock` guards all attributes.

    :param clock_s: a monotonic clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._offered = 0
        self._processed = 0
        self._dropped: Counter[str] = Counter({cause.value: 0 for cause in Drop})
        self._transport_lost = 0
        self._transport_known = False
        self._output_errors: Counter[str] = Counter()
        self._reconnects = 0
        self._stalls = 0
        self._last_error = ''
        self._offered_rate = Rate()
        self._processed_rate = Rate()
        self._latency_ms: defaultdict[str, deque[float]] = defaultdict(
            lambda: deque(maxlen=WINDOW))

    def count_offered(self) -> None:
        """Count one frame that a source offered."""
        with self._lock:
            self._offered += 1
            self._offered_rate.tick(self._clock_s())

    def count_drop(self, cause: Drop) -> None:
        """Count one offered frame that is dropped."""
        with self._lock:
            self._dropped[cause.value] += 1

    def set_transport_known(self, known: bool) -> None:
        """Set whether the current source reports what is lost before it, e.g. by a middleware."""
        with self._lock:
            self._transport_known = known

    def count_transport_loss(self, count: int) -> None:
        """Count frames that were lost before they reached the source; they are not offered."""
        with self._lock:
            self._transport_lost += count

    def count_reconnect(self) -> None:
        """Count one reopening of a lost source."""
        with self._lock:
            self._reconnects += 1

    def count_stall(self) -> None:
        """Count one period without frames that is longer than `source.stall_timeout_s`."""
        with self._lock:
            self._stalls += 1

    def count_output_error(self, name: str) -> None:
        """Count one result that an output could not write."""
        with self._lock:
            self._output_errors[name] += 1

    def record_error(self, text: str) -> None:
        """Store the latest error of the source or of a frame, as text without passwords."""
        with self._lock:
            self._last_error = text

    def count_processed(self, latency_ms: Mapping[str, float]) -> None:
        """
        Count one processed frame.

        :param latency_ms: latency by stage, milliseconds.
        """
        with self._lock:
            self._processed += 1
            self._processed_rate.tick(self._clock_s())
            for stage, value_ms in latency_ms.items():
                self._latency_ms[stage].append(value_ms)

    @property
    def offered(self) -> int:
        """Return the number of offered frames; cheaper than a snapshot."""
        with self._lock:
            return self._offered

    @property
    def transport_lost(self) -> int | None:
        """Return the number of frames lost before they reached the source; None if unknown."""
        with self._lock:
            return self._transport_lost if self._transport_known else None

    def dropped(self) -> dict[str, int]:
        """Return the number of dropped frames by cause."""
        with self._lock:
            return dict(self._dropped)

    def snapshot(self) -> Snapshot:
        """Return all counters at one moment."""
        with self._lock:
            now_s = self._clock_s()
            latency_ms = {}
            for stage, values in self._latency_ms.items():
                p50_ms, p95_ms = np.percentile(values, (50, 95)).tolist()
                latency_ms[stage] = Percentiles(
                    p50_ms=round(p50_ms, 3), p95_ms=round(p95_ms, 3))
            return Snapshot(
                offered=self._offered, processed=self._processed, dropped=dict(self._dropped),
                transport_lost=self._transport_lost if self._transport_known else None,
                output_errors=dict(self._output_errors),
                offered_hz=self._offered_rate.per_s(now_s),
                processed_hz=self._processed_rate.per_s(now_s), latency_ms=latency_ms,
                reconnects=self._reconnects, stalls=self._stalls, last_error=self._last_error)
