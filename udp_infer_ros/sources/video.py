# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames from a device, a video file or a stream, read by OpenCV."""

from __future__ import annotations

from difflib import get_close_matches
import logging
import os
from pathlib import Path

import cv2
import numpy as np
from udp_infer_ros.errors import DecodeError, SourceError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.picture import decode_picture
from udp_infer_ros.sources.quiet import silence_opencv
from udp_infer_ros.sources.uri import SourceUri

OPEN_TIMEOUT_S = 10.0
"""Timeout for the answer of a server, and for the first key frame of a stream."""
SCHEMES = ('rtsp', 'rtsps', 'http', 'https', 'tcp', 'udp', 'rtp', 'rtmp', 'rtmps', 'srt')
"""Schemes of streams that are named in errors; FFmpeg opens others too."""
FFMPEG_OPTIONS = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'
_REMEDIES = {
    'device': 'check that it is plugged in, not in use, and readable by this user',
    'file': 'check that it is a video that OpenCV can read',
    'stream': 'check the address, and that the server runs',
    'pipeline': 'check that gst-launch-1.0 plays it, with fakesink instead of appsink'}

log = logging.getLogger(__name__)
silence_opencv()


class VideoReader:
    """
    A cv2.VideoCapture that raises errors instead of returning flags.

    :param uri: of a kind other than images.
    :param settings: the format to request from a camera, and the timeout of a stream.
    :raises SourceError: if it does not open, or its first frame cannot be decoded.
    """

    def __init__(self, uri: SourceUri, settings: SourceSettings) -> None:
        self._uri = uri
        self._capture = _open_capture(uri, settings)
        if uri.kind == 'device':
            _configure_camera(self._capture, settings)
        self._is_undecoded = uri.kind == 'stream' and _request_undecoded(self._capture)
        log.debug(
            '%s: backend %s%s', uri.redacted, self._capture.getBackendName(),
            ', undecoded pictures' if self._is_undecoded else '')
        first = self._read_first(settings)
        self._size = first.shape[:2]
        self._first: BgrImage | None = first
        self._first_is_due = True
        height, width = first.shape[:2]
        self.description = (
            f'{uri.redacted}, {_fourcc(self._capture)}, {width} x {height}, '
            f'{self._capture.get(cv2.CAP_PROP_FPS):g} fps ({self._capture.getBackendName()})')

    def grab(self) -> bool:
        """Move to the next frame; return False at the end or if the source is lost."""
        if self._first_is_due:
            self._first_is_due = False
            return True
        self._first = None
        return self._capture.grab()

    def decode(self) -> BgrImage:
        """
        Decode the grabbed frame, as (height, width, 3) uint8, BGR.

        :raises DecodeError: if it is damaged; the next one may be valid.
        """
        if self._first is not None:
            return self._first
        image = self._retrieve()
        size = image.shape[:2]
        if size != self._size:
            log.info(
                '%s: the size of the images changed from %d x %d to %d x %d',
                self._uri.redacted, *self._size[::-1], *size[::-1])
            self._size = size
        return image

    @property
    def position_s(self) -> float:
        """Return the position of the grabbed frame in a file, seconds from the start."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3

    @property
    def interval_s(self) -> float:
        """Return the nominal time between two frames, seconds; 0 if unknown."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return 1.0 / fps if 0.1 <= fps <= 1000.0 else 0.0

    @property
    def finite(self) -> bool:
        """Return whether the number of frames is known."""
        return self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0.0

    def close(self) -> None:
        """Release the device or file."""
        self._capture.release()

    def _read_first(self, settings: SourceSettings) -> BgrImage:
        try:
            if self._capture.grab():
                return self._retrieve()
            raise DecodeError('frame', self._uri.redacted, 'is missing')
        except DecodeError as error:
            self.close()
            if self._is_undecoded:
                # Some cameras omit the standard Huffman tables, which only FFmpeg adds.
                log.debug('%s: pictures without Huffman tables', self._uri.redacted)
                self._is_undecoded = False
                self._capture = _open_capture(self._uri, settings)
                return self._read_first(settings)
            raise SourceError(
                'source.uri', self._uri.redacted,
                f'the {self._uri.kind} has no frame that can be decoded',
                'try it with another player') from error

    def _retrieve(self) -> BgrImage:
        ok, image = self._capture.retrieve()
        if not ok or image is None or not image.size:
            raise DecodeError('frame', self._uri.redacted, 'cannot be decoded')
        if self._is_undecoded:
            return decode_picture(image.tobytes(), self._uri.redacted)
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return np.asarray(image, dtype=np.uint8)


