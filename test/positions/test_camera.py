# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Rays and alignments follow CameraInfo: distortion, binning, region of interest, sizes."""

import math

import cv2
import numpy as np
import pytest
from udp_infer_ros.errors import FrameError
from udp_infer_ros.positions.camera import align, camera_from_info, CameraInfo

K = (600.0, 0.0, 330.0, 0.0, 610.0, 250.0, 0.0, 0.0, 1.0)
POINTS = np.array([[-0.4, -0.3, 1.0], [0.0, 0.0, 1.0], [0.45, 0.3, 1.0], [0.2, -0.1, 1.0]])


def info(**changed):
    """Return the values of a camera of 640 x 480 px."""
    return CameraInfo(**{'width': 640, 'height': 480, 'k': K, **changed})


def project(d, fisheye=False):
    """Return the pixels of POINTS by OpenCV."""
    k, zero, points = np.array(K).reshape(3, 3), np.zeros(3), POINTS.reshape(-1, 1, 3)
    function = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    return function(points, zero, zero, k, np.array(d))[0].reshape(-1, 2)


@pytest.mark.parametrize('model, d', [
    ('', ()), ('plumb_bob', (0.0,) * 5), ('plumb_bob', (-0.28, 0.07, 0.001, -0.0005, 0.01)),
    ('plumb_bob', (-0.28, 0.07, 0.001, -0.0005)),
    ('rational_polynomial', (0.2, -0.1, 0.0008, -0.0003, 0.02, 0.5, -0.15, 0.05)),
    ('equidistant', (0.03, -0.01, 0.004, -0.001))])
def test_rays_invert_the_projection_of_each_distortion_model(model, d):
    pixels = project(d or (0.0,) * 4, fisheye=model == 'equidistant')
    rays = camera_from_info(info(distortion_model=model, d=d)).rays(pixels)
    assert np.abs(rays - POINTS[:, :2]).max() < 1e-4


def test_the_projection_of_a_rectified_image_is_that_of_p_without_distortion():
    p = (500.0, 0.0, 320.0, 0.0, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    camera = camera_from_info(
        info(distortion_model='plumb_bob', d=(-0.3, 0.1, 0.0, 0.0, 0.0), p=p), rectified=True)
    assert camera.rays(np.array([[570.0, 140.0]])).tolist() == [[0.5, -0.2]]


def test_binning_and_region_of_interest_change_pixels_but_not_rays():
    whole = camera_from_info(info())
    part = camera_from_info(info(binning=(2, 2), roi=(40, 20, 400, 300)))
    assert (part.width, part.height) == (200, 150)
    pixels = np.array([[100.0, 60.0], [300.0, 200.0]])
    assert np.allclose(part.rays((pixels - (40, 20)) / 2), whole.rays(pixels))


@pytest.mark.parametrize('changed, text', [
    ({'k': (0.0,) * 9}, 'must have focal lengths above 0; calibrate the camera'),
    ({'k': (math.nan,) * 9}, 'must have focal lengths above 0'),
    ({'distortion_model': 'thin_prism', 'd': (0.1,)}, 'must be one of plumb_bob'),
    ({'distortion_model': 'plumb_bob', 'd': (0.1, 0.2)}, 'must be the coefficients'),
    ({'distortion_model': 'equidistant', 'd': (0.1,) * 5}, 'must be the coefficients'),
    ({'distortion_model': 'plumb_bob', 'd': (math.nan,) * 5}, 'must be the coefficients'),
    ({'width': 0, 'height': 0}, 'must have a width and a height')])
def test_an_unusable_camera_info_is_an_error(changed, text):
    with pytest.raises(FrameError, match=text):
        camera_from_info(info(**changed))


def test_a_ray_beyond_the_range_of_the_fisheye_model_is_nan():
    camera = camera_from_info(info(distortion_model='equidistant', d=(0.03, -0.01, 0.0, 0.0)))
    assert np.isnan(camera.rays(np.array([[1e5, 1e5]]))).all()


def test_without_an_info_of_the_depth_image_the_sizes_are_the_scale():
    alignment = align(camera_from_info(info()), None, 320, 240)
    assert alignment.scale == (0.5, 0.5)
    # The corners of both images coincide, and pixel 0 has its center at 0.
    assert alignment.offset == (-0.25, -0.25)


def test_the_info_of_the_depth_image_determines_scale_and_offset():
    color = camera_from_info(info())
    depth = camera_from_info(info(
        width=400, height=300, k=(300.0, 0.0, 210.0, 0.0, 305.0, 145.0, 0.0, 0.0, 1.0)))
    alignment = align(color, depth, 400, 300)
    pixel = np.array([[500.0, 100.0]])
    assert np.allclose(
        depth.rays(pixel * alignment.scale + alignment.offset), color.rays(pixel))


@pytest.mark.parametrize('depth, size, text', [
    (None, (320, 180), 'must have the aspect ratio of the color image, 640 x 480'),
    (info(width=320, height=240), (640, 480), 'must have the size of its camera_info, 320 x 240')])
def test_sizes_that_contradict_each_other_are_an_error(depth, size, text):
    with pytest.raises(FrameError, match=text):
        align(camera_from_info(info()), depth and camera_from_info(depth), *size)
