# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A camera or stream may fail, freeze, be late and come back; no old frame is shown as new."""

import threading
import time

import cv2
import numpy as np
import pytest
from udp_infer_ros.errors import SourceError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources import live, video
from udp_infer_ros.sources.capture import CaptureSource
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.sources.video import open_reader
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(60)
PERIOD_S = 0.02


class Camera:
    """A camera whose every frame has another brightness, and which can be made to fail."""

    shown = 'rtsp://camera'
    description = 'a camera'
    interval_s = PERIOD_S
    position_s = 0.0
    finite = False

    def __init__(self):
        self.present = True
        self.frozen = threading.Event()
        self.thaw = threading.Event()
        self.backlog = 0
        self.count = 0
        self.decodes = True
        self.open_readers = 0
        self.opened = 0

    def open(self, uri, settings):  # noqa: A003
        """Stand for open_reader."""
        if not self.present:
            raise SourceError('source.uri', self.shown, 'the stream does not open')
        self.open_readers += 1
        self.opened += 1
        return self

    def grab(self):
        """Wait for the next frame, or for ever."""
        if self.frozen.is_set():
            assert self.thaw.wait(30.0)
        if self.backlog:
            self.backlog -= 1
        else:
            time.sleep(PERIOD_S)
        self.count += 1
        return self.present

    def decode(self):
        """Give the frame, which bears its number."""
        return np.full((4, 4, 3), self.count % 256, dtype=np.uint8) if self.decodes else None

    def first(self):
        """Give nothing: nobody asks for it."""

    def close(self):
        """Count the readers that are open."""
        self.open_readers -= 1


@pytest.fixture
def camera(monkeypatch):
    made = Camera()
    monkeypatch.setattr(live, 'open_reader', made.open)
    monkeypatch.setattr(live, 'FIRST_RETRY_S', 0.05)
    yield made
    made.thaw.set()


class Watched:
    """A source with the numbers of the frames that it has delivered."""

    def __init__(self, uri='rtsp://camera', **settings):
        self.stats = Stats()
        self.slot = FrameSlot(self.stats)
        self.seen = []
        self.source = CaptureSource(
            SourceSettings(uri=uri, **settings), self.slot, self.stats, time.time_ns)
        self.source.start()
        self.worker = threading.Thread(target=self._work)
        self.worker.start()

    def _work(self):
        while (pending := self.slot.take()) is not None:
            self.seen.append(int(pending().image[0, 0, 0]))

    def wait_for_frames(self, count=5):
        """Wait until so many more frames have come."""
        wanted = len(self.seen) + count
        wait_until(lambda: len(self.seen) >= wanted)

    def stop(self):
        """End it; tell whether no thread was left behind."""
        ended = self.source.stop()
        self.worker.join(5.0)
        return ended


