# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Rate-limited warnings."""

from __future__ import annotations

from collections.abc import Callable
import logging
import threading
import time


class Throttle:
    """
    Rate limit for warnings: one per period and key, with the number of suppressed ones.

    Safe to use from several threads: `_lock` guards `_last_s` and `_suppressed`.

    :param period_s: seconds between two warnings with the same key.
    :param clock_s: a monotonic clock in seconds.
    """

    def __init__(self, period_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._last_s: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def warning(self, log: logging.Logger, key: str, text: str, *arguments: object) -> None:
        """
        Log a warning, unless one with the same key was logged within the period.

        :param key: identifies the warning. Every key is stored, so use a fixed set.
        :param text: format string, as for `logging.Logger.warning`.
        """
        with self._lock:
            now_s = self._clock_s()
            last_s = self._last_s.get(key)
            if last_s is not None and now_s - last_s < self._period_s:
                self._suppressed[key] = self._suppressed.get(key, 0) + 1
                return
            self._last_s[key] = now_s
            suppressed = self._suppressed.pop(key, 0)
        if suppressed:
            text += f' ({suppressed} similar warnings suppressed)'
        log.warning(text, *arguments)
