# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames from a video file or from image files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
import logging
import threading
import time

from udp_infer_ros.errors import SourceError
from udp_infer_ros.health import PartHealth
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import Intake, RawFrame
from udp_infer_ros.sources.reader import open_reader, OpenReader, Reader
from udp_infer_ros.sources.report import NOT_STARTED
from udp_infer_ros.sources.source_thread import SourceThread
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.wording import counted

log = logging.getLogger(__name__)


class FileSource:
    """
    Reads a file in a thread of its own.

    `_lock` guards `_reader`, which `open` sets and the thread takes. The caller's thread owns
    the other attributes.

    :param uri: of a kind in FINITE_KINDS.
    :param settings: `source.*`.
    :param now_ns: the clock of the stamps, nanoseconds.
    :param open_reader: opens the file.
    """

    live = False

    def __init__(
        self, uri: SourceUri, settings: SourceSettings, now_ns: Callable[[], int], *,
        open_reader: OpenReader = open_reader,
    ) -> None:
        self.every_frame = settings.policy == 'every' or (
            settings.policy == 'auto' and not settings.realtime)
        self.description = uri.redacted
        self._realtime = settings.realtime or settings.policy == 'latest'
        self._uri = uri
        self._settings = settings
        self._now_ns = now_ns
        self._open_reader = partial(open_reader, uri, settings)
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._stopped = threading.Event()
        self._thread: SourceThread | None = None

    def open(self) -> None:  # noqa: A003
        """
        Open the file.

        :raises SourceError: if its first frame cannot be decoded, or `stop` was called meanwhile.
        """
        reader = self._open_reader()
        self.description = reader.description
        with self._lock:
            if not self._stopped.is_set():
                self._reader = reader
                return
        reader.close()
        raise SourceError('source.uri', self._uri.redacted, 'was closed while it opened')

    def start(self, intake: Intake) -> None:
        """Start the thread that offers the frames."""
        self._thread = SourceThread(self._play, intake)
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Stop offering frames, close the intake and the file; return whether that succeeded."""
        self._stopped.set()
        if self._thread is not None:
            return self._thread.stop(timeout_s)
        reader = self._take_reader()
        if reader is not None:
            reader.close()
        return True

    def poll(self) -> None:
        """Do nothing; a file needs no checks."""

    def health(self) -> PartHealth:
        """Return the state since the previous call, as part `source`."""
        return NOT_STARTED if self._thread is None else self._thread.health(self.description)

    def _take_reader(self) -> Reader | None:
        with self._lock:
            reader, self._reader = self._reader, None
            return reader

    def _play(self, intake: Intake) -> None:
        reader = self._take_reader() or self._open_reader()
        timeline = _Timeline(self._now_ns)
        count = 0
        try:
            while not self._stopped.is_set():
                if reader.grab():
                    count += 1
                    if count == 1:
                        log.info('first frame of %s', self.description)
                    if not self._offer(reader, timeline, intake):
                        return
                elif self._settings.loop:
                    log.debug('%s: starts again after %s', self._uri.redacted,
                              counted(count, 'frame'))
                    timeline.restart(reader.interval_s)
                    reader.close()
                    reader = self._open_reader()
                else:
                    log.info('end of %s after %s', self._uri.redacted, counted(count, 'frame'))
                    return
        finally:
            reader.close()

    def _offer(self, reader: Reader, timeline: _Timeline, intake: Intake) -> bool:
        """Offer the grabbed frame when it is due; return False after `stop`."""
        position_s = max(reader.position_s, 0.0)
        stamp_ns = timeline.stamp_ns(position_s)
        if self._realtime and self._stopped.wait(timeline.remaining_s(position_s)):
            return False
        return intake.offer(RawFrame(
            decode=reader.decode, stamp_ns=stamp_ns, frame_id=self._settings.frame_id,
            source=self._uri.redacted, arrival_s=time.monotonic(),
        ), media_time_s=timeline.media_time_s, decode_now=True)


class _Timeline:
    """
    Computes the stamp of each frame of a file, and when the frame is due.

    The stamp is the time at which reading began plus the position of the frame, so the time
    between stamps does not depend on the speed of the model. Stamps always increase.

    :param now_ns: the clock of the stamps, nanoseconds.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._first_ns = self._begin_ns = now_ns()
        self._last_ns = self._begin_ns - 1
        self._begin_s = time.monotonic()

    def restart(self, interval_s: float) -> None:
        """
        Begin again at position 0.

        :param interval_s: least time from the last stamp to the next, seconds.
        """
        self._begin_ns = max(self._now_ns(), self._last_ns + round(interval_s * 1e9))
        self._begin_s = time.monotonic()

    def stamp_ns(self, position_s: float) -> int:
        """Return the stamp, ns, of the frame at a position, seconds from the start."""
        # In some files, positions repeat or decrease.
        self._last_ns = max(self._begin_ns + round(position_s * 1e9), self._last_ns + 1)
        return self._last_ns

    @property
    def media_time_s(self) -> float:
        """Return the latest stamp, in seconds after the first one."""
        return (self._last_ns - self._first_ns) * 1e-9

    def remaining_s(self, position_s: float) -> float:
        """Return the seconds until the frame at a position, in seconds, is due."""
        return max(0.0, self._begin_s + position_s - time.monotonic())
