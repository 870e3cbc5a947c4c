# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detections are drawn into a copy of the image."""

from helpers import make_detections
import numpy as np
from udp_infer_ros.outputs.annotate import Annotator


def test_boxes_are_drawn_into_a_copy():
    image = np.full((480, 640, 3), 90, dtype=np.uint8)
    image.setflags(write=False)
    found = make_detections(3)
    scene = Annotator().draw(image, found)
    assert scene.shape == image.shape and (image == 90).all()
    for x1, y1, x2, y2 in found.xyxy.astype(int):
        assert (scene[(y1 + y2) // 2, x1 - 1:x1 + 2] != 90).any(), 'the left edge of a box'


def test_without_detections_the_drawing_is_the_image():
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert (Annotator().draw(image, make_detections(0)) == image).all()


def test_an_object_that_moves_leaves_a_trail():
    annotator = Annotator()
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    found = make_detections(1)
    found.xyxy[0] = (10, 100, 30, 120)
    annotator.draw(image, found)
    found.xyxy[0] = (300, 100, 320, 120)
    scene = annotator.draw(image, found)
    assert scene[105:115, 100:250].any()


def test_an_object_without_a_track_and_a_drawing_without_trails_have_no_trail():
    found = make_detections(2)
    found.xyxy[:] = (10, 100, 30, 120), (10, 300, 30, 320)
    moved = make_detections(2)
    moved.xyxy[:] = (300, 100, 320, 120), (300, 300, 320, 320)
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    for trails, has_trail in ((True, True), (False, False)):
        annotator = Annotator()
        annotator.draw(image, found, trails=trails)
        scene = annotator.draw(image, moved, trails=trails)
        assert scene[105:115, 100:250].any() == has_trail, 'track id 1'
        assert not scene[305:315, 100:250].any(), 'no track'
