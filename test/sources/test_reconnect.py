# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A camera that fails, hangs or is unplugged is reopened, and no old frame is taken for new."""

from pathlib import Path
import re
import threading
import time

from helpers import wait_until
import pytest
from sources.source_helpers import PERIOD_S, reader_threads, RunningSource, SHORT_BACK_OFF
from udp_infer_ros.errors import SourceError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.camera import CameraSource
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.sources.reconnect import BackOff, MAX_HUNG, ReaderThread
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(60)
URI = SourceUri.parse('rtsp://camera')


def start(camera, *, uri=URI, work=True, open_reader=None, **settings):
    """Open and start a source that reads a fake camera."""
    checked = SourceSettings(**settings)
    source = CameraSource(
        uri, checked, time.time_ns, open_reader=open_reader or camera.open,
        back_off=SHORT_BACK_OFF)
    return RunningSource(source, checked, work=work)


@pytest.fixture
def make_reader(camera):
    """Return a function that starts a reader thread and lets it deliver to an intake."""
    def make(**options):
        reader = ReaderThread(
            lambda: camera.open(URI, SourceSettings()), source='rtsp://camera',
            frame_id='camera', now_ns=time.time_ns, changed=threading.Event())
        intake = Intake(SourceSettings(), Stats(), now_ns=time.time_ns, **options)
        reader.start()
        reader.deliver(intake)
        return reader, intake
    return make


# Loss and return


def test_a_lost_camera_is_reopened_and_counted(camera, caplog):
    caplog.set_level('INFO')
    running = start(camera)
    running.wait_for_frames()
    for _ in range(3):
        camera.present = False
        wait_until(lambda: not camera.open_readers)
        count, attempts = len(running.frames), camera.attempts
        wait_until(lambda: camera.attempts >= attempts + 2)
        assert len(running.frames) <= count + 1, 'no black or repeated frame while it is away'
        camera.present = True
        running.wait_for_frames()
    wait_until(lambda: running.stats.snapshot().reconnects == 3)
    figures = running.stats.snapshot()
    assert figures.stalls == 0 and "source.uri = 'rtsp://camera'" in figures.last_error
    assert len(set(running.numbers)) == len(running.numbers)
    assert running.stop() and not camera.open_readers and not reader_threads()
    assert caplog.text.count('rtsp://camera is back after') == 3
    attempts = '(1 attempt|(?!1 )[0-9]+ attempts)'
    assert len(re.findall(f'after [0-9.]+ s and {attempts}: a camera', caplog.text)) == 3
    assert caplog.messages.count('first frame of a camera') == 1


def test_each_decision_about_a_lost_camera_is_logged_once_at_level_debug(camera, caplog):
    caplog.set_level('DEBUG')
    running = start(camera)
    running.wait_for_frames()
    camera.present = False
    wait_until(lambda: not camera.open_readers)
    attempts = camera.attempts
    wait_until(lambda: camera.attempts >= attempts + 2)
    camera.present = True
    running.wait_for_frames(count=40)
    assert running.stop()
    messages = caplog.messages
    assert messages.count('rtsp://camera: opening') == camera.attempts
    assert len([text for text in messages if 'reader closed: ' in text]) == camera.attempts - 1
    assert any(text.startswith('rtsp://camera: attempt 2 after ') for text in messages)
    assert len([text for text in messages if 'buffered frames' in text]) == camera.opened
    assert len(messages) <= 6 * camera.attempts, 'no line for a frame'


def test_warnings_are_throttled_although_their_figures_differ(camera, caplog):
    def fail(uri, settings):
        camera.attempts += 1
        raise SourceError('source.uri', uri.redacted, f'failed after {camera.attempts} tries')
    running = start(camera, open_reader=fail, wait_for_source=True)
    wait_until(lambda: camera.attempts >= 4)
    assert running.stop()
    assert caplog.text.count('reopening in') == 1


def test_a_driver_error_of_any_type_is_reported_and_the_camera_is_reopened(camera):
    def fail_once(uri, settings):
        if not camera.attempts:
            camera.attempts += 1
            raise ValueError('driver bug')
        return camera.open(uri, settings)
    running = start(camera, open_reader=fail_once, wait_for_source=True)
    running.wait_for_frames()
    assert running.stats.snapshot().last_error == (
        "source.uri = 'rtsp://camera': reading failed: driver bug")
    assert running.stop()


def test_frames_that_were_buffered_while_it_opened_are_skipped(camera):
    camera.backlog = 20
    running = start(camera)
    running.wait_for_frames()
    assert running.numbers[0] > 20
    assert running.stop()


# A driver that hangs