def _open_capture(uri: SourceUri, settings: SourceSettings) -> cv2.VideoCapture:
    """
    Open a device, file, stream or pipeline.

    :raises SourceError: if it does not open.
    """
    capture = _create_capture(uri, settings)
    if not capture.isOpened():
        capture.release()
        if uri.kind == 'device' and not Path(uri.redacted).exists():
            raise SourceError('source.uri', uri.redacted, 'no such device', cameras())
        raise SourceError(
            'source.uri', uri.redacted, f'the {uri.kind} does not open', _remedy(uri))
    return capture


def cameras(folder: Path = Path('/dev')) -> str:
    """Return which cameras exist, as a sentence."""
    found = sorted(folder.glob('video*'), key=lambda path: (len(path.name), path.name))
    return f'the devices are {", ".join(map(str, found))}' if found else (
        f'there is no {folder}/video*, so check that the camera is plugged in')


def _remedy(uri: SourceUri) -> str:
    scheme = uri.redacted.partition('://')[0].lower()
    if uri.kind == 'stream' and scheme not in SCHEMES:
        near = get_close_matches(scheme, SCHEMES, n=1, cutoff=0.0)[0]
        return f'{scheme}:// is not a known scheme; did you mean {near}://?'
    return _REMEDIES[uri.kind]


def _request_undecoded(capture: cv2.VideoCapture) -> bool:
    """
    Request the undecoded pictures of an MJPEG stream.

    By default, FFmpeg decodes every frame on arrival and completes truncated pictures from the
    previous one, and OpenCV scales all pictures to the size of the first. `decode_picture` decodes
    on demand, rejects truncated pictures and keeps the size.

    :return: whether the stream delivers undecoded pictures.
    """
    return (
        _fourcc(capture) == 'MJPG' and capture.getBackendName() == 'FFMPEG'
        and bool(capture.set(cv2.CAP_PROP_FORMAT, -1)))


def _create_capture(uri: SourceUri, settings: SourceSettings) -> cv2.VideoCapture:
    """Create a capture with the OpenCV backend for the kind of source, if it is available."""
    backends = cv2.videoio_registry.getBackends()
    if uri.kind == 'pipeline':
        if cv2.CAP_GSTREAMER not in backends:
            raise SourceError(
                'source.uri', uri.redacted, 'is a GStreamer pipeline, and this OpenCV was built '
                'without GStreamer', 'use the python3-opencv of the system, or a URL')
        return cv2.VideoCapture(uri.target, cv2.CAP_GSTREAMER)
    if uri.kind == 'device' and cv2.CAP_V4L2 in backends:
        return cv2.VideoCapture(uri.target, cv2.CAP_V4L2)
    if uri.kind == 'stream' and cv2.CAP_FFMPEG in backends:
        # OpenCV reads it at every opening. The default of RTSP is UDP, which loses packets.
        os.environ.setdefault(FFMPEG_OPTIONS, 'rtsp_transport;tcp')
        # Longer than the stall timeout, after which the read is abandoned; this ends that read.
        read_timeout_s = max(settings.stall_timeout_s + 1.0, OPEN_TIMEOUT_S)
        return cv2.VideoCapture(uri.target, cv2.CAP_FFMPEG, [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPEN_TIMEOUT_S * 1e3),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(read_timeout_s * 1e3)])
    return cv2.VideoCapture(uri.target)


def _configure_camera(capture: cv2.VideoCapture, settings: SourceSettings) -> None:
    """
    Request a format from a camera, and warn about values that the camera does not use.

    The pixel format is set first, because the sizes depend on it, and the rates on the size.
    """
    if settings.fourcc:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.fourcc))
    if settings.width:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
    if settings.fps:
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
    # set() also succeeds if the driver chooses another value, so read the values back.
    for name, requested, actual in (
            ('source.fourcc', settings.fourcc, _fourcc(capture)),
            ('source.width', settings.width, round(capture.get(cv2.CAP_PROP_FRAME_WIDTH))),
            ('source.height', settings.height, round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))),
            ('source.fps', settings.fps, round(capture.get(cv2.CAP_PROP_FPS), 3))):
        if requested and requested != actual:
            log.warning('%s = %s: the camera uses %s instead', name, requested, actual)


def _fourcc(capture: cv2.VideoCapture) -> str:
    """Return the pixel format or codec as four letters, in hexadecimal if they are not."""
    code = round(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    letters = code.to_bytes(4, 'little').decode('latin-1')
    return letters if letters.isprintable() else f'0x{code:08x}'
