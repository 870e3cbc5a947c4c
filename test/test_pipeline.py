# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A frame becomes a result with everything in it, and settings change between frames."""

from dataclasses import replace

from helpers import make_frame, write_model, yolo_table
import numpy as np
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.errors import SettingError
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.settings import ModelSettings, Settings
from udp_infer_ros.stats import Drop, Stats

SECOND_NS = 1_000_000_000
BOXES = [(0, 0, 20, 20, 0.9, 0), (30, 30, 60, 60, 0.6, 1), (0, 40, 20, 60, 0.2, 0)]


@pytest.fixture
def detector(tmp_path):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"})
    return Detector.load(ModelSettings(id=str(path)))


def make_pipeline(detector, stats=None, **values):
    """Make a pipeline with some parameters changed."""
    return Pipeline(detector, Settings().with_values(values), stats or Stats())


def test_a_result_bears_the_identity_of_its_frame(detector):
    frame = make_frame(index=41, stamp_ns=5 * SECOND_NS)
    result = make_pipeline(detector).process(frame)
    assert result.frame is frame.info
    assert result.model == 'm'


def test_results_are_numbered_without_gaps_from_1(detector):
    pipeline = make_pipeline(detector)
    assert [pipeline.process(make_frame(i)).seq for i in (0, 7, 20)] == [1, 2, 3]


def test_every_stage_has_its_milliseconds_and_they_add_up(detector):
    latency_ms = make_pipeline(detector).process(make_frame()).latency_ms
    assert list(latency_ms) == [
        'wait', 'preprocess', 'inference', 'postprocess', 'track', 'total']
    stages = [latency_ms[name] for name in list(latency_ms)[:-1]]
    assert all(value >= 0 for value in stages)
    assert sum(stages) == pytest.approx(latency_ms['total'])


def test_a_result_says_what_was_lost_so_far(detector):
    stats = Stats()
    stats.drop(Drop.REPLACED)
    assert make_pipeline(detector, stats).process(make_frame()).dropped['replaced'] == 1


def test_boxes_below_the_confidence_help_the_tracker_but_are_not_told(detector):
    result = make_pipeline(detector).process(make_frame())
    assert [found.class_name for found in result.objects] == ['person', 'car']
    assert [found.track_id for found in result.objects] == [1, 2]


def test_without_a_tracker_there_are_no_ids(detector):
    result = make_pipeline(detector, **{'track.type': 'none'}).process(make_frame())
    assert [found.track_id for found in result.objects] == [NO_TRACK, NO_TRACK]
    assert result.detections.tracker_id.dtype.kind == 'i'


def test_ids_stay_from_frame_to_frame_and_after_a_reset_are_new(detector):
    pipeline = make_pipeline(detector)

    def ids(second):
        frame = make_frame(stamp_ns=SECOND_NS + second * SECOND_NS // 10)
        return [found.track_id for found in pipeline.process(frame).objects]
    assert ids(0) == ids(1) == [1, 2]
    pipeline.reset_tracker()
    assert ids(2) == [3, 4]


def test_new_settings_hold_from_the_next_frame_on_and_tracks_go_on(detector):
    pipeline = make_pipeline(detector)
    pipeline.process(make_frame(stamp_ns=1))
    pipeline.configure(Settings().with_values({'detect.confidence': 0.8}))
    result = pipeline.process(make_frame(stamp_ns=SECOND_NS // 10))
    assert [(found.class_name, found.track_id) for found in result.objects] == [('person', 1)]
    pipeline.configure(Settings().with_values({'detect.classes': ['car']}))
    result = pipeline.process(make_frame(stamp_ns=SECOND_NS // 5))
    assert [(found.class_name, found.track_id) for found in result.objects] == [('car', 2)]


def test_frames_that_nobody_stamped_are_tracked_by_the_time_of_their_arrival(detector):
    pipeline = make_pipeline(detector)

    def ids(born_s):
        frame = replace(make_frame(stamp_ns=0), born_s=born_s)
        result = pipeline.process(frame)
        assert result.frame.stamp_ns == 0
        return [found.track_id for found in result.objects]
    assert ids(100.0) == ids(100.1) == [1, 2]
    assert ids(105.0) == [NO_TRACK, NO_TRACK], 'a gap longer than track.lost_s'
    assert ids(105.1) == [3, 4]


def test_after_a_gap_longer_than_the_memory_ids_are_new(detector):
    pipeline = make_pipeline(detector)

    def ids(time_s):
        result = pipeline.process(make_frame(stamp_ns=round(time_s * SECOND_NS)))
        return [found.track_id for found in result.objects]
    assert ids(10.0) == ids(10.1) == ids(11.0) == [1, 2]
    assert ids(12.1) == [NO_TRACK, NO_TRACK]
    assert ids(12.2) == [3, 4]


def test_a_refused_change_leaves_everything_as_it_was(detector):
    pipeline = make_pipeline(detector)
    with pytest.raises(SettingError):
        pipeline.configure(
            Settings().with_values({'detect.classes': ['cow'], 'detect.confidence': 0.8}))
    assert len(pipeline.process(make_frame()).objects) == 2


def test_a_failing_model_raises_and_is_no_empty_scene(detector, monkeypatch):
    pipeline = make_pipeline(detector)

    def fail(tensor):
        raise RuntimeError('out of memory')
    monkeypatch.setattr(detector, 'run', fail)
    with pytest.raises(RuntimeError, match='out of memory'):
        pipeline.process(make_frame())


def test_the_image_is_not_changed_and_not_kept(detector):
    frame = make_frame()
    before = frame.image.copy()
    result = make_pipeline(detector).process(frame)
    assert (frame.image == before).all()
    assert not any(np.shares_memory(frame.image, array) for array in (
        result.detections.xyxy, result.detections.confidence))
