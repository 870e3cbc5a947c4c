# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Positions, sizes and covariances of detections in rendered scenes."""

from dataclasses import replace

import cv2
from depth_scenes import Box, extent, render, Scene, to_millimeters, View
import numpy as np
import pytest
from udp_infer_ros.errors import FrameError, SettingError
from udp_infer_ros.positions.camera import camera_from_info, CameraInfo
from udp_infer_ros.positions.depth_image import DepthImage
from udp_infer_ros.positions.locate import locate
from udp_infer_ros.positions.settings import PositionSettings
from udp_infer_ros.positions.surfaces import DepthRange

VIEW = View()
INFO = CameraInfo(width=VIEW.width, height=VIEW.height, k=VIEW.k)
COLOR = camera_from_info(INFO)
LIMITS = DepthRange(low_m=0.1, high_m=20.0)
BOXES = (
    Box(center=(-0.6, 0.1, 2.05), size=(0.4, 0.6, 0.1)),
    Box(center=(0.7, -0.2, 3.05), size=(0.8, 0.5, 0.1)))
DEPTH, SHOWN = render(Scene(boxes=BOXES, wall_m=5.0), VIEW)
FOUND = np.array([extent(SHOWN == number) for number in range(len(BOXES))])


def depth_image(depth_m=DEPTH, size=None):
    """Return a depth image, scaled to a size if there is one."""
    pixels = to_millimeters(depth_m)
    if size:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST)
    return DepthImage(pixels=pixels, unit_m=0.001)


def test_center_and_size_are_those_of_the_visible_surface():
    positions = locate(FOUND, COLOR, depth_image(), LIMITS)
    assert positions.index.tolist() == [0, 1]
    assert np.abs(positions.center_m - [[-0.6, 0.1, 2.0], [0.7, -0.2, 3.0]]).max() < 0.02
    assert np.abs(positions.size_m - [[0.4, 0.6, 0.0], [0.8, 0.5, 0.0]]).max() < 0.02


@pytest.mark.parametrize('size', [(320, 240), (160, 120), (1280, 960), (848, 640)])
def test_the_depth_image_may_have_another_resolution(size):
    positions = locate(FOUND, COLOR, depth_image(size=size), LIMITS)
    assert np.abs(positions.center_m - [[-0.6, 0.1, 2.0], [0.7, -0.2, 3.0]]).max() < 0.02


def test_the_depth_image_may_show_another_field_of_view_with_its_own_info():
    cropped = depth_image(DEPTH[60:420, 40:600])
    k = list(INFO.k)
    k[2], k[5] = k[2] - 40, k[5] - 60
    own = camera_from_info(replace(INFO, width=560, height=360, k=tuple(k)))
    positions = locate(FOUND, COLOR, cropped, LIMITS, own)
    assert np.abs(positions.center_m - [[-0.6, 0.1, 2.0], [0.7, -0.2, 3.0]]).max() < 0.02


def test_a_detection_without_valid_depth_is_left_out():
    depth = DEPTH.copy()
    depth[SHOWN == 0] = 0.0
    assert locate(FOUND, COLOR, depth_image(depth), LIMITS).index.tolist() == [1]


@pytest.mark.parametrize('box', [
    (np.nan, 200.0, 50.0, 50.0), (300.0, 200.0, np.inf, 50.0), (300.0, 200.0, 0.0, 50.0),
    (300.0, 200.0, -5.0, 50.0), (-1e12, 200.0, 50.0, 50.0)])
def test_an_invalid_box_is_left_out_and_changes_no_other(box):
    positions = locate(np.vstack((box, FOUND)), COLOR, depth_image(), LIMITS)
    assert positions.index.tolist() == [1, 2]


def test_no_detections_are_no_positions():
    assert len(locate(np.zeros((0, 4)), COLOR, depth_image(), LIMITS).index) == 0


def test_boxes_beyond_the_image_of_the_camera_info_are_an_error():
    with pytest.raises(FrameError, match='must be of the image of the detections, which reach'):
        locate(np.array([[1700.0, 300.0, 50.0, 50.0]]), COLOR, depth_image(), LIMITS)


def test_the_covariance_is_symmetric_and_along_the_ray_that_of_the_depth():
    random = np.random.default_rng(5)
    depth = np.where(SHOWN >= 0, DEPTH + random.normal(0.0, 0.02, DEPTH.shape), DEPTH)
    positions = locate(FOUND, COLOR, depth_image(depth), LIMITS)
    matrices = positions.covariance.reshape(-1, 6, 6)
    assert np.allclose(matrices, matrices.transpose(0, 2, 1))
    assert (np.linalg.eigvalsh(matrices) > 0.0).all()
    assert np.sqrt(matrices[:, 2, 2]) == pytest.approx(0.02, rel=0.2)
    ray = positions.center_m[:, 0] / positions.center_m[:, 2]
    assert matrices[:, 0, 2] == pytest.approx(ray * matrices[:, 2, 2])


def test_the_range_of_the_settings_must_not_be_empty():
    with pytest.raises(SettingError, match='min_depth_m = 3.0: must be below max_depth_m'):
        PositionSettings().with_values({'min_depth_m': 3.0, 'max_depth_m': 2.0})
