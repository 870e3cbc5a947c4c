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

"""Warnings that come with every frame are told once in a while."""

from __future__ import annotations

from collections.abc import Callable
import logging
import threading
import time


class Throttle:
    """
    Lets a warning through once a period for each topic, and says how many it kept back.

    :param period_s: seconds between two warnings on the same topic.
    :param clock_s: a monotonic clock in seconds.
    """

    def __init__(self, period_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._last_s: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def warning(self, log: logging.Logger, topic: str, text: str, *arguments: object) -> None:
        """
        Warn, unless the topic was warned of within the period.

        :param topic: what the warning is about; each topic has its own period.
        :param text: as for `logging.Logger.warning`, with its arguments.
        """
        with self._lock:
            now_s = self._clock_s()
            last_s = self._last_s.get(topic)
            if last_s is not None and now_s - last_s < self._period_s:
                self._held[topic] = self._held.get(topic, 0) + 1
                return
            self._last_s[topic] = now_s
            held = self._held.pop(topic, 0)
        if held:
            text += f' ({held} more of this kind since)'
        log.warning(text, *arguments)
