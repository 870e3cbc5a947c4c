# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Pairs of detections and depth images with close stamps."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
import time
from typing import Any

from udp_infer_ros.positions.settings import PositionSettings
from udp_infer_ros.stats import Rate

MAX_IMAGES = 30
MAX_BYTES = 2**27
"""The newest depth images are kept, up to this number and this size of all; at least one."""
MAX_WAITING = 30
"""So many detection messages wait for a depth image; the oldest then waits no longer."""
RESTART_NS = 1_000_000_000
"""If the stamps go back further than this, a recording or a simulation has begun again."""


class Reason(str, Enum):
    """Why detections have no positions."""

    NO_DEPTH = 'no_depth'
    """No depth image has arrived."""
    TOO_FAR_APART = 'too_far_apart'
    """The nearest stamp differs by more than max_difference_s."""
    NO_CAMERA_INFO = 'no_camera_info'
    """No camera_info has arrived."""
    SIZES = 'sizes'
    """Sizes of images, boxes or camera_info contradict each other, or their values are invalid."""
    BAD_DEPTH = 'bad_depth'
    """The depth image cannot be decoded."""


@dataclass(frozen=True, kw_only=True)
class Depth:
    """A depth image as received."""

    stamp_ns: int
    message: Any
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Match:
    """Detections as received, and the depth image for them."""

    detections: Any
    stamp_ns: int
    depth: Depth | None
    """None if there is a reason, or if the message has no detections."""
    reason: Reason | None


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    detections: Any
    stamp_ns: int
    is_empty: bool
    deadline_s: float


class Pairing:
    """
    Pairs each message of detections with the depth image of the nearest stamp. Not thread-safe.

    Stamps may be in any order. Matches keep the order in which the detections arrived.

    :param settings: max_difference_s and max_wait_s; may be replaced at any time.
    :param clock_s: a monotonic clock in seconds.
    """

    def __init__(
        self, settings: PositionSettings, clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._clock_s = clock_s
        self._images: deque[Depth] = deque()
        self._bytes = 0
        self._waiting: deque[_Waiting] = deque()

    @property
    def is_waiting(self) -> bool:
        """Return whether detections wait for a depth image."""
        return bool(self._waiting)

    def offer_depth(self, depth: Depth) -> None:
        """Store a depth image, and discard the oldest if there are too many."""
        if self._images and depth.stamp_ns < self._images[-1].stamp_ns - RESTART_NS:
            # Images of the previous run can have the same stamps, and show something else.
            self._images.clear()
            self._bytes = 0
        self._images.append(depth)
        self._bytes += depth.size_bytes
        while len(self._images) > 1 and (
                len(self._images) > MAX_IMAGES or self._bytes > MAX_BYTES):
            self._bytes -= self._images.popleft().size_bytes

    def offer_detections(self, detections: Any, stamp_ns: int, *, is_empty: bool) -> None:
        """
        Store a message of detections.

        :param is_empty: it has no detections, so that it needs no depth image.
        """
        self._waiting.append(_Waiting(
            detections=detections, stamp_ns=stamp_ns, is_empty=is_empty,
            deadline_s=self._clock_s() + self.settings.max_wait_s))

    def matches(self) -> Iterator[Match]:
        """Yield and remove the messages that have a depth image, or need not wait for one."""
        while self._waiting:
            first = self._waiting[0]
            depth = None if first.is_empty else self._nearest(first.stamp_ns)
            if not (first.is_empty or self._is_final(first, depth)):
                return
            self._waiting.popleft()
            reason = None
            if not first.is_empty:
                depth, reason = self._checked(first.stamp_ns, depth)
            yield Match(
                detections=first.detections, stamp_ns=first.stamp_ns, depth=depth, reason=reason)

    def clear(self) -> None:
        """Discard everything."""
        self._images.clear()
        self._waiting.clear()
        self._bytes = 0

    def _nearest(self, stamp_ns: int) -> Depth | None:
        # Of equal ones the latest to arrive, hence reversed.
        return min(
            reversed(self._images), key=lambda depth: abs(depth.stamp_ns - stamp_ns),
            default=None)

    def _is_final(self, waiting: _Waiting, depth: Depth | None) -> bool:
        """Return whether no better depth image can be expected."""
        if len(self._waiting) > MAX_WAITING or self._clock_s() >= waiting.deadline_s:
            return True
        if depth is None or self._gap_s(waiting.stamp_ns, depth) > self.settings.max_difference_s:
            return False
        # Images arrive in the order of their stamps, mostly: the next one is further away.
        return depth.stamp_ns == waiting.stamp_ns or (
            self._images[-1].stamp_ns >= waiting.stamp_ns)

    def _checked(self, stamp_ns: int, depth: Depth | None) -> tuple[Depth | None, Reason | None]:
        if depth is None:
            return None, Reason.NO_DEPTH
        if self._gap_s(stamp_ns, depth) > self.settings.max_difference_s:
            return None, Reason.TOO_FAR_APART
        return depth, None

    @staticmethod
    def _gap_s(stamp_ns: int, depth: Depth) -> float:
        return abs(depth.stamp_ns - stamp_ns) * 1e-9


class PairingStats:
    """Counters of messages and detections. They continue across lifecycle states."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self.paired = 0
        """Number of messages of detections whose positions were published, also empty ones."""
        self.unpaired: Counter[Reason] = Counter(dict.fromkeys(Reason, 0))
        self.located = 0
        self.left_out = 0
        """Number of detections without valid depth, which are not in the published message."""
        self.invalid_stamps = 0
        """Number of messages whose stamp is not a valid time; they are discarded."""
        self._detections_rate = Rate()
        self._depth_rate = Rate()

    def count_detections(self) -> None:
        """Count one received message of detections."""
        self._detections_rate.tick(self._clock_s())

    def count_depth(self) -> None:
        """Count one received depth image."""
        self._depth_rate.tick(self._clock_s())

    def count_pair(self, located: int, left_out: int) -> None:
        """Count one message whose positions are published, with its detections."""
        self.paired += 1
        self.located += located
        self.left_out += left_out

    @property
    def detections_hz(self) -> float:
        """Return the rate of messages of detections."""
        return self._detections_rate.per_s(self._clock_s())

    @property
    def depth_hz(self) -> float:
        """Return the rate of depth images."""
        return self._depth_rate.per_s(self._clock_s())
