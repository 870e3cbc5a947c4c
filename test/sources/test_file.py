# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A file is played to its end, in order, with the times of the video."""

import threading
import time

import cv2
from helpers import wait_until
import numpy as np
import pytest
from sources.source_helpers import FakeFile, RunningSource
from udp_infer_ros.errors import SourceError
from udp_infer_ros.health import Level
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.file import FileSource
from udp_infer_ros.sources.open import make_source
from udp_infer_ros.sources.uri import SourceUri

pytestmark = pytest.mark.timeout(30)
BEGIN_NS = 1_000_000_000_000


def start(path, *, now_ns=lambda: BEGIN_NS, **settings):
    """Start to play a file; the test takes its frames."""
    checked = SourceSettings(uri=str(path), **settings)
    return RunningSource(make_source(checked, now_ns), checked, now_ns=now_ns, work=False)


def play(path, limit=1_000_000, **settings):
    """Play a file to its end, or until there are enough frames."""
    playing = start(path, **settings)
    playing.collect(limit)
    assert playing.stop()
    return playing


def play_fake(file, **settings):
    """Play a fake file to its end."""
    checked = SourceSettings(**settings)
    uri = SourceUri(kind='file', target='a.mp4', redacted='a.mp4')
    source = FileSource(uri, checked, lambda: BEGIN_NS, open_reader=lambda uri, settings: file)
    playing = RunningSource(source, checked, work=False)
    playing.collect()
    assert playing.stop() and file.closed
    return playing


def gray_levels(playing):
    """Return the number of each frame of a clip, by its brightness."""
    return [round(float(frame.image.mean()) / 8) for frame in playing.frames]


def stamps_of(playing):
    """Return the stamps, nanoseconds since playing began."""
    return [frame.info.stamp_ns - BEGIN_NS for frame in playing.frames]


def test_every_frame_is_delivered_once_and_in_order(make_clip):
    playing = play(make_clip(20))
    assert gray_levels(playing) == list(range(20))
    assert [frame.info.index for frame in playing.frames] == list(range(20))
    assert playing.stats.offered == 20
    assert not any(playing.stats.dropped().values())


def test_a_frame_is_stamped_with_the_begin_plus_its_position(make_clip):
    playing = play(make_clip(5, fps=20.0))
    assert stamps_of(playing) == pytest.approx([0, 50e6, 100e6, 150e6, 200e6], abs=1e6)


def test_a_frame_has_the_frame_id_of_the_settings_and_the_name_of_the_file(make_clip):
    path = make_clip(1)
    [frame] = play(path, frame_id='left_optical').frames
    assert frame.info.frame_id == 'left_optical'
    assert frame.info.source == str(path)


def test_decoding_is_a_stage_of_its_own(make_clip):
    assert all(frame.decode_s > 0.0 for frame in play(make_clip(3)).frames)


def test_a_looped_file_starts_again_and_its_stamps_still_increase(make_clip):
    playing = play(make_clip(4, fps=20.0), limit=10, loop=True)
    assert gray_levels(playing) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert stamps_of(playing) == pytest.approx([i * 50e6 for i in range(10)], abs=1e6)


def test_stamps_increase_although_positions_repeat():
    playing = play_fake(FakeFile(3, interval_s=0.0))
    assert stamps_of(playing) == [0, 1, 2]


def test_a_file_in_real_time_takes_as_long_as_the_video(make_clip):
    begin_s = time.monotonic()
    playing = play(make_clip(10, fps=20.0), realtime=True)
    assert time.monotonic() - begin_s >= 0.4
    assert len(playing.frames) + playing.stats.dropped()['replaced'] == 10


def test_the_newest_frame_replaces_the_waiting_one_in_real_time(make_clip):
    playing = start(make_clip(10, fps=50.0), policy='latest')
    wait_until(lambda: playing.source.health().message.startswith('idle'))
    playing.collect()
    assert gray_levels(playing) == [9]
    assert playing.stats.dropped()['replaced'] == 9


@pytest.mark.parametrize('settings, expected', [
    ({}, True), ({'policy': 'every'}, True), ({'policy': 'latest'}, False),
    ({'realtime': True}, False), ({'realtime': True, 'policy': 'every'}, True),
])
def test_every_frame_is_processed_unless_the_file_is_played_as_a_camera(
        make_clip, settings, expected):
    source = make_source(SourceSettings(uri=str(make_clip(1)), **settings), time.time_ns)
    assert source.every_frame is expected and not source.live


