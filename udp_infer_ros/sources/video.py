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

"""Frames out of a device, a file or a stream, by OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
import logging
import threading
import time

import cv2
import numpy as np
from udp_infer_ros.errors import SourceError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.sources.uri import SourceUri

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0
"""A lost camera is tried again after 0.5 s, 1 s, 2 s … 10 s, for ever."""
OPENCV_LOG_FATAL = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Captured:
    """An image and when it was taken."""

    image: BgrImage | None
    """None: there was a frame, but it could not be decoded."""
    stamp_ns: int


class VideoReader:
    """
    OpenCV's reader, with errors instead of flags.

    :param uri: what to open.
    :raises SourceError: if it does not open or its first frame cannot be decoded.
    """

    def __init__(self, uri: SourceUri) -> None:
        _quiet_opencv()
        self.uri = uri
        self._capture = cv2.VideoCapture(uri.target)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError('source.uri', uri.shown, f'the {uri.kind} does not open', {
                'device': 'is it plugged in, free, and readable by this user?',
                'file': 'is it a video that OpenCV can read?',
                'stream': 'is the server up and the address right?'}[uri.kind])
        if not self.grab() or (first := self.decode()) is None:
            self.close()
            raise SourceError(
                'source.uri', uri.shown, f'the {uri.kind} has no frame that can be decoded',
                'try it with another player')
        height, width = first.shape[:2]
        self.description = (
            f'{uri.shown}, {width} x {height}, {self._capture.get(cv2.CAP_PROP_FPS):g} fps '
            f'({self._capture.getBackendName()})')
        self._first: BgrImage | None = first

    def grab(self) -> bool:
        """Move to the next frame; False at the end or when the source is gone."""
        return self._capture.grab()

    def decode(self) -> BgrImage | None:
        """Decode the frame that was grabbed, as (height, width, 3) BGR; None if it cannot be."""
        ok, image = self._capture.retrieve()
        if not ok or image is None or not image.size:
            return None
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return np.asarray(image, dtype=np.uint8)

    def first(self) -> BgrImage | None:
        """Take the frame that was decoded on opening; None if it has been taken."""
        image, self._first = self._first, None
        return image

    @property
    def position_s(self) -> float:
        """Tell when in a file the grabbed frame is, seconds from its begin."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3

    @property
    def interval_s(self) -> float:
        """Tell the nominal time between two frames, seconds; 0 if the source does not say."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return 1.0 / fps if 0.1 <= fps <= 1000.0 else 0.0

    def close(self) -> None:
        """Let the device or file go."""
        self._capture.release()


def play_file(
    reader: VideoReader, *, loop: bool, realtime: bool, now_ns: Callable[[], int],
    stop: threading.Event,
) -> Generator[Captured, None, None]:
    """
    Give every frame of a file.

    A frame is stamped with the time at which the file was opened plus its position in the file,
    so that the time between frames is that of the video, however fast the model is.

    :param loop: start again at the end, with stamps that go on.
    :param realtime: give each frame when its time has come.
    :param now_ns: the clock of the stamps.
    :param stop: set by another thread to end it early.
    """
    begin_ns, begin_s = now_ns(), time.monotonic()
    last_ns = begin_ns - 1
    count = 0
    try:
        while not stop.is_set():
            image = reader.first()
            if image is None and not reader.grab():
                if not loop:
                    log.info('end of %s after %d frames', reader.uri.shown, count)
                    return
                interval_ns = round(reader.interval_s * 1e9)
                reader.close()
                reader = VideoReader(reader.uri)
                begin_ns, begin_s = max(now_ns(), last_ns + interval_ns), time.monotonic()
                continue
            # Files with broken time stamps exist; time must still go forward.
            position_ns = round(max(reader.position_s, 0.0) * 1e9)
            last_ns = max(begin_ns + position_ns, last_ns + 1)
            count += 1
            if realtime:
                stop.wait(max(0.0, begin_s + position_ns / 1e9 - time.monotonic()))
            yield Captured(reader.decode() if image is None else image, last_ns)
    finally:
        reader.close()


def watch_camera(
    reader: VideoReader, *, now_ns: Callable[[], int], stop: threading.Event,
) -> Generator[Captured, None, None]:
    """
    Give the frames of a device or stream, for ever; a lost one is opened again.

    A frame is stamped when it is grabbed, before it is decoded.

    :param now_ns: the clock of the stamps.
    :param stop: set by another thread to end it.
    """
    try:
        # The first frame only proved that the camera works; it is old by now.
        reader.first()
        while not stop.is_set():
            if reader.grab():
                stamp_ns = now_ns()
                yield Captured(reader.decode(), stamp_ns)
                continue
            log.warning('%s stopped giving frames, opening it again', reader.uri.shown)
            reader.close()
            again = _reopen(reader.uri, stop)
            if again is None:
                return
            reader = again
            reader.first()
    finally:
        reader.close()


def _quiet_opencv() -> None:
    """Keep OpenCV from printing what the errors of this module say better."""
    # OpenCV 5 moved the function.
    set_level = getattr(cv2, 'setLogLevel', None) or cv2.utils.logging.setLogLevel
    set_level(OPENCV_LOG_FATAL)


def _reopen(uri: SourceUri, stop: threading.Event) -> VideoReader | None:
    delay_s = FIRST_RETRY_S
    while not stop.wait(delay_s):
        try:
            reader = VideoReader(uri)
        except SourceError as error:
            delay_s = min(delay_s * 2.0, LONGEST_RETRY_S)
            log.warning('%s; next try in %.1f s', error, delay_s)
            continue
        log.info('%s is back', uri.shown)
        return reader
    return None
