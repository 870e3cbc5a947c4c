# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames from a video file or a folder of images."""

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

log = logging.getLogger(__name__)


class FileSource:
    """
    Plays a file in a thread of its own.

    `_lock` guards `_reader`, from `open` until the thread takes it; `_stopped` is an event. The
    other attributes belong to the owner of the source.

    :param uri: of a kind in FINITE_KINDS.
    :param settings: `source.*`.
    :param now_ns: the clock of the stamps.
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

        :raises SourceError: if it does not open, or its first frame cannot be decoded.
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
        """Begin to play the file."""
        self._thread = SourceThread(self._play, intake)
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Offer no more frames, and close the intake and the file."""
        self._stopped.set()
        if self._thread is not None:
            return self._thread.stop(timeout_s)
        reader = self._take_reader()
        if reader is not None:
            reader.close()
        return True

    def poll(self) -> None:
        """Do nothing; the thread does everything."""

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
                    if not self._offer(reader, timeline, intake):
                        return
                elif self._settings.loop:
                    timeline.restart(reader.interval_s)
                    reader.close()
                    reader = self._open_reader()
                else:
                    log.info('end of %s after %d frames', self._uri.redacted, count)
                    return
        finally:
            reader.close()

    def _offer(self, reader: Reader, timeline: _Timeline, intake: Intake) -> bool:
        """Offer the grabbed frame; return False if no more are wanted."""
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
    When each frame of a file is due, and its stamp.

    The stamp is the time at which playing began plus the position of the frame, so that the time
    between frames is that of the video, however fast the model is. Stamps always increase.

    :param now_ns: the clock of the stamps.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._first_ns = self._begin_ns = now_ns()
        self._last_ns = self._begin_ns - 1
        self._begin_s = time.monotonic()

    def restart(self, interval_s: float) -> None:
        """
        Play from the start again.

        :param interval_s: the least time between the last frame and the next.
        """
        self._begin_ns = max(self._now_ns(), self._last_ns + round(interval_s * 1e9))
        self._begin_s = time.monotonic()

    def stamp_ns(self, position_s: float) -> int:
        """Return the stamp of the frame at a position."""
        # Some files have positions that repeat or go back.
        self._last_ns = max(self._begin_ns + round(position_s * 1e9), self._last_ns + 1)
        return self._last_ns

    @property
    def media_time_s(self) -> float:
        """Return the time of the latest stamp, seconds after the first."""
        return (self._last_ns - self._first_ns) * 1e-9

    def remaining_s(self, position_s: float) -> float:
        """Return the seconds until the frame at a position is due."""
        return max(0.0, self._begin_s + position_s - time.monotonic())
