# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Files are played to their end or in time, and a file that is none is refused."""

import threading
import time

import cv2
import numpy as np
import pytest
from udp_infer_ros.errors import SourceError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.capture import CaptureSource, waits
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(30)


def play(path, limit=1000, now_ns=lambda: 1_000_000_000_000, **settings):
    """Read a source to its end, or until there are enough frames; give frames and stats."""
    source_settings = SourceSettings(uri=str(path), **settings)
    stats = Stats()
    slot = FrameSlot(stats, wait=waits(source_settings))
    source = CaptureSource(source_settings, slot, stats, now_ns)
    source.start()
    frames = []
    while len(frames) < limit and (pending := slot.take()) is not None:
        frames.append(pending())
    assert source.stop()
    return frames, stats


def grey_levels(frames):
    """Tell the frames' numbers by their brightness."""
    return [round(float(frame.image.mean()) / 8) for frame in frames]


def test_every_frame_of_a_file_comes_once_and_in_order(make_clip):
    frames, stats = play(make_clip(20))
    assert grey_levels(frames) == list(range(20))
    assert [frame.info.index for frame in frames] == list(range(20))
    assert stats.snapshot().offered == 20
    assert stats.dropped()['replaced'] == 0


def test_frames_of_a_file_are_stamped_with_their_position_in_it(make_clip):
    frames, _ = play(make_clip(5, fps=20.0))
    stamps = [frame.info.stamp_ns - 1_000_000_000_000 for frame in frames]
    assert stamps == pytest.approx([0, 50e6, 100e6, 150e6, 200e6], abs=1e6)


def test_frames_have_the_frame_id_and_the_name_of_their_source(make_clip):
    path = make_clip(1)
    frames, _ = play(path, frame_id='left_optical')
    assert frames[0].info.frame_id == 'left_optical'
    assert frames[0].info.source == str(path)


def test_a_looped_file_begins_again_and_its_time_goes_on(make_clip):
    frames, _ = play(make_clip(4), limit=10, loop=True)
    assert grey_levels(frames) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    stamps = [frame.info.stamp_ns for frame in frames]
    assert all(later > earlier for earlier, later in zip(stamps, stamps[1:]))


def test_a_file_in_real_time_takes_as_long_as_it_is(make_clip):
    begin_s = time.monotonic()
    frames, stats = play(make_clip(10, fps=20.0), realtime=True)
    assert time.monotonic() - begin_s >= 0.4
    assert len(frames) + stats.dropped()['replaced'] == 10


def test_the_newest_frame_wins_in_real_time_when_the_worker_is_slow(make_clip):
    settings = SourceSettings(uri=str(make_clip(10, fps=50.0)), policy='latest')
    stats = Stats()
    slot = FrameSlot(stats, wait=waits(settings))
    source = CaptureSource(settings, slot, stats, time.time_ns)
    source.start()
    time.sleep(1.0)
    assert grey_levels([slot.take()()]) == [9]
    assert stats.dropped()['replaced'] == 9
    assert source.stop()


@pytest.mark.parametrize('settings, expected', [
    ({}, True), ({'policy': 'every'}, True), ({'policy': 'latest'}, False),
    ({'realtime': True}, False), ({'realtime': True, 'policy': 'every'}, True),
])
def test_a_file_waits_unless_it_is_played_as_a_camera(make_clip, settings, expected):
    assert waits(SourceSettings(uri=str(make_clip(1)), **settings)) is expected


def test_a_camera_does_not_wait_unless_told_to():
    assert not waits(SourceSettings(uri='0'))
    assert waits(SourceSettings(uri='0', policy='every'))


@pytest.mark.parametrize('content, rule', [
    (b'', 'the file does not open'),
    (b'this is no video' * 100, 'the file does not open'),
])
def test_a_file_that_is_no_video_is_refused(tmp_path, content, rule):
    path = tmp_path / 'bad.mp4'
    path.write_bytes(content)
    with pytest.raises(SourceError, match=rule):
        CaptureSource(SourceSettings(uri=str(path)), FrameSlot(Stats()), Stats(), time.time_ns)


def test_a_video_without_a_frame_is_refused(make_clip):
    path = make_clip(0)
    with pytest.raises(SourceError) as caught:
        CaptureSource(SourceSettings(uri=str(path)), FrameSlot(Stats()), Stats(), time.time_ns)
    assert str(caught.value).startswith(f"source.uri = '{path}': the file ")


def test_a_camera_that_is_not_there_is_refused():
    with pytest.raises(SourceError, match='the device does not open; is it plugged in'):
        CaptureSource(SourceSettings(uri='63'), FrameSlot(Stats()), Stats(), time.time_ns)


def test_stopping_in_the_middle_ends_the_thread(make_clip):
    settings = SourceSettings(uri=str(make_clip(30)))
    slot = FrameSlot(Stats(), wait=True)
    before = threading.active_count()
    source = CaptureSource(settings, slot, Stats(), time.time_ns)
    source.start()
    slot.take()
    assert source.stop(timeout_s=5.0)
    assert threading.active_count() == before


def write_images(folder, names):
    """Write images that get brighter, 8 grey levels each, in the order of the names."""
    for i, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), np.full((48, 64, 3), 8 * i, dtype=np.uint8))


@pytest.mark.parametrize('glob', ['', '/*.png', '/frame_*'])
def test_images_of_a_folder_or_a_glob_come_in_the_order_of_their_numbers(tmp_path, glob):
    write_images(tmp_path, [f'frame_{i}.png' for i in (1, 2, 9, 10, 11)])
    (tmp_path / 'notes.txt').write_text('no image')
    frames, stats = play(f'{tmp_path}{glob}', fps=10.0)
    assert grey_levels(frames) == [0, 1, 2, 3, 4]
    stamps = [frame.info.stamp_ns - 1_000_000_000_000 for frame in frames]
    assert stamps == pytest.approx([0, 100e6, 200e6, 300e6, 400e6], abs=1e3)


def test_an_image_that_is_cut_is_counted_and_the_others_are_shown(tmp_path):
    write_images(tmp_path, ['1.jpg', '2.jpg', '3.jpg'])
    path = tmp_path / '2.jpg'
    path.write_bytes(path.read_bytes()[:-20])
    frames, stats = play(tmp_path)
    assert grey_levels(frames) == [0, 2]
    assert stats.dropped()['decode_error'] == 1


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(SourceError, match='there is no image'):
        play(tmp_path)


def test_a_looped_folder_begins_again(tmp_path):
    write_images(tmp_path, ['1.png', '2.png'])
    assert grey_levels(play(tmp_path, limit=5, loop=True)[0]) == [0, 1, 0, 1, 0]


def test_a_file_is_thinned_by_its_own_time(make_clip):
    frames, stats = play(make_clip(20, fps=20.0), max_fps=10.0)
    assert grey_levels(frames) == list(range(0, 20, 2))
    assert stats.dropped()['max_fps'] == 10


def test_frames_of_a_file_are_never_too_old(make_clip):
    times = iter([10**18] + [10**18 + 5 * 10**9] * 100)
    frames, stats = play(make_clip(5), now_ns=lambda: next(times), max_age_s=0.1)
    assert len(frames) == 5 and stats.dropped()['stale'] == 0
