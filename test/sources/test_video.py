# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""OpenCV is asked for frames in the way that its backends and drivers need."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import os
import threading

import cv2
import numpy as np
import pytest
from udp_infer_ros.errors import DecodeError, SourceError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources import video
from udp_infer_ros.sources.reader import open_reader
from udp_infer_ros.sources.uri import SourceUri


class FakeCapture:
    """Stands in for cv2.VideoCapture, with a camera that has MJPG and 640 x 480 only."""

    values = {
        cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*'MJPG')),
        cv2.CAP_PROP_FRAME_WIDTH: 640.0, cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
        cv2.CAP_PROP_FPS: 25.0}

    def __init__(self):
        self.opened_with = []
        self.requested = []
        self.images = iter(())
        self.released = False

    def __call__(self, *arguments):
        """Open."""
        self.opened_with.append(arguments)
        return self

    def set(self, name, value):  # noqa: A003
        """Keep what is requested, in order."""
        self.requested.append(name)
        return True

    def get(self, name):
        """Return a property of the camera, whatever was requested."""
        return self.values.get(name, 0.0)

    def isOpened(self):  # noqa: N802
        """Return that it is open."""
        return True

    def getBackendName(self):  # noqa: N802
        """Return a backend."""
        return 'V4L2'

    def grab(self):
        """Return that there is a frame."""
        return True

    def retrieve(self):
        """Return the next image; None is a failure."""
        image = next(self.images, np.zeros((480, 640, 3), dtype=np.uint8))
        return image is not None, image

    def release(self):
        """Keep that it was released."""
        self.released = True


@pytest.fixture
def capture(monkeypatch):
    """Replace cv2.VideoCapture."""
    capture = FakeCapture()
    monkeypatch.setattr(video.cv2, 'VideoCapture', capture)
    return capture


def test_the_format_of_a_camera_is_requested_in_the_order_that_drivers_need(capture, caplog):
    reader = open_reader(SourceUri.parse('0'), SourceSettings(
        uri='0', fourcc='MJPG', width=1280, height=720, fps=25.0))
    assert capture.requested == [
        cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS]
    assert reader.description == '/dev/video0, MJPG, 640 x 480, 25 fps (V4L2)'
    assert 'source.width = 1280: the camera uses 640 instead' in caplog.text
    assert 'source.height = 720: the camera uses 480 instead' in caplog.text
    assert 'source.fourcc' not in caplog.text and 'source.fps' not in caplog.text


@pytest.mark.skipif(
    cv2.CAP_V4L2 not in cv2.videoio_registry.getBackends(), reason='this OpenCV has no V4L2')
def test_a_device_is_opened_with_v4l2(capture):
    open_reader(SourceUri.parse('0'), SourceSettings())
    assert capture.opened_with == [(0, cv2.CAP_V4L2)]


def test_rtsp_uses_tcp_unless_the_environment_says_otherwise(capture, monkeypatch):
    monkeypatch.setenv(video.FFMPEG_OPTIONS, '')
    monkeypatch.delenv(video.FFMPEG_OPTIONS)
    uri = SourceUri.parse('rtsp://camera')
    open_reader(uri, SourceSettings(stall_timeout_s=12.0))
    assert os.environ[video.FFMPEG_OPTIONS] == 'rtsp_transport;tcp'
    monkeypatch.setenv(video.FFMPEG_OPTIONS, 'rtsp_transport;udp')
    open_reader(uri, SourceSettings())
    assert os.environ[video.FFMPEG_OPTIONS] == 'rtsp_transport;udp'


def test_a_read_from_a_stream_ends_after_the_stall_timeout(capture):
    open_reader(SourceUri.parse('rtsp://camera'), SourceSettings(stall_timeout_s=12.0))
    assert capture.opened_with[0][2] == [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 13000]


def test_a_pipeline_is_refused_if_opencv_has_no_gstreamer(monkeypatch):
    monkeypatch.setattr(video.cv2.videoio_registry, 'getBackends', lambda: [cv2.CAP_FFMPEG])
    with pytest.raises(SourceError, match='this OpenCV was built without GStreamer'):
        open_reader(SourceUri.parse('videotestsrc ! appsink'), SourceSettings())


def test_the_frame_that_was_decoded_on_opening_is_the_first_to_be_grabbed(make_clip):
    path = make_clip(3)
    reader = open_reader(SourceUri.parse(str(path)), SourceSettings())
    assert reader.description.startswith(f'{path}, MJPG, 64 x 48, 20 fps (')
    assert reader.finite and reader.interval_s == pytest.approx(0.05)
    levels, positions = [], []
    while reader.grab():
        positions.append(reader.position_s)
        levels.append(round(float(reader.decode().mean()) / 8))
    reader.close()
    assert levels == [0, 1, 2]
    assert positions == pytest.approx([0.0, 0.05, 0.1], abs=1e-3)


