# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Images that the middleware loses between a publisher and the subscription."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
import os
from pathlib import Path
import time
from typing import Any

from rclpy.utilities import get_rmw_implementation_identifier
from udp_infer_ros.stats import Stats

WINDOW_S = 10.0
"""The share of lost images is computed over the last seconds."""
MAX_SHARE = 0.05
"""A larger share of lost images is a fault."""
MIN_LOST = 3
"""Fewer lost images are not a fault, at any frame rate."""
OLD_NAME = ('humble', 'iron', 'jazzy')
"""The distributions whose Fast DDS reads its file from FASTRTPS_DEFAULT_PROFILES_FILE."""


class TransportLoss:
    """
    Counts the images that the middleware reports as lost. Not thread-safe.

    :param stats: counts them; they are not offered, so they are not among the dropped frames.
    :param clock_s: a monotonic clock in seconds.
    """

    def __init__(self, stats: Stats, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._stats = stats
        self._clock_s = clock_s
        self._lost = 0
        self._samples: deque[tuple[float, int, int]] = deque([(clock_s(), 0, stats.offered)])
        self._is_reported = False

    def make_callback(self) -> Callable[[Any], None]:
        """Return a callback for the event `message_lost` of a new subscription."""
        counted = 0

        def on_message_lost(event: Any) -> None:
            # Not total_count_change: an event that is not taken in time would be missing.
            nonlocal counted
            count, counted = event.total_count - counted, event.total_count
            self._lost += count
            self._stats.count_transport_loss(count)
        return on_message_lost

    def poll(self) -> bool:
        """
        Update the window; call this a few times per second.

        :return: whether too many images are lost, once until a whole window is without loss.
        """
        now_s = self._clock_s()
        self._samples.append((now_s, self._lost, self._stats.offered))
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - WINDOW_S:
            self._samples.popleft()
        lost, _ = self._counts()
        begins = self.is_excessive and not self._is_reported
        self._is_reported = begins or (self._is_reported and lost > 0)
        return begins

    @property
    def is_excessive(self) -> bool:
        """Return whether more than a few percent of the images in the window were lost."""
        lost, published = self._counts()
        return lost >= MIN_LOST and lost > MAX_SHARE * published

    def describe(self, topic: str) -> str:
        """Return what was lost on the topic."""
        lost, published = self._counts()
        window_s = max(1.0, self._samples[-1][0] - self._samples[0][0])
        return f'the middleware lost {lost} of {published} images on {topic} in {window_s:.0f} s'

    def _counts(self) -> tuple[int, int]:
        """Return the numbers of lost and of lost or received images in the window."""
        (_, lost_before, offered_before), (_, lost, offered) = self._samples[0], self._samples[-1]
        return lost - lost_before, lost - lost_before + offered - offered_before


def remedy() -> str:
    """Return what to do about lost images, in one line."""
    rmw = get_rmw_implementation_identifier()
    if not rmw.startswith('rmw_fastrtps'):
        return f'publish compressed images, or configure {rmw}; see docs/middleware.md'
    name = 'FASTRTPS' if os.environ.get('ROS_DISTRO') in OLD_NAME else 'FASTDDS'
    return (
        f'set {name}_DEFAULT_PROFILES_FILE={_profile()} in the environment of the process that '
        'publishes them, not of this one, or publish compressed images; see docs/middleware.md')


def _profile() -> str:
    """Return the path of the Fast DDS profile, or its name if the package is not installed."""
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        path = Path(prefix, 'share', 'udp_infer_ros', 'config', 'fastdds.xml')
        if prefix and path.is_file():
            return str(path)
    return 'config/fastdds.xml'
