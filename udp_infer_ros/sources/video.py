# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames out of a device, a file, a folder of images or a stream."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from glob import glob
import logging
import os
from pathlib import Path
import re
import threading
import time
from typing import Protocol

import cv2
import numpy as np
from udp_infer_ros.errors import DecodeError, SourceError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.picture import decode_picture
from udp_infer_ros.sources.uri import SourceUri

OPEN_TIMEOUT_S = 10.0
"""How long a server may take to answer, and a stream to its first key frame."""
OPENCV_LOG_FATAL = 1
FFMPEG_OPTIONS = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'
FFMPEG_LOG_LEVEL = 'OPENCV_FFMPEG_LOGLEVEL'
FFMPEG_LOG_QUIET = '-8'
IMAGE_SUFFIXES = {
    '.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'}
IMAGES_PER_S = 30.0
_REMEDIES = {
    'device': 'is it plugged in, free, and readable by this user?',
    'file': 'is it a video that OpenCV can read?',
    'stream': 'is the server up and the address right?',
    'pipeline': 'does gst-launch-1.0 play it, with fakesink for appsink?'}

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Captured:
    """An image and when it was taken."""

    image: BgrImage | None
    """None: there was a frame, but it could not be decoded."""
    stamp_ns: int


class Reader(Protocol):
    """What gives one frame after the other."""

    shown: str
    """Its name, without a password."""
    description: str

    def grab(self) -> bool:
        """Move to the next frame; False at the end or when the source is gone."""

    def decode(self) -> BgrImage | None:
        """Decode the frame that was grabbed, as (height, width, 3) BGR; None if it cannot be."""

    def first(self) -> BgrImage | None:
        """Take the frame that was decoded on opening; None if it has been taken."""

    @property
    def position_s(self) -> float:
        """Tell when in a file the grabbed frame is, seconds from its begin."""

    @property
    def interval_s(self) -> float:
        """Tell the nominal time between two frames, seconds; 0 if the source does not say."""

    @property
    def finite(self) -> bool:
        """Tell whether it has an end that is known."""

    def close(self) -> None:
        """Let the device or file go."""


def open_reader(uri: SourceUri, settings: SourceSettings) -> Reader:
    """
    Open a source.

    :raises SourceError: if it does not open or its first frame cannot be decoded.
    """
    return ImageReader(uri, settings) if uri.kind == 'images' else VideoReader(uri, settings)


class VideoReader:
    """
    OpenCV's reader, with errors instead of flags.

    :param uri: what to open.
    :param settings: what to ask of a camera, how long to wait for a stream.
    :raises SourceError: if it does not open or its first frame cannot be decoded.
    """

    def __init__(self, uri: SourceUri, settings: SourceSettings) -> None:
        _quiet_opencv()
        self.shown = uri.shown
        self._capture = _capture(uri, settings)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                'source.uri', uri.shown, f'the {uri.kind} does not open', _REMEDIES[uri.kind])
        if uri.kind == 'device':
            _set_up_camera(self._capture, settings)
        if not self.grab() or (first := self.decode()) is None:
            self.close()
            raise SourceError(
                'source.uri', uri.shown, f'the {uri.kind} has no frame that can be decoded',
                'try it with another player')
        height, width = first.shape[:2]
        fourcc = f'{_fourcc(self._capture)}, ' if uri.kind == 'device' else ''
        self.description = (
            f'{uri.shown}, {fourcc}{width} x {height}, '
            f'{self._capture.get(cv2.CAP_PROP_FPS):g} fps ({self._capture.getBackendName()})')
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

    @property
    def finite(self) -> bool:
        """Tell whether it has an end that is known."""
        return self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0.0

    def close(self) -> None:
        """Let the device or file go."""
        self._capture.release()


class ImageReader:
    """
    The images of a folder or of a glob, by name, numbers in it by their value.

    :param uri: of kind images.
    :param settings: `source.fps`, how many of them are a second.
    :raises SourceError: if there is none, or the first cannot be decoded.
    """

    def __init__(self, uri: SourceUri, settings: SourceSettings) -> None:
        target = str(uri.target)
        names = glob(target, recursive=True) if not Path(target).is_dir() else [
            entry.path for entry in os.scandir(target)]
        self._paths = sorted(filter(_is_image, names), key=_by_number)
        if not self._paths:
            raise SourceError(
                'source.uri', uri.shown, 'there is no image',
                f'they end in {", ".join(sorted(IMAGE_SUFFIXES))}')
        self.shown = uri.shown
        self.interval_s = 1.0 / (settings.fps or IMAGES_PER_S)
        self._at = 0
        self._first = self.decode()
        if self._first is None:
            raise SourceError(
                'source.uri', self._paths[0], 'cannot be decoded', 'is it an image?')
        height, width = self._first.shape[:2]
        self.description = f'{uri.shown}, {len(self._paths)} images, {width} x {height}'

    def grab(self) -> bool:
        """Move to the next image; False at the end."""
        self._at += 1
        return self._at < len(self._paths)

    def decode(self) -> BgrImage | None:
        """Decode the image, as (height, width, 3) BGR; None if it cannot be."""
        try:
            return decode_picture(Path(self._paths[self._at]).read_bytes(), 'image')
        except (OSError, DecodeError) as error:
            log.warning('%s: %s', self._paths[self._at], error)
            return None

    def first(self) -> BgrImage | None:
        """Take the image that was decoded on opening; None if it has been taken."""
        image, self._first = self._first, None
        return image

    @property
    def position_s(self) -> float:
        """Tell when the image is, seconds after the first."""
        return self._at * self.interval_s

    @property
    def finite(self) -> bool:
        """Tell that it has an end."""
        return True

    def close(self) -> None:
        """Do nothing; no file is open."""


