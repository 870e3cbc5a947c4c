# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames have an identity, results say the same to everybody."""

from helpers import make_frame, make_result
import numpy as np
import pytest
from udp_infer_ros.errors import FrameError
from udp_infer_ros.frame import Frame, NO_TRACK


@pytest.mark.parametrize('image, shown', [
    (np.zeros((4, 4), np.uint8), 'uint8[4, 4]'),
    (np.zeros((4, 4, 4), np.uint8), 'uint8[4, 4, 4]'),
    (np.zeros((4, 4, 3), np.float32), 'float32[4, 4, 3]'),
    (np.zeros((0, 4, 3), np.uint8), 'uint8[0, 4, 3]'),
])
def test_what_is_not_a_bgr_image_does_not_become_a_frame(image, shown):
    with pytest.raises(FrameError) as caught:
        Frame.of(image, index=0, stamp_ns=0, frame_id='', source='', born_s=0.0)
    assert str(caught.value) == (
        f'image = {shown!r}: must be uint8 of shape (height, width, 3), neither of them 0')


def test_a_frame_knows_its_size():
    info = make_frame(index=5, width=20, height=10).info
    assert (info.index, info.width, info.height) == (5, 20, 10)


def test_frames_can_be_compared_without_numpy_objecting():
    frame = make_frame()
    assert frame == frame
    assert frame != make_frame()


def test_objects_are_plain_numbers_in_the_order_of_the_detections():
    result = make_result(30)
    assert len(result.objects) == 30
    for found, xyxy, score, track in zip(
            result.objects, result.detections.xyxy, result.detections.confidence,
            result.detections.tracker_id):
        assert all(type(value) is float for value in found[:5])
        assert type(found.class_id) is int and type(found.class_name) is str
        corners = (found.x - found.width / 2, found.y - found.height / 2,
                   found.x + found.width / 2, found.y + found.height / 2)
        np.testing.assert_allclose(corners, xyxy, atol=0.0051)
        assert found.score == pytest.approx(score, abs=0.000051)
        assert found.track_id == track


def test_objects_of_an_empty_result_are_none():
    assert make_result(0).objects == ()


def test_an_object_without_a_track_says_so():
    assert {found.track_id for found in make_result(3).objects} == {1, NO_TRACK}


def test_rounding_keeps_a_box_inside_the_image():
    result = make_result(1)
    result.detections.xyxy[0] = (0.0, 0.0, 640.0, 480.0)
    found = result.objects[0]
    assert found.x + found.width / 2 <= 640.0 and found.y + found.height / 2 <= 480.0
