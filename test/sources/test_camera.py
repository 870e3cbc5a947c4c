# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A camera is opened, started, watched and stopped; its health says whether frames arrive."""

import re
import threading
import time

from helpers import wait_until
import pytest
from sources.source_helpers import FakeCamera, reader_threads, RunningSource, SHORT_BACK_OFF
from udp_infer_ros.errors import SourceError
from udp_infer_ros.health import Level
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.camera import CameraSource
from udp_infer_ros.sources.open import make_source
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.sources.video import cameras

pytestmark = pytest.mark.timeout(60)
URI = SourceUri.parse('rtsp://camera')


def make_camera_source(camera, *, open_limit_s=20.0, **settings):
    """Return a source that reads a fake camera."""
    return CameraSource(
        URI, SourceSettings(**settings), time.time_ns, open_reader=camera.open,
        open_limit_s=open_limit_s, back_off=SHORT_BACK_OFF)


def start(camera, **settings):
    """Open and start a source that reads a fake camera."""
    return RunningSource(make_camera_source(camera, **settings), SourceSettings(**settings))


@pytest.mark.parametrize('policy, expected', [
    ('auto', False), ('latest', False), ('every', True)])
def test_a_camera_does_not_wait_for_the_worker_unless_the_policy_is_every(policy, expected):
    source = make_source(SourceSettings(uri='0', policy=policy), time.time_ns)
    assert source.every_frame is expected and source.live


def test_nothing_is_opened_and_no_thread_runs_before_open(camera):
    threads = threading.active_count()
    source = make_camera_source(camera)
    assert source.health().message == 'not started'
    assert source.description == 'rtsp://camera'
    assert threading.active_count() == threads and not camera.attempts
    assert source.stop()


def test_a_frame_is_stamped_when_it_is_grabbed_and_has_the_frame_id_of_the_settings(camera):
    before_ns = time.time_ns()
    running = start(camera, frame_id='left_optical')
    running.wait_for_frames(3)
    assert running.stop()
    frame = running.frames[0]
    assert frame.info.frame_id == 'left_optical' and frame.info.source == 'rtsp://camera'
    assert before_ns < frame.info.stamp_ns < time.time_ns()
    stamps = [frame.info.stamp_ns for frame in running.frames]
    assert all(later > earlier for earlier, later in zip(stamps, stamps[1:]))


def test_frames_beyond_max_fps_are_not_decoded(camera):
    running = start(camera, max_fps=5.0)
    wait_until(lambda: running.stats.offered >= 40)
    assert running.stop()
    dropped = running.stats.dropped()
    assert camera.decoded == running.stats.offered - dropped['max_fps']
    assert dropped['max_fps'] >= 20, 'the camera delivers up to 50 Hz'


# Opening


def test_a_device_that_does_not_exist_is_refused():
    source = make_source(SourceSettings(uri='63'), time.time_ns)
    with pytest.raises(SourceError, match=f'no such device; {re.escape(cameras())}'):
        source.open()
    assert source.stop()


def test_the_devices_that_exist_are_listed_in_the_order_of_their_numbers(tmp_path):
    assert cameras(tmp_path) == (
        f'there is no {tmp_path}/video*, so check that the camera is plugged in')
    for number in (10, 2, 0):
        (tmp_path / f'video{number}').touch()
    assert cameras(tmp_path) == (
        f'the devices are {tmp_path}/video0, {tmp_path}/video2, {tmp_path}/video10')


def test_an_absent_camera_is_an_error_unless_the_settings_say_to_wait(camera, caplog):
    caplog.set_level('INFO')
    camera.present = False
    with pytest.raises(SourceError, match='the stream does not open'):
        make_camera_source(camera).open()
    running = start(camera, wait_for_source=True)
    assert running.source.description == 'rtsp://camera'
    wait_until(lambda: camera.attempts >= 3)
    camera.present = True
    running.wait_for_frames()
    assert running.source.description == 'a camera'
    assert running.stats.snapshot().reconnects == 0, 'it was never lost'
    assert 'rtsp://camera is open after' in caplog.text
    assert 'first frame' not in caplog.text, 'one line is enough'
    assert running.stop()


