# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Positions, sizes and uncertainties of detections, from their boxes and a depth image."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.errors import FrameError
from udp_infer_ros.positions.camera import align, Camera
from udp_infer_ros.positions.depth_image import DepthImage
from udp_infer_ros.positions.surfaces import CENTRAL_PART, DepthRange, find_surfaces

ORIENTATION_VARIANCE = math.pi**2 / 3
"""Of an angle that may have any value from -pi to pi, rad^2."""
CENTRAL_VARIANCE = CENTRAL_PART**2 / 12
"""Of the uniform distribution of the samples in a box, in squares of its width or height."""
MARGIN = 1.1
"""A center further from the origin, in widths or heights, is of an image of another size."""


@dataclass(frozen=True, kw_only=True)
class Positions:
    """Positions of m of the detections, in the optical frame: x right, y down, z forward."""

    index: NDArray[np.int64]
    """(m,) number of each detection, ascending."""
    center_m: NDArray[np.float64]
    """(m, 3) center of the visible surface."""
    size_m: NDArray[np.float64]
    """(m, 3) width, height, and spread of the depth."""
    covariance: NDArray[np.float64]
    """(m, 36) of x, y, z and rotations about them, by rows, m^2 and rad^2."""


def locate(
    boxes: NDArray[np.float64], color: Camera, image: DepthImage, limits: DepthRange,
    depth: Camera | None = None,
) -> Positions:
    """
    Locate the detections whose boxes have valid depth.

    The position is where the ray through the center of a box meets the distance of the object.
    The box of the detection at this distance has the width and the height; the depth has the
    spread of the visible surface, from its 5th to its 95th percentile.

    The covariance is that of the measured points: along the ray by the spread of the depth, across
    it by the central part of the box. The orientation is unknown.

    :param boxes: (n, 4) x, y of the center, width, height, in pixels of the color image.
    :param color: the projection of the image in which the detections are.
    :param depth: that of the depth image, if it is not the same field of view.
    :raises FrameError: if the sizes of the boxes and of the images contradict each other.
    """
    height, width = image.pixels.shape
    alignment = align(color, depth, width, height)
    proper = np.all(np.isfinite(boxes), axis=1) & np.all(boxes[:, 2:] > 0.0, axis=1)
    boxes = np.where(proper[:, None], boxes, 0.0)
    _check_boxes(boxes, color)
    scale, offset = (np.array(2 * pair) for pair in (alignment.scale, alignment.offset))
    centers, halves = boxes[:, :2], boxes[:, 2:] / 2
    surfaces = find_surfaces(
        image.pixels, image.unit_m,
        np.hstack((centers - halves, centers + halves)) * scale + offset, limits)
    rays, extents = _rays(color, centers, halves)
    # Beyond the range of the distortion model there are no rays.
    reached = np.isfinite(rays).all(axis=1) & np.isfinite(extents).all(axis=1)
    index = np.flatnonzero(surfaces.found & proper & reached)
    rays, z = np.column_stack((rays, np.ones(len(rays))))[index], surfaces.depth_m[index, None]
    size_m = np.hstack((extents[index] * z, (surfaces.far_m - surfaces.near_m)[index, None]))
    return Positions(
        index=index, center_m=rays * z, size_m=size_m,
        covariance=_covariance(rays, size_m, surfaces.sigma_m[index]))


def _check_boxes(boxes: NDArray[np.float64], color: Camera) -> None:
    if np.any(boxes[:, :2] > MARGIN * np.array((color.width, color.height))):
        x, y = boxes[:, :2].max(axis=0)
        raise FrameError(
            'camera_info', f'{color.width} x {color.height}',
            f'must be of the image of the detections, which reach to {x:.0f}, {y:.0f}',
            'remap camera_info to that of the color image')


def _rays(
    color: Camera, centers: NDArray[np.float64], halves: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n, 2) rays through the centers of boxes, and (n, 2) extents at the distance 1."""
    horizontal, vertical = halves * (1.0, 0.0), halves * (0.0, 1.0)
    center, left, right, top, bottom = color.rays(np.concatenate((
        centers, centers - horizontal, centers + horizontal, centers - vertical,
        centers + vertical))).reshape(5, -1, 2)
    extents = np.column_stack(((right - left)[:, 0], (bottom - top)[:, 1]))
    return center, np.abs(extents)


def _covariance(
    rays: NDArray[np.float64], size_m: NDArray[np.float64], sigma_m: NDArray[np.float64],
) -> NDArray[np.float64]:
    matrix = np.zeros((len(rays), 6, 6))
    matrix[:, :3, :3] = rays[:, :, None] * rays[:, None, :] * sigma_m[:, None, None]**2
    matrix[:, (0, 1), (0, 1)] += CENTRAL_VARIANCE * size_m[:, :2]**2
    matrix[:, (3, 4, 5), (3, 4, 5)] = ORIENTATION_VARIANCE
    return matrix.reshape(-1, 36)
