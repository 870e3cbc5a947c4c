# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A camera or stream that is opened again for ever, and whose driver may hang."""

from __future__ import annotations

from collections.abc import Callable
import logging
from pathlib import Path
import random
import threading
import time

from udp_infer_ros.errors import SourceError
from udp_infer_ros.log import Throttle
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.sources.video import Captured, open_reader, Reader
from udp_infer_ros.stats import Stats

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0
RETRY_SHARE = 0.125
"""The wait before a new try is this share of how long the source has been away, within these
bounds: after a short loss it is found soon, and a long one costs little."""
SOUND_S = 2.0
"""A source that fails sooner than this after it came back was never back."""
OPEN_LIMIT_S = 25.0
"""When opening takes longer, it hangs: FFmpeg gives up by itself before."""
MOST_HUNG = 3
"""With so many threads stuck in a driver, no other one is sent after them."""
BACKLOG_LIMIT_S = 1.0
PERIOD_S = 0.25

log = logging.getLogger(__name__)


class Reading:
    """
    One reader in a thread of its own, which can be left behind when the driver hangs.

    :param open_it: opens the reader.
    :param deliver: takes a frame; False if no more are wanted.
    :param now_ns: the clock of the stamps.
    :param changed: set when it has opened or ended.
    """

    def __init__(
        self, open_it: Callable[[], Reader], deliver: Callable[[Captured], bool],
        now_ns: Callable[[], int], changed: threading.Event,
    ) -> None:
        self._open = open_it
        self._deliver = deliver
        self._now_ns = now_ns
        self._changed = changed
        self._lock = threading.Lock()
        self._abandoned = False
        self._delivering = False
        self._beat_s = time.monotonic()
        self.opened = False
        self.frames = 0
        self.description = ''
        self.error: SourceError | None = None
        """Why it ended, if not because no more frames are wanted."""
        self._begin = threading.Event()
        self._thread = threading.Thread(target=self._run, name='udp_infer reader', daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Deliver frames as soon as it has opened."""
        self._beat_s = time.monotonic()
        self._begin.set()

    @property
    def ended(self) -> bool:
        """Tell whether its thread is gone."""
        return not self._thread.is_alive()

    def silent_s(self) -> float:
        """Tell how long it has had nothing to say, seconds; waiting for the taker is not that."""
        with self._lock:
            return 0.0 if self._delivering else time.monotonic() - self._beat_s

    def abandon(self) -> None:
        """Take nothing from it any more, not even a frame that is on its way."""
        with self._lock:
            self._abandoned = True
        self._begin.set()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        reader: Reader | None = None
        try:
            reader = self._open()
            self.description = reader.description
            self._beat_s = time.monotonic()
            self.opened = True
            self._changed.set()
            self._begin.wait()
            self._read(reader)
        except SourceError as error:
            self.error = error
        except Exception as error:  # A driver may raise anything.
            self.error = SourceError('source.uri', '', f'reading it failed: {error}')
        finally:
            if reader is not None:
                reader.close()
            self._changed.set()

    def _read(self, reader: Reader) -> None:
        # The first frame only proved that the source works; it is old by now.
        reader.first()
        stamp_ns = self._skip_backlog(reader)
        while self._hand_over(Captured(reader.decode(), stamp_ns)):
            stamp_ns = self._grab(reader)

    def _grab(self, reader: Reader) -> int:
        if not reader.grab():
            raise SourceError('source.uri', reader.shown, 'stopped giving frames')
        return self._now_ns()

    def _skip_backlog(self, reader: Reader) -> int:
        """
        Leave out what was buffered while the stream was opened: old frames with new stamps.

        Those come at once; one that had to be waited for is new.
        """
        awaited_s = 0.5 * (reader.interval_s or 1.0 / 30.0)
        begin_s = time.monotonic()
        while True:
            before_s = time.monotonic()
            stamp_ns = self._grab(reader)
            now_s = time.monotonic()
            if (reader.finite or now_s - before_s >= awaited_s
                    or now_s - begin_s >= BACKLOG_LIMIT_S or self._abandoned):
                return stamp_ns

    def _hand_over(self, captured: Captured) -> bool:
        with self._lock:
            if self._abandoned:
                return False
            self._delivering = True
        try:
            return self._deliver(captured)
        finally:
            with self._lock:
                self._delivering = False
                if captured.image is not None:
                    self._beat_s = time.monotonic()
                    self.frames += 1
                    if self.frames == 1:
                        self._changed.set()


class LiveWatch:
    """
    Sees that a camera or stream gives frames, and opens it again when it does not.

    :param uri: what to open.
    :param settings: `source.*`.
    :param deliver: takes a frame; False if no more are wanted.
    :param stats: told of reconnects, stalls and the last error.
    :param now_ns: the clock of the stamps.
    :raises SourceError: if the source does not open and `source.wait_for_source` is false.
    """

    def __init__(
        self, uri: SourceUri, settings: SourceSettings, deliver: Callable[[Captured], bool],
        stats: Stats, now_ns: Callable[[], int],
    ) -> None:
        self._uri = uri
        self._settings = settings
        self._deliver = deliver
        self._stats = stats
        self._now_ns = now_ns
        self._stop = threading.Event()
        self._changed = threading.Event()
        self._left: list[Reading] = []
        self._warnings = Throttle(period_s=60.0)
        self._reading: Reading | None = None
        if not settings.wait_for_source:
            self._reading = self._first()

    @property
    def description(self) -> str:
        """Say what is open."""
        reading = self._reading
        return reading and reading.description or f'{self._uri.shown}, awaited'

    def run(self) -> None:
        """Deliver frames until `stop`."""
        tries = 0
        lost_s = time.monotonic()
        was_here = self._reading is not None
        while not self._stop.is_set():
            if self._reading is None:
                self._reading = self._start()
            reading = self._reading
            reading.begin()
            begin_s = time.monotonic()
            error = self._watch(reading, lambda: self._back(was_here, tries, lost_s))
            if error is None:
                break
            tries += 1
            if reading.frames and time.monotonic() - begin_s >= SOUND_S:
                tries, lost_s = 1, time.monotonic() - reading.silent_s()
            was_here = was_here or bool(reading.frames)
            self._reading = None
            self._wait(error, time.monotonic() - lost_s)
        self._abandon()

    def stop(self) -> None:
        """Take no more frames, and end `run`."""
        self._stop.set()
        self._changed.set()
        reading = self._reading
        if reading is not None:
            reading.abandon()

    def join(self, timeout_s: float) -> bool:
        """Wait for the readers' threads; tell whether they have ended."""
        deadline_s = time.monotonic() + timeout_s
        readings = [*self._left, *([self._reading] if self._reading else [])]
        for reading in readings:
            reading.join(max(0.0, deadline_s - time.monotonic()))
        return all(reading.ended for reading in readings)

    def _start(self) -> Reading:
        return Reading(
            lambda: open_reader(self._uri, self._settings), self._deliver, self._now_ns,
            self._changed)

    def _first(self) -> Reading:
        """Open the source for the first time, without frames yet."""
        reading = self._start()
        deadline_s = time.monotonic() + OPEN_LIMIT_S
        while not reading.opened and not reading.ended and time.monotonic() < deadline_s:
            self._changed.wait(PERIOD_S)
            self._changed.clear()
        if reading.opened and not reading.ended:
            return reading
        reading.abandon()
        raise reading.error or SourceError(
            'source.uri', self._uri.shown, f'does not answer within {OPEN_LIMIT_S:g} s')

    def _watch(self, reading: Reading, back: Callable[[], None]) -> SourceError | None:
        """
        Wait until a reading fails.

        :param back: called when its first frame has come.
        :return: why; None if no more frames are wanted.
        """
        flowing = False
        while not self._stop.is_set():
            self._changed.wait(min(PERIOD_S, self._settings.stall_timeout_s / 4.0))
            self._changed.clear()
            ended = reading.ended
            if not flowing and reading.frames:
                flowing = True
                back()
            if ended:
                return reading.error
            limit_s = self._settings.stall_timeout_s if reading.opened else OPEN_LIMIT_S
            if (silent_s := reading.silent_s()) >= limit_s:
                reading.abandon()
                self._left.append(reading)
                self._stats.stalled()
                return SourceError('source.uri', self._uri.shown, f'no frame for {silent_s:.1f} s')
        return None

    def _back(self, was_here: bool, tries: int, lost_s: float) -> None:
        if was_here and tries:
            self._stats.reconnected()
        if tries:
            log.info(
                '%s is %s after %.1f s and %d tries', self._uri.shown,
                'back' if was_here else 'there', time.monotonic() - lost_s, tries)

    def _wait(self, error: SourceError, away_s: float) -> None:
        """Wait before the next try: longer the longer the source has been away."""
        share = min(away_s * RETRY_SHARE, 0.8 * LONGEST_RETRY_S)
        # Many cameras that were lost together should not all come back together.
        delay_s = max(share, FIRST_RETRY_S) * random.uniform(1.0, 1.25)
        self._stats.trouble(str(error))
        self._warnings.warning(
            log, error.rule, '%s; opening it again in %.1f s and so on for ever', error, delay_s)
        self._stop.wait(delay_s)
        while not self._stop.is_set() and self._pointless():
            self._stop.wait(FIRST_RETRY_S)

    def _pointless(self) -> bool:
        """Tell whether a try now cannot succeed: not plugged in, or too many hang already."""
        self._left = [reading for reading in self._left if not reading.ended]
        if len(self._left) >= MOST_HUNG:
            self._warnings.warning(
                log, 'hung', '%s: %d reads hang in the driver, waiting for one to return',
                self._uri.shown, len(self._left))
            return True
        return self._uri.kind == 'device' and not Path(self._uri.shown).exists()

    def _abandon(self) -> None:
        if self._reading is not None:
            self._reading.abandon()
            self._left.append(self._reading)
