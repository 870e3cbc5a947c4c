# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Boxes in the network's input are converted back to the image exactly."""

import numpy as np
import pytest
from udp_infer_ros.detection.letterbox import Letterbox


def random_sizes(count):
    """Return image sizes from 1 to 4000 pixels, aspect ratios up to 20:1, and extreme ones."""
    random = np.random.default_rng(3)
    longest = random.integers(1, 4001, count)
    shortest = np.maximum(1, longest // random.uniform(1, 20, count)).astype(int)
    upright = random.random(count) < 0.5
    sizes = np.where(upright[:, None], np.stack((shortest, longest), 1),
                     np.stack((longest, shortest), 1))
    return [*map(tuple, sizes.tolist()), (1, 1), (1, 4000), (4000, 1), (4000, 200), (640, 640)]


@pytest.mark.parametrize('input_size', [(640, 640), (416, 416), (320, 640), (33, 1280)])
@pytest.mark.parametrize('keep_aspect, center', [(True, True), (True, False), (False, False)])
def test_undo_is_the_inverse_of_resizing_and_shifting_at_every_size(
        input_size, keep_aspect, center):
    random = np.random.default_rng(5)
    for width, height in random_sizes(1000):
        box = Letterbox.fit(
            (width, height), input_size, keep_aspect=keep_aspect, center=center)
        corners = np.sort(random.uniform(0, 1, (8, 2, 2)), axis=1) * (width, height)
        boxes = corners.reshape(8, 4)
        scale = np.array((box.width / width, box.height / height) * 2)
        in_input = boxes * scale + (box.left, box.top) * 2
        np.testing.assert_allclose(box.undo(in_input), boxes, rtol=0, atol=1e-8)
        assert box.left + box.width <= input_size[0] and box.top + box.height <= input_size[1]
        assert box.width >= 1 and box.height >= 1


def test_the_resized_image_maps_to_the_whole_image_though_its_size_is_rounded():
    box = Letterbox.fit((1279, 717), (640, 640))
    np.testing.assert_allclose(
        box.undo(np.array([[box.left, box.top, box.left + box.width, box.top + box.height]])),
        [[0, 0, 1279, 717]], atol=1e-9)


def test_the_size_of_the_resized_image_can_be_rounded_down():
    assert Letterbox.fit((451, 300), (640, 640)).height == 426
    assert Letterbox.fit((451, 301), (640, 640)).height == 427
    assert Letterbox.fit((451, 301), (640, 640), round_down=True).height == 427
    assert Letterbox.fit((451, 302), (640, 640), round_down=True).height == 428
    assert Letterbox.fit((451, 302), (640, 640)).height == 429


@pytest.mark.parametrize('options, height, top', [
    ({}, 360, 140), ({'center': False}, 360, 0), ({'keep_aspect': False}, 640, 0)])
def test_the_padding_is_equal_on_both_sides_or_at_the_end(options, height, top):
    assert Letterbox.fit((1280, 720), (640, 640), **options) == Letterbox(
        image_width=1280, image_height=720, width=640, height=height, left=0, top=top)
