# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The distance of an object is that of its visible surface, in rendered scenes."""

import math

from depth_scenes import (
    Box, extent, noisy, render, Scene, sigma_m, to_millimeters, View, WALL)
import numpy as np
import pytest
from udp_infer_ros.positions.surfaces import DepthRange, find_surfaces

VIEW = View()
LIMITS = DepthRange(low_m=0.1, high_m=20.0)
DISTANCES = np.geomspace(0.3, 10.0, 25)
SMALLEST_PX = 16


def corners(box):
    """Return left, top, right, bottom of a box with its center and size."""
    x, y, width, height = box
    return np.array([[x - width / 2, y - height / 2, x + width / 2, y + height / 2]])


def distance(depth_m, box, *, encoding='16UC1', limits=LIMITS):
    """Return the distance in a box, meters; None without."""
    pixels, unit_m = (
        (to_millimeters(depth_m), 0.001) if encoding == '16UC1' else
        (depth_m.astype(np.float32), 1.0))
    surfaces = find_surfaces(pixels, unit_m, corners(box), limits)
    return float(surfaces.depth_m[0]) if surfaces.found[0] else None


def gap_m(distance_m):
    """Return a distance between an object and a wall at which a Kinect can separate them."""
    return max(0.15, 6.0 * float(sigma_m(np.array(distance_m))))


def solid(z, random):
    """Return a box that faces the camera."""
    size = z * random.uniform(0.1, 0.5, 2)
    return [Box(center=(0.1 * z, 0.05 * z, z + 0.1), size=(*size, 0.2))]


def turned(z, random):
    """Return a box that is turned, so that its surface is at many distances."""
    width, height = z * random.uniform(0.15, 0.3, 2)
    return [Box(center=(-0.1 * z, 0.0, z + width), size=(width, height, width),
                yaw=random.uniform(0.2, 1.3))]


def frame(z, random):
    """Return a plate with legs, between which the wall is visible: a table from the side."""
    width = 0.4 * z
    parts = [Box(center=(0.0, -0.12 * z, z + 0.02), size=(width, 0.12 * z, 0.04))]
    return parts + [
        Box(center=(x, 0.05 * z, z + 0.02), size=(0.2 * width, 0.35 * z, 0.04))
        for x in (-0.3 * width, 0.3 * width)]


SHAPES = {'solid': solid, 'turned': turned, 'frame': frame}


def measure(shape, z, random, *, holes=0.0, occluder=0.0, encoding='16UC1', floor=False):
    """Measure the distance of an object; return it, the true one and that of the wall."""
    parts = SHAPES[shape](z, random)
    size_m = max(part.size[2] for part in parts)
    wall_m = z + 2 * size_m + gap_m(z + 2 * size_m) * random.uniform(1.0, 3.0)
    scene = Scene(boxes=parts, wall_m=wall_m, floor_m=0.4 * z if floor else None)
    depth, shown = render(scene, VIEW)
    box = extent(shown >= 0)
    assert min(box[2:]) >= SMALLEST_PX
    x, y, width, height = (round(value) for value in box)
    central = np.zeros(shown.shape, dtype=bool)
    dx, dy = round(0.35 * width), round(0.35 * height)
    central[y - dy:y + dy + 1, x - dx:x + dx + 1] = True
    truth = float(np.median(depth[central & (shown >= 0)]))
    if occluder:
        # A post at the left side, which covers this part of the width.
        left, post_m = x - width / 2, 0.7 * z
        right = left + occluder * width
        columns = np.array([left - 0.2 * width, right]) - VIEW.center[0]
        edges = columns / VIEW.focal * post_m
        post = Box(center=(edges.mean(), 0.0, post_m + 0.01),
                   size=(edges[1] - edges[0], 2 * z, 0.02))
        depth, _ = render(Scene(boxes=[*parts, post], wall_m=wall_m, floor_m=scene.floor_m), VIEW)
    measured = noisy(depth, random, missing=holes)
    if holes:
        # A dark patch on the object, without any measurement.
        measured[y:y + height // 6, x - width // 6:x + width // 6] = math.nan
    return distance(measured, box, encoding=encoding), truth, wall_m


CASES = {
    'plain': {}, 'floor': {'floor': True}, 'holes': {'holes': 0.4},
    'occluder': {'occluder': 0.35}, 'floats': {'encoding': '32FC1', 'holes': 0.1},
    'everything': {'floor': True, 'holes': 0.2, 'occluder': 0.35}}


def errors_of(shape, seed=1, **keywords):
    """Return the errors of the distances from 0.3 to 10 m, relative to the limit; check each."""
    random = np.random.default_rng(seed)
    errors = []
    for z in DISTANCES:
        found, truth, wall_m = measure(shape, z, random, **keywords)
        assert found is not None, f'no distance at {z:.2f} m'
        assert found < (truth + wall_m) / 2, f'the wall at {wall_m:.2f} m: {found:.2f} m'
        errors.append(abs(found - truth) / max(0.02 * truth, 0.02))
    return errors


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('shape', SHAPES)
def test_the_distance_is_within_two_percent_or_two_centimeters(shape, case):
    assert np.percentile(errors_of(shape, **CASES[case]), 95) <= 1.0


PLATE = Scene(boxes=[Box(center=(0.0, 0.0, 2.01), size=(1.0, 1.0, 0.02))], wall_m=3.0)


def test_an_object_that_reflects_no_light_has_no_distance_rather_than_that_of_the_wall():
    depth, shown = render(PLATE, VIEW)
    box = extent(shown == 0)
    depth[shown == 0] = math.nan
    assert distance(depth, (*box[:2], box[2] * 1.1, box[3] * 1.1)) is None


@pytest.mark.parametrize('value', [0.0, math.nan, math.inf, -math.inf, -1.0, 0.05, 25.0])
def test_invalid_depth_everywhere_is_no_distance(value):
    depth = np.full((480, 640), value)
    for encoding in ('16UC1', '32FC1'):
        assert distance(depth, (320.0, 240.0, 100.0, 100.0), encoding=encoding) is None


def test_a_picture_on_a_wall_has_the_distance_of_the_wall():
    depth, shown = render(Scene(boxes=[], wall_m=3.0), VIEW)
    assert (shown == WALL).all()
    assert distance(depth, (320.0, 240.0, 100.0, 100.0)) == pytest.approx(3.0, rel=0.001)


def test_a_plane_at_an_angle_has_the_distance_at_its_center():
    columns = np.arange(640) - 319.5
    depth = np.tile(2.0 / (1.0 + 0.6 * columns / 525.0), (480, 1))
    assert distance(depth, (319.5, 240.0, 400.0, 200.0)) == pytest.approx(2.0, rel=0.005)


def test_the_ends_of_the_range_are_valid():
    limits = DepthRange(low_m=0.5, high_m=4.0)
    for depth_m in (0.5, 4.0):
        found = distance(
            np.full((480, 640), depth_m), (320.0, 240.0, 100.0, 100.0), limits=limits)
        assert found == pytest.approx(depth_m, rel=0.001)


@pytest.mark.parametrize('box', [
    (-50.0, 240.0, 20.0, 20.0), (1e9, 1e9, 5.0, 5.0), (320.0, 240.0, 1e9, 1e9)])
def test_a_box_outside_the_image_has_no_distance(box):
    assert distance(np.full((480, 640), 2.0), box) is None
