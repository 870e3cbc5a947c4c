# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Reopening of a camera or stream that is lost, also if its driver hangs.

OpenCV cannot interrupt a read. So each reader has a thread of its own, `ReaderThread`, which is
abandoned when it hangs. `Reconnector` watches the current thread, and replaces it when it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import logging
from pathlib import Path
import queue
import random
import threading
import time

from udp_infer_ros.errors import DecodeError, SourceError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.log import Throttle
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import Intake, RawFrame
from udp_infer_ros.sources.reader import open_reader, OpenReader, Reader
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.stats import Stats
from udp_infer_ros.threads import BackgroundThread
from udp_infer_ros.wording import counted

STABLE_S = 2.0
"""An outage is over when frames have arrived for this long."""
OPEN_LIMIT_S = 25.0
"""If opening takes longer, the driver hangs; the timeout of FFmpeg is shorter."""
MAX_HUNG = 3
"""While this many threads hang in the driver, no new one is started."""
MAX_BACKLOG_S = 1.0
PERIOD_S = 0.25
"""Interval at which the current reader is checked."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BackOff:
    """
    The delay before an attempt to reopen, which grows with the duration of the outage.

    So a short outage ends quickly, and a long one causes few attempts.
    """

    first_s: float = 0.5
    longest_s: float = 10.0

    def delay_s(self, outage_s: float) -> float:
        """
        Return how long to wait, seconds.

        :param outage_s: how long the source has been lost.
        """
        delay_s = max(self.first_s, min(outage_s / 8.0, 0.8 * self.longest_s))
        # Random, so that cameras that were lost together are not reopened at the same time.
        return delay_s * random.uniform(1.0, 1.25)


@dataclass
class Outage:
    """An outage: from the last frame, or the start, until frames have arrived for STABLE_S."""

    since_s: float
    attempts: int = 0


class _AbandonedError(Exception):
    """The reader was abandoned while it decoded; its frame is dropped."""


class ReaderThread:
    """
    One reader in a thread of its own, which can be abandoned when the driver hangs.

    `_lock` guards all attributes that change, except `error`, which is set before the thread
    ends and read afterwards.

    :param open_it: opens the reader.
    :param source: the name of the source, without passwords.
    :param frame_id: for the headers of its frames.
    :param now_ns: the clock of the stamps, nanoseconds.
    :param changed: set when the reader is open, when its first frame arrives, and when it ends.
    """

    def __init__(
        self, open_it: Callable[[], Reader], *, source: str, frame_id: str,
        now_ns: Callable[[], int], changed: threading.Event,
    ) -> None:
        self._open = open_it
        self._source = source
        self._frame_id = frame_id
        self._now_ns = now_ns
        self._changed = changed
        self._lock = threading.Lock()
        self._abandoned = False
        self._waiting = False
        self._undecodable = False
        self._description = ''
        self._first_frame_s: float | None = None
        self._last_valid_s = time.monotonic()
        self._intake: queue.SimpleQueue[Intake | None] = queue.SimpleQueue()
        self.error: SourceError | None = None
        """Why the reader ended; None if it was abandoned or the intake was closed."""
        self._thread = BackgroundThread(self._run, name='reader')

    def start(self) -> None:
        """Start the thread, which opens the reader."""
        self._thread.start()

    def deliver(self, intake: Intake) -> None:
        """Offer frames to the intake as soon as the reader is open."""
        with self._lock:
            self._last_valid_s = time.monotonic()
        self._intake.put(intake)

    def abandon(self) -> None:
        """Accept no more frames from the reader, including one that is being decoded."""
        with self._lock:
            self._abandoned = True
        self._intake.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout_s)

    @property
    def ended(self) -> bool:
        """Return whether the thread has ended."""
        return not self._thread.is_alive()

    @property
    def description(self) -> str:
        """Return the description of the reader; empty until it is open."""
        with self._lock:
            return self._description

    @property
    def opened(self) -> bool:
        """Return whether the reader was opened."""
        return bool(self.description)

    @property
    def silent_s(self) -> float:
        """Return the seconds without a valid frame, not counting the wait for the worker."""
        with self._lock:
            return 0.0 if self._waiting else time.monotonic() - self._last_valid_s

    @property
    def flowing_s(self) -> float | None:
        """Return the seconds from the first to the latest valid frame; None before the first."""
        with self._lock:
            first_s = self._first_frame_s
            return None if first_s is None else self._last_valid_s - first_s

    def _run(self) -> None:
        reader: Reader | None = None
        try:
            reader = self._open()
            with self._lock:
                self._description = reader.description
                self._last_valid_s = time.monotonic()
            self._changed.set()
            intake = self._intake.get()
            if intake is not None:
                self._read(reader, intake)
        except SourceError as error:
            self.error = error
        except Exception as error:  # Drivers raise errors of any type.
            self.error = SourceError('source.uri', self._source, f'reading failed: {error}')
        finally:
            if reader is not None:
                reader.close()
            self._changed.set()

    def _read(self, reader: Reader, intake: Intake) -> None:
        stamp_ns = self._skip_backlog(reader)
        while self._offer(reader, intake, stamp_ns):
            stamp_ns = self._grab(reader)

    def _grab(self, reader: Reader) -> int:
        if not reader.grab():
            raise SourceError('source.uri', self._source, 'delivers no more frames')
        return self._now_ns()

    def _skip_backlog(self, reader: Reader) -> int:
        """
        Skip the frames that were buffered during opening, and return the stamp of the next one.

        A buffered frame is grabbed at once; a frame for which `grab` blocks is new.
        """
        self._grab(reader)  # This frame was decoded during opening.
        blocked_s = 0.5 * (reader.interval_s or 1.0 / 30.0)
        begin_s = time.monotonic()
        skipped = 1
        while True:
            before_s = time.monotonic()
            stamp_ns = self._grab(reader)
            now_s = time.monotonic()
            if (reader.finite or now_s - before_s >= blocked_s
                    or now_s - begin_s >= MAX_BACKLOG_S or self._is_abandoned()):
                log.debug('%s: skipped %d buffered frames', self._source, skipped)
                return stamp_ns
            skipped += 1

    def _offer(self, reader: Reader, intake: Intake, stamp_ns: int) -> bool:
        """Offer the grabbed frame; return False if abandoned or if the intake is closed."""
        if self._is_abandoned():
            return False
        try:
            accepted = intake.offer(RawFrame(
                decode=partial(self._decode, reader), stamp_ns=stamp_ns,
                frame_id=self._frame_id, source=self._source, arrival_s=time.monotonic(),
            ), decode_now=True)
        except _AbandonedError:
            return False
        self._record_valid_frame()
        return accepted

    def _decode(self, reader: Reader) -> BgrImage:
        """Decode the grabbed frame. The intake then waits for the worker, which is no stall."""
        try:
            image = reader.decode()
        except DecodeError:
            with self._lock:
                self._undecodable = True
            raise
        with self._lock:
            if self._abandoned:
                raise _AbandonedError
            self._undecodable = False
            self._waiting = True
        return image

    def _record_valid_frame(self) -> None:
        """Record the time of a frame, unless it or the latest decoded one was damaged."""
        with self._lock:
            self._waiting = False
            if self._undecodable:
                return
            self._last_valid_s = time.monotonic()
            is_first = self._first_frame_s is None
            if is_first:
                self._first_frame_s = self._last_valid_s
        if is_first:
            self._changed.set()

    def _is_abandoned(self) -> bool:
        with self._lock:
            return self._abandoned


class Reconnector:
    """
    Opens a camera or stream, and reopens it when it is lost.

    `open` and then `run` block their threads until `stop` is called in another one. `_lock` guards
    `_reader`, `_abandoned` and `_last_frame_s`; only `open` and `run` use `_was_open`.

    :param uri: of a live kind.
    :param settings: `source.*`.
    :param now_ns: the clock of the stamps, nanoseconds.
    :param open_reader: opens the source.
    :param open_limit_s: longest time for opening, seconds.
    :param back_off: the delay before each attempt to reopen.
    """

    def __init__(
        self, uri: SourceUri, settings: SourceSettings, now_ns: Callable[[], int], *,
        open_reader: OpenReader = open_reader, open_limit_s: float = OPEN_LIMIT_S,
        back_off: BackOff = BackOff(),
    ) -> None:
        self._uri = uri
        self._settings = settings
        self._now_ns = now_ns
        self._open_reader = partial(open_reader, uri, settings)
        self._open_limit_s = open_limit_s
        self._back_off = back_off
        self._was_open = False
        self._stopped = threading.Event()
        self._changed = threading.Event()
        self._warnings = Throttle(period_s=60.0)
        self._lock = threading.Lock()
        self._reader: ReaderThread | None = None
        self._abandoned: list[ReaderThread] = []
        self._last_frame_s = time.monotonic()

    def open(self) -> None:  # noqa: A003
        """
        Open the source for the first time; `run` delivers its frames.

        :raises SourceError: if it does not open, does not answer in time, or `stop` was called.
        """
        reader = self._start_reader()
        deadline_s = time.monotonic() + self._open_limit_s
        while not (reader.opened or reader.ended or self._stopped.is_set()) and (
                time.monotonic() < deadline_s):
            self._changed.wait(PERIOD_S)
            self._changed.clear()
        if reader.opened and not reader.ended and not self._stopped.is_set():
            self._was_open = True
            return
        self._abandon(reader)
        raise reader.error or SourceError(
            'source.uri', self._uri.redacted, 'was closed while it opened'
            if self._stopped.is_set() else f'does not answer within {self._open_limit_s:g} s')

    def run(self, intake: Intake) -> None:
        """Offer frames until `stop` is called or the intake is closed."""
        self._set_last_frame(time.monotonic())
        outage = Outage(since_s=time.monotonic())
        while not self._stopped.is_set():
            reader = self._reader or self._start_reader()
            reader.deliver(intake)
            error = self._watch(reader, outage, intake.stats)
            self._abandon(reader)
            if error is None:
                return
            log.debug('%s: reader closed: %s', self._uri.redacted, error)
            if (reader.flowing_s or 0.0) >= STABLE_S:
                outage = Outage(since_s=time.monotonic() - reader.silent_s)
            outage.attempts += 1
            intake.stats.record_error(str(error))
            self._wait(error, outage, 'lost' if reader.opened else 'not open')

    def stop(self) -> None:
        """Accept no more frames, and make `open` and `run` return."""
        self._stopped.set()
        self._changed.set()
        with self._lock:
            reader = self._reader
        if reader is not None:
            reader.abandon()

    def join(self, timeout_s: float) -> bool:
        """Wait for the threads of all readers; return whether they have ended."""
        deadline_s = time.monotonic() + timeout_s
        with self._lock:
            readers = [*self._abandoned, *([self._reader] if self._reader else [])]
        for reader in readers:
            reader.join(max(0.0, deadline_s - time.monotonic()))
        return all(reader.ended for reader in readers)

    @property
    def description(self) -> str:
        """Return the name of the source, with its format while it is open."""
        with self._lock:
            reader = self._reader
        return reader.description if reader is not None and reader.opened else self._uri.redacted

    @property
    def silent_s(self) -> float:
        """Return the seconds without a valid frame, not counting the wait for the worker."""
        with self._lock:
            return time.monotonic() - self._last_frame_s

    def _start_reader(self) -> ReaderThread:
        log.debug('%s: opening', self._uri.redacted)
        reader = ReaderThread(
            self._open_reader, source=self._uri.redacted, frame_id=self._settings.frame_id,
            now_ns=self._now_ns, changed=self._changed)
        reader.start()
        with self._lock:
            self._reader = reader
        return reader

    def _abandon(self, reader: ReaderThread) -> None:
        reader.abandon()
        with self._lock:
            self._reader = None
            self._abandoned = [item for item in [*self._abandoned, reader] if not item.ended]

    def _watch(self, reader: ReaderThread, outage: Outage, stats: Stats) -> SourceError | None:
        """Return the error when a reader fails, or None after `stop` or a closed intake."""
        stall_timeout_s = self._settings.stall_timeout_s
        flowing = False
        while not self._stopped.is_set():
            self._changed.wait(min(PERIOD_S, stall_timeout_s / 4.0))
            self._changed.clear()
            ended = reader.ended
            silent_s = reader.silent_s
            if reader.flowing_s is not None:
                self._set_last_frame(time.monotonic() - silent_s)
                if not flowing:
                    flowing = True
                    self._report_return(outage, stats)
            if ended:
                return reader.error
            if silent_s >= (stall_timeout_s if reader.opened else self._open_limit_s):
                stats.count_stall()
                return SourceError(
                    'source.uri', self._uri.redacted, f'no frame for {silent_s:.1f} s')
        return None

    def _report_return(self, outage: Outage, stats: Stats) -> None:
        """Log that frames arrive; after at least one failed attempt, count the reconnect."""
        if outage.attempts:
            if self._was_open:
                stats.count_reconnect()
            log.info(
                '%s is %s after %.1f s and %s: %s', self._uri.redacted,
                'back' if self._was_open else 'open', time.monotonic() - outage.since_s,
                counted(outage.attempts, 'attempt'), self.description)
        else:
            log.info('first frame of %s', self.description)
        self._was_open = True

    def _wait(self, error: SourceError, outage: Outage, key: str) -> None:
        """Wait before the next attempt: for the delay, and until the attempt may succeed."""
        delay_s = self._back_off.delay_s(time.monotonic() - outage.since_s)
        self._warnings.warning(
            log, key, '%s; reopening in %.1f s, and again until frames arrive', error, delay_s)
        log.debug(
            '%s: attempt %d after %.1f s', self._uri.redacted, outage.attempts + 1, delay_s)
        self._stopped.wait(delay_s)
        if self._stopped.is_set() or self._may_succeed():
            return
        log.debug('%s: waiting until the device exists and no read hangs', self._uri.redacted)
        while not self._stopped.is_set() and not self._may_succeed():
            self._stopped.wait(self._back_off.first_s)

    def _may_succeed(self) -> bool:
        """Return whether the device exists and fewer than MAX_HUNG readers hang."""
        with self._lock:
            self._abandoned = [reader for reader in self._abandoned if not reader.ended]
            hung = len(self._abandoned)
        if hung >= MAX_HUNG:
            self._warnings.warning(
                log, 'hung', '%s: %d reads hang in the driver; waiting for one to return',
                self._uri.redacted, hung)
            return False
        return self._uri.kind != 'device' or Path(self._uri.redacted).exists()

    def _set_last_frame(self, time_s: float) -> None:
        with self._lock:
            self._last_frame_s = time_s