def test_frames_beyond_max_fps_are_not_decoded_and_the_rate_is_in_media_time():
    file = FakeFile(20, interval_s=0.05)
    playing = play_fake(file, max_fps=10.0)
    assert file.decoded == list(range(0, 20, 2))
    assert [frame.info.index for frame in playing.frames] == file.decoded
    assert playing.stats.dropped()['max_fps'] == 10


def test_frames_of_a_file_are_never_stale(make_clip):
    times = iter([10**18] + [10**18 + 5 * 10**9] * 100)
    playing = play(make_clip(5), now_ns=lambda: next(times), max_age_s=0.1)
    assert len(playing.frames) == 5


def test_a_truncated_image_is_counted_and_the_others_are_delivered(tmp_path, caplog):
    for name, level in (('1.jpg', 0), ('2.jpg', 8), ('3.jpg', 16)):
        cv2.imwrite(str(tmp_path / name), np.full((48, 64, 3), level, dtype=np.uint8))
    path = tmp_path / '2.jpg'
    path.write_bytes(path.read_bytes()[:-20])
    playing = play(tmp_path, limit=20, loop=True)
    assert gray_levels(playing) == [0, 2] * 10
    assert playing.stats.dropped()['decode_error'] >= 9
    assert caplog.text.count(str(path)) == 1, 'the log is not flooded'


# Opening and the end


@pytest.mark.parametrize('content', [b'', b'this is not a video' * 100])
def test_a_file_that_is_not_a_video_is_refused(tmp_path, content):
    path = tmp_path / 'bad.mp4'
    path.write_bytes(content)
    source = make_source(SourceSettings(uri=str(path)), time.time_ns)
    with pytest.raises(SourceError, match='the file does not open'):
        source.open()


def test_a_source_that_is_stopped_while_it_opens_is_closed():
    opening, stopped, file, errors = threading.Event(), threading.Event(), FakeFile(1), []

    def open_slowly(uri, settings):
        opening.set()
        assert stopped.wait(10)
        return file

    def open_source():
        with pytest.raises(SourceError) as caught:
            source.open()
        errors.append(str(caught.value))
    uri = SourceUri(kind='file', target='a.mp4', redacted='a.mp4')
    source = FileSource(uri, SourceSettings(), time.time_ns, open_reader=open_slowly)
    thread = threading.Thread(target=open_source, daemon=True)
    thread.start()
    assert opening.wait(10)
    assert source.stop()
    stopped.set()
    thread.join(10)
    assert errors == ["source.uri = 'a.mp4': was closed while it opened"] and file.closed


def test_a_source_that_is_stopped_before_it_starts_closes_its_file(make_clip):
    source = make_source(SourceSettings(uri=str(make_clip(5))), time.time_ns)
    source.open()
    assert 'x 48' in source.description
    assert source.stop() and source.stop()


def test_stopping_in_the_middle_ends_the_thread(make_clip):
    before = threading.active_count()
    playing = start(make_clip(30))
    playing.collect(limit=1)
    assert playing.source.stop(timeout_s=5.0)
    assert threading.active_count() == before


def test_a_reader_that_fails_ends_the_source_with_an_error_in_health(caplog):
    playing = play_fake(FakeFile(5, fails_at=2))
    assert [frame.info.index for frame in playing.frames] == [0, 1]
    part = playing.source.health()
    assert (part.level, part.message) == (Level.ERROR, 'reading failed: codec')
    assert 'reading failed: codec' in caplog.text


# Health


def test_health_of_a_file_from_the_start_to_the_end(make_clip, caplog):
    caplog.set_level('INFO')
    settings = SourceSettings(uri=str(make_clip(12)))
    source = make_source(settings, time.time_ns)
    assert source.health().message == 'not started'
    playing = RunningSource(source, settings, work=False)
    playing.collect(limit=3)
    part = source.health()
    assert (part.name, part.level) == ('source', Level.OK)
    assert part.message.endswith(f' Hz from {source.description}')
    playing.collect()
    wait_until(lambda: source.health().message == f'idle: {source.description} is at its end')
    values = source.health().values
    assert values['offered'] == 12 and values['source'] == source.description
    assert f'end of {settings.uri} after 12 frames' in caplog.text


def test_health_warns_of_frames_that_were_lost_since_the_previous_call(tmp_path):
    for name in ('1.png', '2.png'):
        cv2.imwrite(str(tmp_path / name), np.zeros((48, 64, 3), dtype=np.uint8))
    (tmp_path / '2.png').write_bytes(b'not an image')
    playing = play(tmp_path)
    part = playing.source.health()
    assert part.level == Level.WARN
    assert part.message.startswith('frames were lost: 1 decode_error; last: frame dropped: ')
    assert playing.source.health().level == Level.OK