def play_file(
    reader: Reader, reopen: Callable[[], Reader], *, loop: bool, realtime: bool,
    now_ns: Callable[[], int], stop: threading.Event,
) -> Generator[Captured, None, None]:
    """
    Give every frame of a file.

    A frame is stamped with the time at which the file was opened plus its position in the file,
    so that the time between frames is that of the video, however fast the model is.

    :param reopen: gives a new reader of the same file.
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
                    log.info('end of %s after %d frames', reader.shown, count)
                    return
                interval_ns = round(reader.interval_s * 1e9)
                reader.close()
                reader = reopen()
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


def _capture(uri: SourceUri, settings: SourceSettings) -> cv2.VideoCapture:
    """Open what OpenCV opens, with the backend that is meant for it."""
    backends = cv2.videoio_registry.getBackends()
    if uri.kind == 'pipeline':
        if cv2.CAP_GSTREAMER not in backends:
            raise SourceError(
                'source.uri', uri.shown, 'is a GStreamer pipeline, and this OpenCV was built '
                'without GStreamer', 'use the python3-opencv of the system, or an address')
        return cv2.VideoCapture(uri.target, cv2.CAP_GSTREAMER)
    if uri.kind == 'device' and cv2.CAP_V4L2 in backends:
        return cv2.VideoCapture(uri.target, cv2.CAP_V4L2)
    if uri.kind == 'stream' and cv2.CAP_FFMPEG in backends:
        # Read at every opening. UDP is what cameras offer first, and it loses packets.
        os.environ.setdefault(FFMPEG_OPTIONS, 'rtsp_transport;tcp')
        # The watch over the age of the last frame is first; this ends the read that it left.
        read_timeout_s = max(settings.stall_timeout_s + 1.0, OPEN_TIMEOUT_S)
        return cv2.VideoCapture(uri.target, cv2.CAP_FFMPEG, [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPEN_TIMEOUT_S * 1e3),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(read_timeout_s * 1e3)])
    return cv2.VideoCapture(uri.target)


def _set_up_camera(capture: cv2.VideoCapture, settings: SourceSettings) -> None:
    """
    Ask a camera for a format, and say what it took instead.

    The pixel format comes first, because the sizes depend on it, and the rates on the size.
    """
    if settings.fourcc:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.fourcc))
    if settings.width:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
    if settings.fps:
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
    # What set() answers is no proof; drivers take the nearest that they have.
    size = (
        round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    for name, wanted, got in (
            ('source.fourcc', settings.fourcc, _fourcc(capture)),
            ('source.width', settings.width, size[0]),
            ('source.height', settings.height, size[1]),
            ('source.fps', settings.fps, round(capture.get(cv2.CAP_PROP_FPS), 3))):
        if wanted and wanted != got:
            log.warning('%s = %s: the camera gives %s instead', name, wanted, got)


def _fourcc(capture: cv2.VideoCapture) -> str:
    code = round(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    letters = code.to_bytes(4, 'little').decode('latin-1')
    return letters if letters.isprintable() else f'0x{code:08x}'


def _is_image(path: str) -> bool:
    return Path(path).suffix.lower() in IMAGE_SUFFIXES and os.path.isfile(path)


def _by_number(path: str) -> tuple[tuple[int, str], ...]:
    """Give a key by which frame_10 comes after frame_9."""
    return tuple(
        (int(part), '') if part.isdecimal() else (-1, part)
        for part in re.split(r'(\d+)', path))


def _quiet_opencv() -> None:
    """Keep OpenCV from printing what the errors of this module say better."""
    # OpenCV 5 moved the function.
    set_level = getattr(cv2, 'setLogLevel', None) or cv2.utils.logging.setLogLevel
    set_level(OPENCV_LOG_FATAL)
    # FFmpeg writes to stderr itself, at every try, and nobody knows when with the whole address.
    os.environ.setdefault(FFMPEG_LOG_LEVEL, FFMPEG_LOG_QUIET)
