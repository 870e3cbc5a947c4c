# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames keep their identity, detections their rows, and results are plain numbers."""

from helpers import make_detections, make_frame, make_result
import numpy as np
import pytest
from udp_infer_ros.errors import FrameError
from udp_infer_ros.frame import caption, Detections, Frame, NO_TRACK

COLUMNS = ('xyxy', 'score', 'class_id', 'class_name', 'track_id')


@pytest.mark.parametrize('image, found', [
    (np.zeros((4, 4), np.uint8), 'uint8[4, 4]'),
    (np.zeros((4, 4, 4), np.uint8), 'uint8[4, 4, 4]'),
    (np.zeros((4, 4, 3), np.float32), 'float32[4, 4, 3]'),
    (np.zeros((0, 4, 3), np.uint8), 'uint8[0, 4, 3]'),
])
def test_only_a_bgr_image_becomes_a_frame(image, found):
    with pytest.raises(FrameError) as caught:
        Frame.from_image(image, index=0, stamp_ns=0, frame_id='', source='', arrival_s=0.0)
    assert str(caught.value) == (
        f'image = {found!r}: must be uint8 of shape (height, width, 3), with height and width '
        'above 0')


def test_a_frame_has_the_size_of_its_image():
    info = make_frame(index=5, width=20, height=10).info
    assert (info.index, info.width, info.height) == (5, 20, 10)


def test_frames_are_compared_by_identity():
    frame = make_frame()
    assert frame == frame
    assert frame != make_frame()


def test_empty_detections_have_columns_of_the_same_types():
    empty, full = Detections.empty(), make_detections(2)
    assert len(empty) == 0 and empty.xyxy.shape == (0, 4)
    for name in COLUMNS:
        assert getattr(empty, name).dtype.kind == getattr(full, name).dtype.kind


@pytest.mark.parametrize('rows', [
    np.array([True, False, False, True]), np.array([3, 0]), np.array([], dtype=int)])
def test_rows_are_selected_in_every_column(rows):
    found = make_detections(4)
    for name in COLUMNS:
        np.testing.assert_array_equal(
            getattr(found[rows], name), getattr(found, name)[rows], strict=True)


def test_track_ids_are_set_on_a_copy():
    found = make_detections(2)
    changed = found.with_track_ids(np.array([7, NO_TRACK]))
    assert changed.track_id.tolist() == [7, NO_TRACK]
    assert found.track_id.tolist() == [1, NO_TRACK]
    assert changed.xyxy is found.xyxy


def test_detections_convert_to_supervision():
    found = make_detections(3)
    converted = found.to_supervision()
    np.testing.assert_array_equal(converted.xyxy, found.xyxy)
    np.testing.assert_array_equal(converted.confidence, found.score)
    np.testing.assert_array_equal(converted.class_id, found.class_id)
    np.testing.assert_array_equal(converted.tracker_id, found.track_id)
    assert converted['class_name'].tolist() == found.class_name.tolist()


def test_objects_are_plain_numbers_in_the_order_of_the_detections():
    result = make_result(30)
    detections = result.detections
    assert len(result.objects) == 30
    for found, xyxy, score, class_id, name, track_id in zip(
            result.objects, detections.xyxy, detections.score, detections.class_id,
            detections.class_name, detections.track_id):
        assert all(type(value) is float for value in found[:5])
        assert type(found.class_id) is int and type(found.class_name) is str
        corners = (found.x - found.width / 2, found.y - found.height / 2,
                   found.x + found.width / 2, found.y + found.height / 2)
        np.testing.assert_allclose(corners, xyxy, atol=0.0051)
        assert found.score == pytest.approx(score, abs=0.000051)
        assert (found.class_id, found.class_name) == (class_id, name)
        assert found.track_id == track_id


def test_an_empty_result_has_no_objects():
    assert make_result(0).objects == ()


def test_an_object_without_a_track_has_the_id_for_that():
    assert {found.track_id for found in make_result(3).objects} == {1, NO_TRACK}


def test_rounding_keeps_a_box_inside_the_image():
    result = make_result(1)
    result.detections.xyxy[0] = (0.0, 0.0, 640.0, 480.0)
    found = result.objects[0]
    assert found.x + found.width / 2 <= 640.0 and found.y + found.height / 2 <= 480.0


def test_a_caption_has_the_track_id_if_there_is_one():
    assert caption('person', 0.876, 12) == '#12 person 0.88'
    assert caption('person', 0.876, NO_TRACK) == 'person 0.88'
