# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The two box layouts convert into each other, and corners are rounded to 0.01 px."""

import numpy as np
import pytest
from udp_infer_ros.boxes import (
    center_size_from_corners, corners_from_center_size, round_corners)

CORNERS = [[0.0, 0.0, 10.0, 4.0], [-2.0, 5.0, 3.0, 6.0]]
CENTER_SIZE = [[5.0, 2.0, 10.0, 4.0], [0.5, 5.5, 5.0, 1.0]]


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_corners_and_center_with_size_convert_both_ways_in_the_same_type(dtype):
    corners, center_size = np.array(CORNERS, dtype), np.array(CENTER_SIZE, dtype)
    np.testing.assert_array_equal(center_size_from_corners(corners), center_size, strict=True)
    np.testing.assert_array_equal(corners_from_center_size(center_size), corners, strict=True)


@pytest.mark.parametrize(
    'convert', [center_size_from_corners, corners_from_center_size, round_corners])
def test_no_boxes_stay_no_boxes(convert):
    assert convert(np.empty((0, 4), dtype=np.float32)).shape == (0, 4)


def test_corners_are_rounded_to_hundredths_in_double_precision():
    rounded = round_corners(np.array([[0.004, 1.006, 639.9999, 0.1]], dtype=np.float32))
    np.testing.assert_array_equal(rounded, np.array([[0.0, 1.01, 640.0, 0.1]]), strict=True)
