# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The projection of a camera, from the values of a sensor_msgs/CameraInfo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.errors import FrameError

Points = NDArray[np.float64]
"""Of shape (n, 2): x and y."""
FISHEYE = 'equidistant'
DISTORTION_MODELS = ('plumb_bob', 'rational_polynomial', FISHEYE)
"""The models of CameraInfo. OpenCV implements the first two in one function."""
COEFFICIENTS = (4, 5, 8, 12, 14)
"""Valid numbers of coefficients, except for FISHEYE, which has 4."""
MAX_TANGENT = 57.0
"""Of the angle between a ray and the optical axis; 89 degrees."""
ITERATIONS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
MAX_ASPECT_ERROR = 0.02
"""Two images of one field of view may differ by so much in the ratio of width to height."""


@dataclass(frozen=True, kw_only=True)
class CameraInfo:
    """The fields of a sensor_msgs/CameraInfo that describe a projection."""

    width: int
    height: int
    """Of the image of the whole sensor, pixels without binning."""
    distortion_model: str = ''
    d: tuple[float, ...] = ()
    k: tuple[float, ...]
    """3 x 3, by rows: of the unrectified image."""
    p: tuple[float, ...] = (0.0,) * 12
    """3 x 4, by rows: of the rectified image."""
    binning: tuple[int, int] = (0, 0)
    """Pixels of the sensor in a pixel of the image, in x and y; 0 means 1."""
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    """x, y, width, height of the part of the sensor in the image; zeros mean the whole."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """The projection between the pixels of an image and rays."""

    width: int
    height: int
    """Of the image."""
    focal: tuple[float, float]
    """Focal lengths in x and y, pixels of the image."""
    center: tuple[float, float]
    """Principal point, pixels of the image."""
    undistort: Callable[[Points], Points] | None
    """Maps distorted to undistorted rays; None without distortion."""

    def rays(self, points: Points) -> Points:
        """
        Return the directions of pixels: x / z and y / z in the optical frame of REP 103.

        NaN for a pixel outside the range of the distortion model.

        :param points: (n, 2), pixels.
        :return: (n, 2).
        """
        rays = (points - self.center) / self.focal
        return rays if self.undistort is None else self.undistort(rays)


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The pixel of a depth image for a pixel of the color image: scale * pixel + offset."""

    scale: tuple[float, float]
    offset: tuple[float, float]


def camera_from_info(info: CameraInfo, *, rectified: bool = False) -> Camera:
    """
    Return the projection of an image with its binning and region of interest.

    As image_geometry does, the region is subtracted first, then the binning divides.

    :param rectified: the image has been rectified, so that P applies, without distortion.
    :raises FrameError: if a value is invalid or the distortion model is unknown.
    """
    matrix = 'p' if rectified else 'k'
    fx, fy, cx, cy = (
        (info.p[0], info.p[5], info.p[2], info.p[6]) if rectified else
        (info.k[0], info.k[4], info.k[2], info.k[5]))
    if not (np.isfinite((fx, fy, cx, cy)).all() and fx > 0.0 and fy > 0.0):
        raise FrameError(
            f'camera_info.{matrix}', list(info.p if rectified else info.k),
            'must have focal lengths above 0', 'calibrate the camera')
    step_x, step_y = (max(1, step) for step in info.binning)
    x, y, width, height = info.roi
    width, height = (width or info.width) // step_x, (height or info.height) // step_y
    if width < 1 or height < 1:
        raise FrameError('camera_info', f'{width} x {height}', 'must have a width and a height')
    return Camera(
        width=width, height=height, focal=(fx / step_x, fy / step_y),
        center=((cx - x) / step_x, (cy - y) / step_y),
        undistort=None if rectified else _undistortion(info))


def align(color: Camera, depth: Camera | None, width: int, height: int) -> Alignment:
    """
    Return where the pixels of a color image are in a depth image that is registered to it.

    :param depth: the projection of the depth image; None if it has the field of view of the
        color image, so that the sizes determine the scale.
    :param width: of the depth image, pixels.
    :param height: of the depth image, pixels.
    :raises FrameError: if the sizes contradict each other.
    """
    size = f'{width} x {height}'
    if depth is None:
        x, y = width / color.width, height / color.height
        if abs(x / y - 1.0) > MAX_ASPECT_ERROR:
            raise FrameError(
                'depth', size, f'must have the aspect ratio of the color image, {color.width} x '
                f'{color.height} by camera_info', 'remap depth_camera_info to that of the depth '
                'image')
        # The center of a pixel has a whole number.
        return Alignment(scale=(x, y), offset=(x / 2 - 0.5, y / 2 - 0.5))
    if (depth.width, depth.height) != (width, height):
        raise FrameError(
            'depth', size, f'must have the size of its camera_info, {depth.width} x '
            f'{depth.height}', 'remap depth_camera_info to that of the depth image')
    x, y = depth.focal[0] / color.focal[0], depth.focal[1] / color.focal[1]
    return Alignment(scale=(x, y), offset=(
        depth.center[0] - x * color.center[0], depth.center[1] - y * color.center[1]))


def _undistortion(info: CameraInfo) -> Callable[[Points], Points] | None:
    """Return the function that undistorts rays; None without distortion."""
    if not any(info.d):
        return None
    model, count = info.distortion_model, len(info.d)
    if model not in DISTORTION_MODELS:
        raise FrameError(
            'camera_info.distortion_model', model,
            f'must be one of {", ".join(DISTORTION_MODELS)}',
            'use a rectified image, with the parameter rectified')
    if not np.isfinite(info.d).all() or count not in (
            (4,) if model == FISHEYE else COEFFICIENTS):
        raise FrameError(
            'camera_info.d', list(info.d), f'must be the coefficients of the model {model}')
    coefficients, identity = np.array(info.d, dtype=np.float64), np.eye(3)

    def undistort(rays: Points) -> Points:
        points = np.ascontiguousarray(rays.reshape(-1, 1, 2))
        if model == FISHEYE:
            found = cv2.fisheye.undistortPoints(points, identity, coefficients)
        elif hasattr(cv2, 'undistortPointsIter'):  # OpenCV 4
            found = cv2.undistortPointsIter(
                points, identity, coefficients, None, None, ITERATIONS)
        else:
            found = cv2.undistortPoints(points, identity, coefficients, criteria=ITERATIONS)
        found = np.asarray(found, dtype=np.float64).reshape(-1, 2)
        return np.where(np.abs(found) < MAX_TANGENT, found, np.nan)
    return undistort
