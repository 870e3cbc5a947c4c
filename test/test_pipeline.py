# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A frame becomes a result with all its values, and settings change between frames."""

from dataclasses import replace
from itertools import count
import threading
from unittest.mock import Mock

import cv2
from helpers import make_frame, write_model, yolo_table
import numpy as np
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.errors import Drop, SettingError
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.health import Level
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.settings import ModelSettings, Settings
from udp_infer_ros.stats import Stats

SECOND_NS = 1_000_000_000
BOXES = [(0, 0, 20, 20, 0.9, 0), (30, 30, 60, 60, 0.6, 1), (0, 40, 20, 60, 0.2, 0)]


@pytest.fixture
def detector(tmp_path):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"})
    detector = Detector.load(ModelSettings(id=str(path)))
    yield detector
    detector.close()


def make_pipeline(detector, stats=None, **values):
    """Make a pipeline with some parameters changed."""
    return Pipeline(detector, Settings().with_values(values), stats or Stats())


def ids_of(result):
    """Return the track ids of a result."""
    return [found.track_id for found in result.objects]


def test_a_result_has_the_identity_of_its_frame(detector):
    frame = make_frame(index=41, stamp_ns=5 * SECOND_NS)
    result = make_pipeline(detector).process(frame)
    assert result.frame is frame.info
    assert result.model == 'm'


def test_results_are_numbered_without_gaps_from_1(detector):
    pipeline = make_pipeline(detector)
    assert [pipeline.process(make_frame(i)).seq for i in (0, 7, 20)] == [1, 2, 3]


def test_every_stage_is_timed_and_the_total_begins_with_the_arrival(detector):
    ticks = count(100)
    pipeline = Pipeline(detector, Settings(), Stats(), clock_s=lambda: next(ticks))
    frame = replace(make_frame(), arrival_s=97.0, wait_s=0.25, decode_s=0.5)
    assert pipeline.process(frame).latency_ms == {
        'wait': 250.0, 'decode': 500.0, 'preprocess': 1000.0, 'inference': 1000.0,
        'postprocess': 1000.0, 'motion': 1000.0, 'track': 1000.0, 'total': 10000.0}


def test_a_result_has_the_drops_so_far(detector):
    stats = Stats()
    stats.count_drop(Drop.REPLACED)
    assert make_pipeline(detector, stats).process(make_frame()).dropped['replaced'] == 1


def test_boxes_below_the_confidence_are_tracked_but_not_published(detector):
    result = make_pipeline(detector).process(make_frame())
    assert [found.class_name for found in result.objects] == ['person', 'car']
    assert ids_of(result) == [1, 2]


def test_without_a_tracker_there_are_no_ids(detector):
    pipeline = make_pipeline(detector, **{'track.type': 'none'})
    result = pipeline.process(make_frame())
    assert ids_of(result) == [NO_TRACK, NO_TRACK]
    assert result.detections.track_id.dtype.kind == 'i'
    pipeline.reset_tracker()
    assert pipeline.health()[1].message == 'off: detections have no ids'


