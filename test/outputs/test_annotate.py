# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Pictures show what was found and leave the original alone."""

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


def test_an_empty_scene_is_the_image():
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