def wait_until(condition, timeout_s=15.0):
    """Wait until something holds, or fail."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def threads_of_readers():
    """Count the threads that read, hung ones too."""
    return sum(thread.name == 'udp_infer reader' for thread in threading.enumerate())


def test_a_camera_that_fails_is_opened_again_and_counted(camera, caplog):
    caplog.set_level('INFO')
    watched = Watched()
    watched.wait_for_frames()
    for _ in range(3):
        camera.present = False
        wait_until(lambda: not camera.open_readers)
        count = len(watched.seen)
        time.sleep(0.2)
        assert len(watched.seen) == count, 'no black or repeated frame while it is away'
        camera.present = True
        watched.wait_for_frames()
    wait_until(lambda: watched.stats.snapshot().reconnects == 3)
    told = watched.stats.snapshot()
    assert told.reconnects == 3 and told.stalls == 0
    assert "source.uri = 'rtsp://camera'" in told.last_error
    assert len(set(watched.seen)) == len(watched.seen)
    assert watched.stop() and not camera.open_readers and not threads_of_readers()
    assert caplog.text.count('rtsp://camera is back after') == 3


def test_a_read_that_hangs_is_left_behind_and_its_late_frame_is_not_shown(camera):
    watched = Watched(stall_timeout_s=0.3)
    watched.wait_for_frames()
    camera.frozen.set()
    wait_until(lambda: watched.stats.snapshot().stalls == 1)
    camera.frozen.clear()
    watched.wait_for_frames()
    wait_until(lambda: watched.stats.snapshot().reconnects == 1)
    assert threads_of_readers() == 2, 'the old one still hangs'
    number = camera.count
    # The late frame is brighter than any other, so that it would be found.
    camera.count = 10_000 - number % 256
    camera.thaw.set()
    wait_until(lambda: threads_of_readers() == 1)
    watched.wait_for_frames()
    assert camera.open_readers == 1
    assert watched.stop()


def test_an_abandoned_reading_delivers_nothing_even_if_the_frame_is_on_its_way(camera):
    delivered = []
    camera.frozen.set()
    reading = live.Reading(
        lambda: camera, lambda captured: bool(delivered.append(captured)), time.time_ns,
        threading.Event())
    reading.begin()
    time.sleep(0.1)
    reading.abandon()
    camera.thaw.set()
    reading.join(5.0)
    assert reading.ended and not delivered


def test_threads_do_not_grow_while_the_driver_hangs_again_and_again(camera, monkeypatch):
    watched = Watched(stall_timeout_s=0.1)
    watched.wait_for_frames()
    camera.frozen.set()
    wait_until(lambda: threads_of_readers() >= live.MOST_HUNG)
    time.sleep(1.0)
    assert threads_of_readers() == live.MOST_HUNG
    camera.frozen.clear()
    camera.thaw.set()
    watched.wait_for_frames()
    wait_until(lambda: threads_of_readers() == 1)
    assert watched.stop() and not camera.open_readers


def test_opening_that_hangs_is_an_error_at_start(camera, monkeypatch):
    hang = threading.Event()

    def open_and_hang(uri, settings):
        assert hang.wait(30.0)
        return camera.open(uri, settings)
    monkeypatch.setattr(live, 'open_reader', open_and_hang)
    monkeypatch.setattr(live, 'OPEN_LIMIT_S', 0.2)
    with pytest.raises(SourceError, match='does not answer within 0.2 s'):
        CaptureSource(
            SourceSettings(uri='rtsp://camera'), FrameSlot(Stats()), Stats(), time.time_ns)
    hang.set()
    wait_until(lambda: not threads_of_readers())
    assert not camera.open_readers


def test_a_camera_that_is_away_at_start_is_an_error_unless_it_shall_be_waited_for(camera, caplog):
    caplog.set_level('INFO')
    camera.present = False
    with pytest.raises(SourceError, match='the stream does not open'):
        Watched()
    watched = Watched(wait_for_source=True)
    assert watched.source.description == 'rtsp://camera, awaited'
    time.sleep(0.3)
    camera.present = True
    watched.wait_for_frames()
    assert watched.source.description == 'a camera'
    assert watched.stats.snapshot().reconnects == 0, 'it was never lost'
    wait_until(lambda: 'rtsp://camera is there after' in caplog.text)
    assert watched.stop()


def test_stopping_while_it_waits_for_the_source_ends_all(camera):
    camera.present = False
    watched = Watched(wait_for_source=True)
    time.sleep(0.1)
    assert watched.stop() and not threads_of_readers()


def test_stopping_while_the_driver_hangs_says_so_and_returns(camera):
    watched = Watched(stall_timeout_s=60.0)
    watched.wait_for_frames()
    camera.frozen.set()
    time.sleep(0.1)
    assert not watched.source.stop(timeout_s=0.3)
    camera.thaw.set()
    wait_until(lambda: not threads_of_readers())


def test_frames_that_were_buffered_while_it_opened_are_not_shown_as_new(camera):
    camera.backlog = 20
    watched = Watched()
    watched.wait_for_frames()
    assert watched.seen[0] > 20
    assert watched.stop()


def test_a_camera_whose_frames_cannot_be_decoded_is_opened_again(camera):
    camera.decodes = False
    watched = Watched(stall_timeout_s=0.3)
    wait_until(lambda: camera.opened >= 2)
    assert watched.stats.dropped()['decode_error'] > 0
    camera.decodes = True
    watched.wait_for_frames()
    assert watched.stop()


def test_a_slow_worker_is_no_stall_of_a_source_that_waits_for_it(camera):
    stats = Stats()
    slot = FrameSlot(stats, wait=True)
    source = CaptureSource(
        SourceSettings(uri='rtsp://camera', policy='every', stall_timeout_s=0.2), slot, stats,
        time.time_ns)
    source.start()
    for _ in range(3):
        time.sleep(0.4)
        assert slot.take() is not None
    assert source.stop()
    assert stats.snapshot().stalls == 0 and camera.opened == 1


def test_no_more_frames_are_looked_at_than_are_wanted(camera):
    watched = Watched(max_fps=10.0)
    watched.wait_for_frames(10)
    told = watched.stats.snapshot()
    assert watched.stop()
    assert told.dropped['max_fps'] >= 2 * told.processed
    assert told.offered >= 25


@pytest.mark.parametrize('away_s, least_s, most_s', [
    (0.0, 0.5, 0.625), (8.0, 1.0, 1.25), (3600.0, 8.0, 10.0)])
def test_the_wait_grows_with_the_outage_and_two_are_not_alike(
        monkeypatch, away_s, least_s, most_s):
    waits_s = []
    watch = live.LiveWatch(
        SourceUri.parse('rtsp://camera'), SourceSettings(wait_for_source=True), None, Stats(),
        time.time_ns)
    monkeypatch.setattr(watch._stop, 'wait', waits_s.append)
    for _ in range(20):
        watch._wait(SourceError('source.uri', 'x', 'is away'), away_s)
    assert least_s <= min(waits_s) < max(waits_s) <= most_s


def test_a_camera_that_is_unplugged_is_not_tried_until_its_device_is_back(tmp_path, monkeypatch):
    device = tmp_path / 'video7'
    watch = live.LiveWatch(
        SourceUri('device', 7, str(device)), SourceSettings(wait_for_source=True), None, Stats(),
        time.time_ns)
    assert watch._pointless()
    device.touch()
    assert not watch._pointless()


class V4l2:
    """Stands for OpenCV's reader of a camera that knows MJPG and 640 x 480 only."""

    asked = []
    values = {
        cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*'MJPG')),
        cv2.CAP_PROP_FRAME_WIDTH: 640.0, cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
        cv2.CAP_PROP_FPS: 25.0}

    def __init__(self, *arguments):
        self.opened = arguments

    def set(self, what, value):  # noqa: A003
        self.asked.append(what)
        return True

    def get(self, what):
        return self.values.get(what, 0.0)

    def isOpened(self):  # noqa: N802
        return True

    def getBackendName(self):  # noqa: N802
        return 'V4L2'

    def grab(self):
        return True

    def retrieve(self):
        return True, np.zeros((480, 640, 3), dtype=np.uint8)

    def release(self):
        pass