def test_ids_stay_from_frame_to_frame_and_are_new_after_a_reset(detector):
    pipeline = make_pipeline(detector)

    def ids(tenth):
        return ids_of(pipeline.process(make_frame(stamp_ns=SECOND_NS + tenth * SECOND_NS // 10)))
    assert ids(0) == ids(1) == [1, 2]
    pipeline.reset_tracker()
    assert ids(2) == [3, 4]


def test_new_settings_apply_from_the_next_frame_on_and_tracks_continue(detector):
    pipeline = make_pipeline(detector)
    pipeline.process(make_frame(stamp_ns=1))
    pipeline.prepare(Settings().with_values({'detect.confidence': 0.8}))()
    result = pipeline.process(make_frame(stamp_ns=SECOND_NS // 10))
    assert [(found.class_name, found.track_id) for found in result.objects] == [('person', 1)]
    pipeline.prepare(Settings().with_values({'detect.classes': ['car']}))()
    result = pipeline.process(make_frame(stamp_ns=SECOND_NS // 5))
    assert [(found.class_name, found.track_id) for found in result.objects] == [('car', 2)]


def test_prepared_settings_change_nothing_before_they_are_applied(detector):
    pipeline = make_pipeline(detector)
    apply = pipeline.prepare(Settings().with_values({'detect.confidence': 0.8}))
    assert len(pipeline.process(make_frame()).objects) == 2
    apply()
    assert len(pipeline.process(make_frame()).objects) == 1


def test_frames_without_a_stamp_are_tracked_by_their_arrival(detector):
    pipeline = make_pipeline(detector)

    def ids(arrival_s):
        result = pipeline.process(replace(make_frame(stamp_ns=0), arrival_s=arrival_s))
        assert result.frame.stamp_ns == 0
        return ids_of(result)
    assert ids(100.0) == ids(100.1) == [1, 2]
    assert ids(105.0) == [NO_TRACK, NO_TRACK], 'a gap longer than track.lost_s'
    assert ids(105.1) == [3, 4]


def test_a_gap_longer_than_lost_s_ends_all_tracks(detector):
    pipeline = make_pipeline(detector)

    def ids(time_s):
        return ids_of(pipeline.process(make_frame(stamp_ns=round(time_s * SECOND_NS))))
    assert ids(10.0) == ids(10.1) == ids(11.0) == [1, 2]
    assert ids(12.1) == [NO_TRACK, NO_TRACK]
    assert ids(12.2) == [3, 4]


def test_a_refused_change_leaves_everything_as_it_was(detector):
    pipeline = make_pipeline(detector)
    with pytest.raises(SettingError, match="the model has no class 'cow'"):
        pipeline.prepare(
            Settings().with_values({'detect.classes': ['cow'], 'detect.confidence': 0.8}))
    assert len(pipeline.process(make_frame()).objects) == 2


def test_an_unknown_class_is_refused_at_the_beginning(detector):
    with pytest.raises(SettingError, match="the model has no class 'cow'"):
        make_pipeline(detector, **{'detect.classes': ['cow']})


def test_the_error_of_a_model_is_raised_and_is_never_an_empty_result(detector, monkeypatch):
    stats = Stats()
    pipeline = make_pipeline(detector, stats)

    def fail(tensor):
        raise RuntimeError('out of memory')
    monkeypatch.setattr(detector, 'run', fail)
    with pytest.raises(RuntimeError, match='out of memory'):
        pipeline.process(make_frame())
    assert stats.snapshot().processed == 0


def test_health_has_the_model_with_its_latencies_and_the_tracker(detector):
    pipeline = make_pipeline(detector)
    pipeline.process(make_frame())
    model, tracker = pipeline.health()
    assert (model.name, model.level) == ('model', Level.OK)
    assert model.values['processed'] == 1
    assert {'total_p50_ms', 'decode_p95_ms', 'memory_mib'} <= model.values.keys()
    assert (model.values['model'], model.values['input']) == ('m', '64 x 64')
    assert (tracker.name, tracker.level, tracker.message) == ('tracker', Level.OK, 'bytetrack')


def test_health_reports_failed_and_replaced_frames_since_the_previous_call(detector):
    stats = Stats()
    pipeline = make_pipeline(detector, stats)
    for _ in range(3):
        stats.count_offered()
    stats.count_drop(Drop.REPLACED)
    assert '1 of 3 frames were replaced by newer ones' in pipeline.health()[0].message
    stats.count_drop(Drop.INFERENCE_ERROR)
    stats.record_error('inference failed: out of memory')
    model = pipeline.health()[0]
    assert (model.level, model.message) == (
        Level.ERROR,
        'inference failed on 1 frames; last: inference failed: out of memory')
    assert pipeline.health()[0].level == Level.OK


def test_one_warning_says_that_the_frames_for_a_server_need_more_than_a_gigabit_per_second(
        detector, caplog):
    ticks = count(100)
    stats = Stats(clock_s=lambda: next(ticks) / 30)
    for _ in range(100):
        stats.count_offered()
    detector.info = replace(detector.info, frame_bytes=640 * 640 * 3)
    make_pipeline(detector, stats).health()
    detector.info = replace(detector.info, frame_bytes=640 * 640 * 3 * 4)
    make_pipeline(detector, stats, **{'source.max_fps': 10.0}).health()
    assert not caplog.records
    pipeline = make_pipeline(detector, stats)
    pipeline.health()
    pipeline.health()
    assert [record.getMessage()[:46] for record in caplog.records] == [
        'model m: 1.2 Gbit/s to the server are needed f']


def test_the_image_is_not_changed_and_not_kept(detector):
    frame = make_frame()
    before = frame.image.copy()
    result = make_pipeline(detector).process(frame)
    assert (frame.image == before).all()
    assert not any(np.shares_memory(frame.image, array) for array in (
        result.detections.xyxy, result.detections.score))


@pytest.fixture
def blind(tmp_path):
    """Return a detector that detects nothing in tensors of 640 x 352."""
    path = write_model(
        tmp_path / 'blind.onnx', yolo_table([], 2, anchors=4620),
        input_shape=(1, 3, 352, 640), metadata={'names': "['person', 'car']"})
    detector = Detector.load(ModelSettings(id=str(path)))
    yield detector
    detector.close()


def texture(shift=0):
    """Return an image of 1280 x 720 of a camera that has moved to the left, px."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (45, 100, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (1600, 720), interpolation=cv2.INTER_CUBIC)
    return wide[:, 160 - shift:1440 - shift]


def processed(pipeline, index, shift=0):
    """Process the image of a camera that has moved; return the result."""
    frame = make_frame(
        index, width=1280, height=720, stamp_ns=SECOND_NS + index * SECOND_NS // 10)
    return pipeline.process(replace(frame, image=texture(shift)))


def test_a_result_has_the_motion_of_the_camera(blind):
    pipeline = make_pipeline(blind)
    assert processed(pipeline, 0).camera_motion is None
    assert processed(pipeline, 1).camera_motion == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    moved = processed(pipeline, 2, shift=30).camera_motion
    assert moved == pytest.approx((1.0, 0.0, 30.0, 0.0, 1.0, 0.0), abs=0.5)
    values = {part.name: part.values for part in pipeline.health()}['tracker']
    assert values['motion_known_percent'] == pytest.approx(66.7)
    assert values['motion_max_px'] == pytest.approx(30.0, abs=0.5)
    pipeline.close()


def test_the_compensation_is_switched_between_two_frames(blind):
    pipeline = make_pipeline(blind)
    processed(pipeline, 0)
    pipeline.prepare(Settings().with_values({'track.camera_motion': 'none'}))()
    assert processed(pipeline, 1, shift=30).camera_motion is None
    pipeline.prepare(Settings())()
    assert processed(pipeline, 2, shift=60).camera_motion is None, 'the first frame'
    moved = processed(pipeline, 3, shift=80).camera_motion
    assert moved == pytest.approx((1.0, 0.0, 20.0, 0.0, 1.0, 0.0), abs=0.5)
    pipeline.close()


def test_the_motion_is_measured_from_the_latest_frame_whose_network_did_not_fail(
        blind, monkeypatch):
    pipeline = make_pipeline(blind)
    processed(pipeline, 0)
    with monkeypatch.context() as patch:
        patch.setattr(blind, 'run', Mock(side_effect=RuntimeError('out of memory')))
        with pytest.raises(RuntimeError):
            processed(pipeline, 1, shift=50)
    moved = processed(pipeline, 2, shift=20).camera_motion
    assert moved == pytest.approx((1.0, 0.0, 20.0, 0.0, 1.0, 0.0), abs=0.5)
    pipeline.close()


def test_a_closed_pipeline_has_no_thread(blind):
    before = threading.enumerate()
    pipeline = make_pipeline(blind)
    processed(pipeline, 0)
    started = [thread for thread in threading.enumerate() if thread not in before]
    assert any('motion' in thread.name for thread in started)
    pipeline.close()
    assert not any(thread.is_alive() for thread in started)


@pytest.mark.parametrize('tracker', ['bytetrack', 'none'])
def test_boxes_for_the_dataset_do_not_change_what_is_published(tmp_path, tracker):
    random = np.random.default_rng(5)
    corners = random.uniform(0, 40, (60, 2))
    boxes = [(x, y, x + 14, y + 14, score, i % 2) for i, ((x, y), score) in enumerate(
        zip(corners, random.uniform(0.02, 0.95, 60)))]
    path = write_model(
        tmp_path / 'm.onnx', yolo_table(boxes, 2), metadata={'names': "['person', 'car']"})
    detector = Detector.load(ModelSettings(id=str(path)))
    plain = make_pipeline(detector, **{'track.type': tracker})
    collecting = make_pipeline(detector, **{
        'track.type': tracker, 'dataset.directory': '/data', 'dataset.rules': ['unsure'],
        'dataset.unsure.type': 'close_to_threshold', 'dataset.unsure.threshold': 0.1,
        'dataset.unsure.epsilon': 0.05})
    for i in range(4):
        frame = make_frame(i, stamp_ns=(i + 1) * SECOND_NS // 10)
        without, with_boxes = plain.process(frame), collecting.process(frame)
        assert without.objects == with_boxes.objects and without.objects
        assert without.candidates is None
        assert with_boxes.candidates.score.min() < 0.1
    detector.close()
