# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames from a camera, a stream or a GStreamer pipeline."""

from __future__ import annotations

from collections.abc import Callable
import time

from udp_infer_ros.health import PartHealth
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.sources.reader import open_reader, OpenReader
from udp_infer_ros.sources.reconnect import BackOff, OPEN_LIMIT_S, Reconnector
from udp_infer_ros.sources.report import NOT_STARTED
from udp_infer_ros.sources.source_thread import SourceThread
from udp_infer_ros.sources.uri import SourceUri


class CameraSource:
    """
    Reads a live source, and reopens it when it is lost.

    The caller's thread owns the attributes; Reconnector is safe to use from several threads.

    :param uri: of a live kind.
    :param settings: `source.*`.
    :param now_ns: the clock of the stamps, nanoseconds.
    :param open_reader: as for Reconnector, like `open_limit_s` and `back_off`.
    """

    live = True

    def __init__(
        self, uri: SourceUri, settings: SourceSettings, now_ns: Callable[[], int], *,
        open_reader: OpenReader = open_reader, open_limit_s: float = OPEN_LIMIT_S,
        back_off: BackOff = BackOff(),
    ) -> None:
        self.every_frame = settings.policy == 'every'
        self._settings = settings
        self._reconnector = Reconnector(
            uri, settings, now_ns, open_reader=open_reader, open_limit_s=open_limit_s,
            back_off=back_off)
        self._thread: SourceThread | None = None

    @property
    def description(self) -> str:
        """Return the name of the source, with its format while it is open."""
        return self._reconnector.description

    def open(self) -> None:  # noqa: A003
        """
        Open the source. With `source.wait_for_source`, do nothing; the thread opens it later.

        :raises SourceError: if it does not open, or `stop` was called meanwhile.
        """
        if not self._settings.wait_for_source:
            self._reconnector.open()

    def start(self, intake: Intake) -> None:
        """Start the thread that offers frames."""
        self._thread = SourceThread(self._reconnector.run, intake)
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Stop offering frames, close the intake and the source; return whether that succeeded."""
        deadline_s = time.monotonic() + timeout_s
        self._reconnector.stop()
        ended = self._thread is None or self._thread.stop(timeout_s)
        return self._reconnector.join(max(0.0, deadline_s - time.monotonic())) and ended

    def poll(self) -> None:
        """Do nothing; the threads check the source."""

    def health(self) -> PartHealth:
        """Return the state since the previous call, as part `source`."""
        if self._thread is None:
            return NOT_STARTED
        silent_s = self._reconnector.silent_s
        fault = None if silent_s < self._settings.stall_timeout_s else (
            f'no image for {silent_s:.0f} s on {self.description}; reopening it until frames '
            'arrive')
        return self._thread.health(self.description, fault)