def test_a_damaged_frame_is_an_error_and_the_next_one_may_be_valid(capture):
    gray = np.full((480, 640), 7, dtype=np.uint8)
    capture.images = iter([gray, None, np.empty((0, 0, 3), dtype=np.uint8), gray])
    reader = open_reader(SourceUri.parse('0'), SourceSettings())
    assert reader.grab() and reader.decode().shape == (480, 640, 3)
    for _ in range(2):
        assert reader.grab()
        with pytest.raises(DecodeError, match='/dev/video0.: cannot be decoded'):
            reader.decode()
    assert reader.grab() and (reader.decode() == 7).all()


def test_a_source_whose_first_frame_is_damaged_is_refused_and_released(capture):
    capture.images = iter([None])
    with pytest.raises(SourceError, match='the device has no frame that can be decoded'):
        open_reader(SourceUri.parse('0'), SourceSettings())
    assert capture.released


def test_a_video_without_a_frame_is_refused(make_clip):
    path = make_clip(0)
    with pytest.raises(SourceError) as caught:
        open_reader(SourceUri.parse(str(path)), SourceSettings())
    assert str(caught.value).startswith(f"source.uri = '{path}': the file ")


def jpeg(width=64, height=48, seed=0):
    """Return a JPEG of noise, which a truncated one differs from visibly."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode('.jpg', pixels)[1].tobytes()


class MjpegServer:
    """Serves a list of JPEGs, once per connection, as multipart/x-mixed-replace."""

    def __init__(self, pictures):
        class Handler(BaseHTTPRequestHandler):

            def do_GET(self):  # noqa: N802
                self.send_response(200)
                self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=b')
                self.end_headers()
                for picture in pictures:
                    self.wfile.write(
                        b'--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n'
                        % len(picture) + picture + b'\r\n')

            def log_message(self, *arguments):
                """Write no log."""

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}/video.mjpg'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


def read_all(url):
    """Return each frame of a stream, or the error in its place."""
    reader = open_reader(SourceUri.parse(url), SourceSettings())
    frames = []
    while reader.grab():
        try:
            frames.append(reader.decode())
        except DecodeError as error:
            frames.append(error)
    reader.close()
    return frames


def test_truncated_pictures_of_an_mjpeg_stream_are_decode_errors():
    whole, cut = jpeg(seed=1), jpeg(seed=2)[:2000]
    with MjpegServer([whole, cut, cut + b'\xff\xd9'[:1], whole, whole]) as server:
        frames = read_all(server.url)
    assert [isinstance(frame, DecodeError) for frame in frames] == [
        False, True, True, False, False]
    assert 'the end of the JPEG is missing' in str(frames[1])
    assert (frames[3] == frames[0]).all(), 'and nothing of the truncated one remains'


def test_a_change_of_size_within_an_mjpeg_stream_is_followed_and_logged(caplog):
    caplog.set_level('INFO')
    with MjpegServer([jpeg(), jpeg(), jpeg(160, 120), jpeg(160, 120)]) as server:
        frames = read_all(server.url)
    assert [frame.shape for frame in frames] == [
        (48, 64, 3), (48, 64, 3), (120, 160, 3), (120, 160, 3)]
    [text] = [text for text in caplog.messages if 'the size of the images changed' in text]
    assert text.endswith('from 64 x 48 to 160 x 120')


def test_an_mjpeg_stream_without_huffman_tables_is_decoded_by_ffmpeg():
    picture = jpeg(seed=3)
    start = picture.index(b'\xff\xc4')
    while picture[start:start + 2] == b'\xff\xc4':
        picture = picture[:start] + picture[
            start + 2 + int.from_bytes(picture[start + 2:start + 4], 'big'):]
    with MjpegServer([picture] * 4) as server:
        frames = read_all(server.url)
    assert [getattr(frame, 'shape', None) for frame in frames] == [(48, 64, 3)] * 4


def test_an_unknown_scheme_is_named_with_the_nearest_known_one():
    with pytest.raises(SourceError) as caught:
        open_reader(SourceUri.parse('rtps://127.0.0.1:9/1'), SourceSettings())
    assert str(caught.value).endswith('rtps:// is not a known scheme; did you mean rtsps://?')
