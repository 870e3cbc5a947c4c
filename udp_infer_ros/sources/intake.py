# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The intake: passes the frames of any source to the worker.

It numbers every frame, drops frames that exceed `source.max_fps` before decoding and frames that
are older than `source.max_age_s` before inference, and counts every drop by cause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import logging
import threading
import time

from udp_infer_ros.errors import Drop, FrameError, StaleError
from udp_infer_ros.frame import BgrImage, Buffer, Frame
from udp_infer_ros.log import Throttle
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats

MAX_PLAUSIBLE_AGE_S = 60.0
"""An older stamp comes from a recording or from a wrong clock, not from a delay."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RawFrame:
    """A frame from a source, not decoded yet."""

    decode: Callable[[], BgrImage]
    """Return the image (height, width, 3), BGR. Raises FrameError, e.g. DecodeError."""
    stamp_ns: int
    frame_id: str
    source: str
    """Name for results and logs, without passwords."""
    arrival_s: float
    """`time.monotonic()` when the frame reached this process."""
    encoded: Buffer | None = None
    """The compressed image as it arrived; None if only its pixels are known."""


@dataclass(frozen=True, kw_only=True)
class PendingFrame:
    """A numbered frame that waits in the slot."""

    raw: RawFrame
    index: int
    wait_s: float = 0.0
    """Seconds in the slot."""
    image: BgrImage | None = None
    """The image, if it was decoded in the thread of the source."""
    decode_s: float = 0.0


class Intake:
    """
    Passes the frames of one source to the worker.

    The source calls `offer` and `reject` in one thread, the worker `take` and `to_frame`; the
    others are safe in any thread. `_lock` guards the numbering, the rate limit and
    `_last_arrival_s`.

    :param settings: `source.*`.
    :param stats: counts frames and drops.
    :param now_ns: the clock of the stamps, nanoseconds.
    :param first_index: the number of the first frame.
    :param wait: whether `offer` waits for the worker, so that no frame is replaced.
    :param limit_age: whether `source.max_age_s` applies.
    :param clock_s: the monotonic clock of `RawFrame.arrival_s`, seconds.
    """

    def __init__(
        self, settings: SourceSettings, stats: Stats, *, now_ns: Callable[[], int],
        first_index: int = 0, wait: bool = False, limit_age: bool = True,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stats = stats
        """The clock of the stamps, nanoseconds."""
        self._slot: FrameSlot[PendingFrame] = FrameSlot(wait=wait, clock_s=clock_s)
        self._age_limit = AgeLimit(settings.max_age_s if limit_age else 0.0, now_ns)
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._rate_limiter = RateLimiter(settings.max_fps)
        self._next_index = first_index
        self._last_arrival_s = clock_s()
        self._warnings = Throttle(period_s=5.0, clock_s=clock_s)

    def offer(
        self, raw: RawFrame, *, media_time_s: float | None = None, decode_now: bool = False,
    ) -> bool:
        """
        Accept or drop one frame.

        :param media_time_s: the time to which `source.max_fps` applies, e.g. the position in a
            file; None for the time of arrival.
        :param decode_now: decode before returning, because the source reuses its buffer.
        :return: False if the intake is closed.
        """
        index = self._number(raw.arrival_s if media_time_s is None else media_time_s)
        if index is None:
            return not self._slot.closed
        image, decode_s = None, 0.0
        if decode_now:
            begin_s = self._clock_s()
            try:
                image = raw.decode()
            except FrameError as error:
                self.drop(error)
                return not self._slot.closed
            decode_s = self._clock_s() - begin_s
        accepted, replaced = self._slot.put(PendingFrame(
            raw=raw, index=index, image=image, decode_s=decode_s))
        if replaced is not None:
            self.stats.count_drop(Drop.REPLACED)
        return accepted

    def reject(self, error: FrameError) -> None:
        """Drop a frame that the source found to be malformed, after numbering it."""
        self._number(None)
        self.drop(error)

    def drop(self, error: FrameError) -> None:
        """Count a numbered frame as dropped, and log the error."""
        self.stats.count_drop(error.cause)
        self.stats.record_error(f'frame dropped: {error}')
        self._warnings.warning(log, error.cause.value, 'frame dropped: %s', error)

    @property
    def silent_s(self) -> float:
        """Return the seconds since the latest frame, or since the intake was created."""
        with self._lock:
            return self._clock_s() - self._last_arrival_s

    @property
    def drained(self) -> bool:
        """Return whether the intake is closed and its slot is empty."""
        return self._slot.drained

    def take(self) -> PendingFrame | None:
        """Wait for a frame and return it; None after `wake` or `close` without a frame."""
        pending = self._slot.take()
        return pending and replace(pending, wait_s=self._slot.waited_s)

    def to_frame(self, pending: PendingFrame) -> Frame:
        """
        Check the age of a frame from `take`, and decode it unless `offer` did.

        :raises FrameError: if the frame is stale or malformed; `error.cause` is the drop cause.
        """
        raw, image, decode_s = pending.raw, pending.image, pending.decode_s
        begin_s = self._clock_s()
        self._age_limit.check(raw.stamp_ns)
        if image is None:
            image = raw.decode()
            decode_s = self._clock_s() - begin_s
        return Frame.from_image(
            image, index=pending.index, stamp_ns=raw.stamp_ns, frame_id=raw.frame_id,
            source=raw.source, arrival_s=raw.arrival_s, wait_s=pending.wait_s,
            decode_s=decode_s, encoded=raw.encoded)

    def wake(self) -> None:
        """Make `take` return at once, also without a frame."""
        self._slot.wake()

    def close(self) -> None:
        """Accept no more frames; the frame in the slot is still processed."""
        self._slot.close()

    def _number(self, time_s: float | None) -> int | None:
        """Return the number of a frame; None if it exceeds `source.max_fps`."""
        with self._lock:
            index = self._next_index
            self._next_index += 1
            self._last_arrival_s = self._clock_s()
            self.stats.count_offered()
            if time_s is not None and not self._rate_limiter.accepts(time_s):
                self.stats.count_drop(Drop.MAX_FPS)
                return None
        return index


class RateLimiter:
    """
    Limits the rate of frames, and accepts frames at even intervals.

    The mean rate is exact also if the rate of the source is not a multiple of the limit: from 30
    to 20 fps, two of three frames are accepted.

    :param max_fps: frames per second; 0 accepts all.
    """

    def __init__(self, max_fps: float) -> None:
        self._interval_s = 1.0 / max_fps if max_fps > 0.0 else 0.0
        self._due_s: float | None = None

    def accepts(self, now_s: float) -> bool:
        """
        Return whether a frame at this time is accepted.

        :param now_s: seconds of any clock; if it jumps back, the limiter restarts.
        """
        interval_s = self._interval_s
        if not interval_s:
            return True
        if self._due_s is None or now_s < self._due_s - 2.0 * interval_s:
            self._due_s = now_s
        # Tolerate jitter of a quarter interval, so that a source at max_fps loses no frames.
        if now_s < self._due_s - 0.25 * interval_s:
            return False
        self._due_s = max(self._due_s + interval_s, now_s)
        return True


class AgeLimit:
    """
    Rejects frames that are too old.

    :param max_age_s: highest age in seconds; 0 accepts all.
    :param now_ns: the clock of the stamps, nanoseconds.
    """

    def __init__(self, max_age_s: float, now_ns: Callable[[], int]) -> None:
        self._max_age_s = max_age_s
        self._now_ns = now_ns
        self._warnings = Throttle(period_s=3600.0)

    def check(self, stamp_ns: int) -> None:
        """
        Check the age of a frame.

        :raises StaleError: if it is too old.
        """
        if not self._max_age_s:
            return
        age = age_s(stamp_ns, self._now_ns())
        if age is None:
            self._warnings.warning(
                log, 'clock', 'source.max_age_s = %g: not applied, because the stamps of the '
                'images are not from the clock of this node (0, in the future or older than '
                '%g s); synchronize the clocks or set source.max_age_s to 0',
                self._max_age_s, MAX_PLAUSIBLE_AGE_S)
        elif age > self._max_age_s:
            raise StaleError(
                'age of the image', f'{age:.3f} s',
                f'must not be above source.max_age_s = {self._max_age_s:g}')


def age_s(stamp_ns: int, now_ns: int) -> float | None:
    """
    Return the age of a frame.

    :param stamp_ns: stamp of its header, ns.
    :param now_ns: current time of the clock of the stamps, ns.
    :return: seconds; None if the stamp is implausible: 0, in the future, or older than
        MAX_PLAUSIBLE_AGE_S.
    """
    age = (now_ns - stamp_ns) * 1e-9
    return age if stamp_ns and 0.0 <= age <= MAX_PLAUSIBLE_AGE_S else None
