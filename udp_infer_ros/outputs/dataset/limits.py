# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Limits on the number of images in a minute, an hour and a day."""

from __future__ import annotations

from collections import deque

from udp_infer_ros.dataset_settings import RuleSettings


class Limits:
    """
    Counts the images of one rule over sliding windows, so that no window exceeds its limit.

    The times are those of a monotonic clock; midnight and steps of the wall clock have no effect.
    """

    def __init__(self) -> None:
        self._times_s: deque[float] = deque()

    def allow(self, rule: RuleSettings, now_s: float) -> bool:
        """Return whether one more image is within the limits of a rule."""
        windows = ((60.0, rule.per_minute), (3600.0, rule.per_hour), (86400.0, rule.per_day))
        return all(
            not limit or len(self._times_s) < limit or self._times_s[-limit] <= now_s - window_s
            for window_s, limit in windows)

    def charge(self, rule: RuleSettings, now_s: float) -> None:
        """Count one image."""
        self._times_s.append(now_s)
        largest = max(rule.per_minute, rule.per_hour, rule.per_day)
        while len(self._times_s) > largest:
            self._times_s.popleft()