def test_a_camera_is_asked_for_its_format_in_the_order_that_drivers_need(monkeypatch, caplog):
    monkeypatch.setattr(video.cv2, 'VideoCapture', V4l2)
    reader = open_reader(SourceUri.parse('0'), SourceSettings(
        uri='0', fourcc='MJPG', width=1280, height=720, fps=25.0))
    assert V4l2.asked == [
        cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS]
    assert reader.description == '/dev/video0, MJPG, 640 x 480, 25 fps (V4L2)'
    assert 'source.width = 1280: the camera gives 640 instead' in caplog.text
    assert 'source.height = 720: the camera gives 480 instead' in caplog.text
    assert 'source.fourcc' not in caplog.text and 'source.fps' not in caplog.text
    if cv2.CAP_V4L2 in cv2.videoio_registry.getBackends():
        assert reader._capture.opened == (0, cv2.CAP_V4L2)


def test_rtsp_is_read_over_tcp_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.setattr(video.cv2, 'VideoCapture', V4l2)
    monkeypatch.setenv(video.FFMPEG_OPTIONS, '')
    monkeypatch.delenv(video.FFMPEG_OPTIONS)
    uri = SourceUri.parse('rtsp://camera')
    reader = open_reader(uri, SourceSettings(stall_timeout_s=12.0))
    assert video.os.environ[video.FFMPEG_OPTIONS] == 'rtsp_transport;tcp'
    assert reader._capture.opened[2] == [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 13000]
    monkeypatch.setenv(video.FFMPEG_OPTIONS, 'rtsp_transport;udp')
    open_reader(uri, SourceSettings())
    assert video.os.environ[video.FFMPEG_OPTIONS] == 'rtsp_transport;udp'


def test_a_pipeline_where_opencv_has_no_gstreamer_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(video.cv2.videoio_registry, 'getBackends', lambda: [cv2.CAP_FFMPEG])
    with pytest.raises(SourceError, match='this OpenCV was built without GStreamer'):
        open_reader(SourceUri.parse('videotestsrc ! appsink'), SourceSettings())