def test_a_read_that_hangs_is_abandoned_and_its_late_frame_is_not_delivered(camera):
    running = start(camera, stall_timeout_s=0.3)
    running.wait_for_frames()
    camera.freeze()
    wait_until(lambda: running.stats.snapshot().stalls == 1)
    camera.frozen.clear()
    running.wait_for_frames()
    wait_until(lambda: running.stats.snapshot().reconnects == 1)
    assert reader_threads() == 2, 'the old one still hangs'
    offered = running.stats.offered
    camera.thaw()
    wait_until(lambda: reader_threads() == 1)
    running.wait_for_frames()
    assert camera.open_readers == 1 and running.stats.offered > offered
    assert len(set(running.numbers)) == len(running.numbers)
    assert running.stop()


@pytest.mark.parametrize('place', ['grab', 'decode'])
def test_an_abandoned_reader_delivers_nothing_although_its_frame_is_on_its_way(
        camera, make_reader, place):
    (camera.frozen if place == 'grab' else camera.frozen_in_decode).set()
    reader, intake = make_reader()
    wait_until(lambda: camera.hanging)
    reader.abandon()
    camera.thaw()
    reader.join(10.0)
    assert reader.ended and reader.error is None and not camera.open_readers
    intake.close()
    assert intake.take() is None


def test_a_decoder_that_hangs_is_abandoned(camera):
    running = start(camera, stall_timeout_s=0.2)
    running.wait_for_frames()
    camera.thawed.clear()
    camera.frozen_in_decode.set()
    wait_until(lambda: running.stats.snapshot().stalls)
    camera.thaw()
    running.wait_for_frames()
    assert running.stop()


def test_few_readers_hang_at_the_same_time(camera, caplog):
    running = start(camera, stall_timeout_s=0.1)
    running.wait_for_frames()
    camera.freeze()
    wait_until(lambda: 'reads hang in the driver' in caplog.text)
    assert reader_threads() == MAX_HUNG
    camera.thaw()
    running.wait_for_frames()
    wait_until(lambda: reader_threads() == 1)
    assert running.stop() and not camera.open_readers


# What is a sign of life


def test_a_camera_whose_frames_cannot_be_decoded_is_reopened(camera):
    camera.decodable = False
    running = start(camera, stall_timeout_s=0.3)
    wait_until(lambda: camera.opened >= 2)
    assert running.stats.dropped()['decode_error']
    camera.decodable = True
    running.wait_for_frames()
    assert running.stop()


def test_it_is_reopened_too_if_most_of_its_frames_exceed_max_fps(camera):
    camera.decodable = False
    running = start(camera, stall_timeout_s=0.3, max_fps=10.0)
    wait_until(lambda: camera.opened >= 2)
    assert running.stats.dropped()['max_fps']
    assert running.stop()


def test_frames_beyond_max_fps_are_signs_of_life(camera):
    running = start(camera, stall_timeout_s=1.0, max_fps=0.01)
    wait_until(lambda: running.stats.offered * PERIOD_S >= 1.5)
    assert len(running.frames) == 1
    assert running.stats.snapshot().stalls == 0 and camera.opened == 1
    assert running.stop()


def test_waiting_for_the_worker_is_not_silence(camera, make_reader):
    reader, intake = make_reader(wait=True)
    wait_until(lambda: camera.decoded == 2)
    wait_until(lambda: reader.silent_s == 0.0)
    assert intake.take() is not None
    wait_until(lambda: camera.decoded == 3)
    intake.close()
    reader.join(10.0)
    assert reader.ended and reader.error is None


# When to try again


@pytest.mark.parametrize('outage_s, least_s, most_s', [
    (0.0, 0.5, 0.625), (8.0, 1.0, 1.25), (3600.0, 8.0, 10.0)])
def test_the_wait_grows_with_the_outage_and_is_not_the_same_for_two_cameras(
        outage_s, least_s, most_s):
    delays_s = [BackOff().delay_s(outage_s) for _ in range(20)]
    assert least_s <= min(delays_s) < max(delays_s) <= most_s


def test_an_unplugged_camera_is_not_opened_until_its_device_exists(camera, monkeypatch):
    device, exists, checks = Path('/dev/video63'), Path.exists, []

    def is_plugged_in(path):
        if path != device:
            return exists(path)
        checks.append(camera.attempts)
        camera.present = len(checks) == 4
        return camera.present
    monkeypatch.setattr(Path, 'exists', is_plugged_in)
    camera.present = False
    running = start(camera, uri=SourceUri.parse(str(device)), wait_for_source=True)
    running.wait_for_frames()
    assert checks == [1, 1, 1, 1] and camera.attempts == 2
    assert running.stop()