def test_opening_that_hangs_is_an_error(camera):
    hang = threading.Event()

    def open_and_hang(uri, settings):
        assert hang.wait(30.0)
        return camera.open(uri, settings)
    source = CameraSource(
        URI, SourceSettings(), time.time_ns, open_reader=open_and_hang, open_limit_s=0.2)
    with pytest.raises(SourceError, match='does not answer within 0.2 s'):
        source.open()
    assert not source.stop(timeout_s=0.0)
    hang.set()
    assert source.stop(timeout_s=10.0)
    assert not camera.open_readers and not reader_threads()


def test_stop_from_another_thread_ends_opening(camera):
    hang, errors = threading.Event(), []

    def open_and_hang(uri, settings):
        assert hang.wait(30.0)
        return camera.open(uri, settings)

    def open_source():
        with pytest.raises(SourceError) as caught:
            source.open()
        errors.append(str(caught.value))
    source = CameraSource(URI, SourceSettings(), time.time_ns, open_reader=open_and_hang)
    opening = threading.Thread(target=open_source, daemon=True)
    opening.start()
    wait_until(reader_threads)
    source.stop(timeout_s=0.0)
    opening.join(10.0)
    assert errors == ["source.uri = 'rtsp://camera': was closed while it opened"]
    hang.set()
    assert source.stop(timeout_s=10.0) and not camera.open_readers


# Stopping


def test_a_camera_that_was_opened_and_never_started_is_closed(camera):
    source = make_camera_source(camera)
    source.open()
    assert camera.open_readers == 1
    assert source.stop(timeout_s=10.0)
    assert not camera.open_readers


def test_stop_closes_the_intake_and_the_camera(camera):
    running = start(camera)
    running.wait_for_frames()
    assert running.stop() and running.stop(), 'it may be called again'
    assert running.intake.drained and not camera.open_readers and not reader_threads()


def test_stopping_while_the_source_is_awaited_ends_all_threads(camera):
    camera.present = False
    threads = threading.active_count()
    running = start(camera, wait_for_source=True)
    wait_until(lambda: camera.attempts)
    assert running.stop()
    assert threading.active_count() == threads


def test_stop_returns_false_while_the_driver_hangs(camera):
    running = start(camera, stall_timeout_s=60.0)
    running.wait_for_frames()
    camera.freeze()
    wait_until(lambda: camera.hanging)
    assert not running.stop(timeout_s=0.2)
    camera.thaw()
    assert running.stop() and not reader_threads()


# Health


def test_health_is_ok_while_frames_arrive_and_an_error_while_they_do_not(camera):
    running = start(camera, stall_timeout_s=0.3)
    running.wait_for_frames(10)
    part = running.source.health()
    assert part.level == Level.OK and part.message.endswith(' Hz from a camera')
    assert part.values['source'] == 'a camera' and part.values['rate_hz'] > 0.0
    camera.present = False
    wait_until(lambda: running.source.health().level == Level.ERROR)
    part = running.source.health()
    assert part.message == 'no image for 0 s on rtsp://camera; reopening it until frames arrive'
    assert 'the stream does not open' in part.values['last_error']
    camera.present = True
    wait_until(lambda: running.source.health().level == Level.OK)
    assert running.source.health().values['reconnects'] == 1
    assert running.stop()


def test_health_is_an_error_while_the_driver_hangs(camera):
    running = start(camera, stall_timeout_s=0.2)
    running.wait_for_frames()
    camera.freeze()
    wait_until(lambda: running.source.health().level == Level.ERROR)
    wait_until(lambda: running.source.health().values['stalls'])
    assert not running.stop(timeout_s=0.1)


def test_health_warns_of_frames_that_cannot_be_decoded(camera):
    running = start(camera, stall_timeout_s=60.0)
    running.wait_for_frames()
    camera.decodable = False
    wait_until(lambda: running.stats.dropped()['decode_error'])
    part = running.source.health()
    assert part.level == Level.WARN
    assert 'decode_error; last: frame dropped: frame = ' in part.message
    assert running.stop()


def test_a_worker_that_is_slow_is_no_fault_of_a_camera_that_waits_for_it():
    camera = FakeCamera()
    settings = SourceSettings(policy='every', stall_timeout_s=0.1)
    running = RunningSource(
        make_camera_source(camera, policy='every', stall_timeout_s=0.1), settings, work=False)
    wait_until(lambda: camera.decoded == 2)
    deadline_s = time.monotonic() + 0.5
    while time.monotonic() < deadline_s:
        assert running.source.health().level == Level.OK
        time.sleep(0.02)
    assert running.stats.snapshot().stalls == 0 and camera.opened == 1
    assert running.stop()
