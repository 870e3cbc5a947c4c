# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Depth images of scenes with known geometry, for the tests and for demo_3d.py.

Coordinates are those of an optical frame: x right, y down, z forward, meters. A scene consists of
boxes, which may be turned about the vertical axis, in front of a wall, on a floor. Every pixel has
the distance from the plane of the camera, and the number of the box that it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

WALL, FLOOR = -1, -2
"""Numbers of the pixels that show no box."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera without distortion, whose principal point is the center of its image."""

    width: int = 640
    height: int = 480
    focal: float = 525.0

    @property
    def center(self) -> tuple[float, float]:
        """Return the principal point, pixels."""
        return (self.width - 1) / 2, (self.height - 1) / 2

    @property
    def k(self) -> tuple[float, ...]:
        """Return the matrix K, by rows."""
        x, y = self.center
        return self.focal, 0.0, x, 0.0, self.focal, y, 0.0, 0.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box; its size is along its own axes."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float = 0.0
    """Rotation about the vertical axis, radians."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is in front of the camera."""

    boxes: Sequence[Box]
    wall_m: float
    """Distance of the wall."""
    floor_m: float | None = None
    """Height of the camera above the floor; None without a floor."""


def render(scene: Scene, view: View) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """
    Render a scene.

    :return: (height, width) depth, meters, and number of the box, or WALL or FLOOR.
    """
    columns, rows = np.meshgrid(np.arange(view.width), np.arange(view.height))
    x = (columns - view.center[0]) / view.focal
    y = (rows - view.center[1]) / view.focal
    depth = np.full(x.shape, scene.wall_m)
    shown = np.full(x.shape, WALL)
    if scene.floor_m is not None:
        floor = np.where(y > 1e-6, scene.floor_m / np.maximum(y, 1e-6), math.inf)
        nearer = floor < depth
        depth[nearer], shown[nearer] = floor[nearer], FLOOR
    for number, box in enumerate(scene.boxes):
        hit = _hit(box, x, y)
        nearer = hit < depth
        depth[nearer], shown[nearer] = hit[nearer], number
    return depth, shown


def _hit(
    box: Box, x: NDArray[np.float64], y: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the depth at which each ray (x, y, 1) enters a box; infinity if it does not."""
    c, s = math.cos(box.yaw), math.sin(box.yaw)
    # Into the axes of the box.
    rays = (c * x - s, y, s * x + c)
    px, py, pz = box.center
    origin = (-(c * px - s * pz), -py, -(s * px + c * pz))
    enter, leave = np.zeros_like(x), np.full(x.shape, math.inf)
    for ray, start, size in zip(rays, origin, box.size):
        ray = np.where(np.abs(ray) < 1e-12, 1e-12, ray)
        one, other = (-size / 2 - start) / ray, (size / 2 - start) / ray
        enter = np.maximum(enter, np.minimum(one, other))
        leave = np.minimum(leave, np.maximum(one, other))
    return np.where((enter < leave) & (enter > 0.0), enter, math.inf)


def sigma_m(depth_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the standard deviation of a depth from a Kinect, meters.

    For surfaces that face the sensor: Nguyen, Izadi and Lovell, Modeling Kinect Sensor Noise for
    Improved 3D Reconstruction and Tracking, 3DIMPVT 2012. It was measured up to 3 m.
    """
    return np.asarray(0.0012 + 0.0019 * (depth_m - 0.4)**2)


def noisy(
    depth_m: NDArray[np.float64], random: np.random.Generator, missing: float = 0.0,
) -> NDArray[np.float64]:
    """
    Return what a Kinect would measure, meters; NaN where it measures nothing.

    :param missing: share of the pixels without a measurement.
    """
    measured = depth_m + random.standard_normal(depth_m.shape) * sigma_m(depth_m)
    measured[random.random(depth_m.shape) < missing] = math.nan
    return measured


def extent(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Return the box around the pixels of a mask: x, y of its center, width, height, pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    width, height = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    return (
        columns[0] + (width - 1) / 2, rows[0] + (height - 1) / 2, float(width), float(height))


def to_millimeters(depth_m: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return depths as in the encoding 16UC1; 0 for invalid ones."""
    valid = np.isfinite(depth_m) & (depth_m > 0.0)
    return np.where(valid, np.clip(np.round(depth_m * 1000.0), 0, 65535), 0).astype(np.uint16)
