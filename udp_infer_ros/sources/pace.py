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

"""Which frames are too many, and which are too old."""

from __future__ import annotations

from collections.abc import Callable
import logging

from udp_infer_ros.errors import StaleError
from udp_infer_ros.log import Throttle

MAX_LIKELY_AGE_S = 60.0
"""No camera is a minute late: such a stamp is of a recording, or of a clock that is wrong."""

log = logging.getLogger(__name__)


class Pace:
    """
    Lets through as many frames a second as are wanted, evenly.

    On average it is as many as that, not the next lower fraction of the source's rate: 20 of
    30 are two of three.

    :param max_fps: frames a second; 0 lets all through.
    """

    def __init__(self, max_fps: float) -> None:
        self._interval_s = 1.0 / max_fps if max_fps > 0.0 else 0.0
        self._due_s: float | None = None

    def admits(self, now_s: float) -> bool:
        """
        Tell whether the frame of this moment may pass.

        :param now_s: seconds of any clock; when it goes back, it begins anew.
        """
        interval_s = self._interval_s
        if not interval_s:
            return True
        if self._due_s is None or now_s < self._due_s - 2.0 * interval_s:
            self._due_s = now_s
        # A source of just this rate is never quite regular; a quarter is its to be early.
        if now_s < self._due_s - 0.25 * interval_s:
            return False
        self._due_s = max(self._due_s + interval_s, now_s)
        return True


def age_s(stamp_ns: int, now_ns: int) -> float | None:
    """
    Tell how old a frame is.

    :param stamp_ns: of its header.
    :param now_ns: of the clock that the stamps should be of.
    :return: seconds, or None where the two tell nothing: a stamp of 0, one ahead of the clock (a
        clock that has not started, or is not in step), or one so far behind that it is a
        recording's.
    """
    age = (now_ns - stamp_ns) * 1e-9
    return age if stamp_ns and 0.0 <= age <= MAX_LIKELY_AGE_S else None


class Freshness:
    """
    Refuses frames that are too old.

    :param max_age_s: how old a frame may be, seconds; 0 lets all through.
    :param now_ns: the clock of the stamps.
    """

    def __init__(self, max_age_s: float, now_ns: Callable[[], int]) -> None:
        self._max_age_s = max_age_s
        self._now_ns = now_ns
        self._warnings = Throttle(period_s=3600.0)

    def check(self, stamp_ns: int) -> None:
        """
        Look at a frame whose turn has come.

        :raises StaleError: if it is too old.
        """
        if not self._max_age_s:
            return
        age = age_s(stamp_ns, self._now_ns())
        if age is None:
            self._warnings.warning(
                log, 'clock', 'the stamps of the images are not of this clock (0, ahead of it or '
                'more than a minute behind), so source.max_age_s = %g holds none of them back',
                self._max_age_s)
        elif age > self._max_age_s:
            raise StaleError(
                'age of the image', f'{age:.3f} s',
                f'must not be above source.max_age_s = {self._max_age_s:g}')
