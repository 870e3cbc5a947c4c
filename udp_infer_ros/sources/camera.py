# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The thread that fills the slot from a device, a file or a stream."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
import logging
import threading
import time

from udp_infer_ros.errors import SourceError
from udp_infer_ros.frame import Frame
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.live import LiveWatch
from udp_infer_ros.sources.pace import Freshness, Pace
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.sources.video import Captured, open_reader, play_file
from udp_infer_ros.stats import Drop, Stats

log = logging.getLogger(__name__)


def waits(settings: SourceSettings) -> bool:
    """Tell whether the source waits for the worker (every frame) or not (the newest)."""
    if settings.policy == 'auto':
        a_file = bool(settings.uri) and not SourceUri.parse(settings.uri).live
        return a_file and not settings.realtime
    return settings.policy == 'every'


class CaptureSource:
    """
    Reads `source.uri` in a thread of its own.

    :param settings: `source.*`, with a uri.
    :param slot: where the frames go. It is closed at the end of a file.
    :param stats: numbers the frames.
    :param now_ns: the clock of the stamps.
    :raises SourceError: if the source does not open or has no frame.
    """

    def __init__(
        self, settings: SourceSettings, slot: FrameSlot, stats: Stats, now_ns: Callable[[], int],
    ) -> None:
        uri = SourceUri.parse(settings.uri)
        self._name = uri.shown
        self._frame_id = settings.frame_id
        self._slot = slot
        self._stats = stats
        self._now_ns = now_ns
        self._stop = threading.Event()
        self._pace = Pace(settings.max_fps)
        self._freshness = Freshness(settings.max_age_s if uri.live else 0.0, now_ns)
        self._live: LiveWatch | None = None
        if uri.live:
            self._live = LiveWatch(uri, settings, self._hand_over_now, stats, now_ns)
        else:
            reopen = partial(open_reader, uri, settings)
            reader = reopen()
            self._file_description = reader.description
            self._play = partial(
                play_file, reader, reopen, loop=settings.loop,
                realtime=settings.realtime or settings.policy == 'latest')
        self._thread = threading.Thread(target=self._run, name='udp_infer capture', daemon=True)

    @property
    def description(self) -> str:
        """Say what is open."""
        return self._live.description if self._live else self._file_description

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """
        End reading and close the slot.

        :return: whether the threads ended within the time given; a driver may hang.
        """
        deadline_s = time.monotonic() + timeout_s
        self._stop.set()
        self._slot.close()
        if self._live is not None:
            self._live.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        left_s = max(0.0, deadline_s - time.monotonic())
        return not self._thread.is_alive() and (
            self._live is None or self._live.join(left_s))

    def _run(self) -> None:
        try:
            if self._live is not None:
                self._live.run()
            else:
                self._run_file()
        except SourceError as error:
            self._stats.trouble(str(error))
            log.error('%s', error)
        except Exception:
            log.exception('reading %s failed', self._name)
        finally:
            self._slot.close()

    def _run_file(self) -> None:
        with closing(self._play(now_ns=self._now_ns, stop=self._stop)) as captures:
            for captured in captures:
                if not self._hand_over(captured, captured.stamp_ns * 1e-9):
                    break

    def _hand_over_now(self, captured: Captured) -> bool:
        return self._hand_over(captured, time.monotonic())

    def _hand_over(self, captured: Captured, time_s: float) -> bool:
        index = self._stats.offer()
        if captured.image is None:
            self._stats.drop(Drop.DECODE_ERROR)
            return True
        if not self._pace.admits(time_s):
            self._stats.drop(Drop.MAX_FPS)
            return True
        frame = Frame.of(
            captured.image, index=index, stamp_ns=captured.stamp_ns, frame_id=self._frame_id,
            source=self._name, born_s=time.monotonic())

        def turn() -> Frame:
            self._freshness.check(frame.info.stamp_ns)
            return frame
        return self._slot.put(turn)
