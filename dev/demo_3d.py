# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Locate the objects of a rendered scene with the node udp_infer_3d, and compare with the truth.

    make demo-3d

The node runs in its own process. This script publishes detections, depth images with the noise of
a Kinect, and camera_info; objects move, and cover each other. It writes the errors and a picture
of the scene from above to build/demo.
"""

from __future__ import annotations

import argparse
import array
import json
import math
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from depth_scenes import Box, extent, noisy, render, Scene, to_millimeters, View, WALL
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from tqdm import tqdm
from udp_infer_ros.positions.surfaces import CENTRAL_PART
from vision_msgs.msg import (
    Detection2D, Detection2DArray, Detection3DArray, ObjectHypothesisWithPose)

FRAMES = 90
RATE_HZ = 15.0
VIEW = View()
WALL_M, CAMERA_HEIGHT_M = 6.0, 0.9
LEAST_VISIBLE = 0.5
"""A detector finds objects of which at least this part is visible."""
NAMES = ('person', 'box', 'chair')
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LONGEST_S = 120.0


def objects_at(share: float) -> list[Box]:
    """Return the objects at a time from 0 to 1: one walks, one turns, one comes closer."""
    return [
        Box(center=(-1.6 + 3.2 * share, 0.05, 3.2), size=(0.5, 1.7, 0.3)),
        Box(center=(1.0, 0.55, 2.4), size=(0.5, 0.7, 0.5), yaw=math.pi * share),
        Box(center=(-0.8, 0.45, 4.6 - 2.6 * share), size=(0.45, 0.9, 0.45), yaw=0.4)]


def central(found: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """Return which pixels are in the central part of a box, where the distance is measured."""
    x, y, width, height = found
    columns, rows = np.meshgrid(np.arange(VIEW.width), np.arange(VIEW.height))
    half = CENTRAL_PART / 2
    return (np.abs(columns - x) <= half * width) & (np.abs(rows - y) <= half * height)


class Stage(Node):  # type: ignore[misc]
    """Publishes the sequence, and receives the positions."""

    def __init__(self) -> None:
        super().__init__('demo_stage')
        self.random = np.random.default_rng(1)
        self._depth = self.create_publisher(Image, 'depth', RELIABLE)
        self._detections = self.create_publisher(Detection2DArray, 'detections', RELIABLE)
        self._info = self.create_publisher(CameraInfo, 'camera_info', RELIABLE)
        self.received: list[Detection3DArray] = []
        self.create_subscription(
            Detection3DArray, '/udp_infer_3d/detections_3d', self.received.append, 100)

    def wait_for_node(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the node has subscribed."""
        deadline_s = time.monotonic() + 30.0
        while not all(item.get_subscription_count() for item in (
                self._depth, self._detections, self._info)):
            if process.poll() is not None or time.monotonic() > deadline_s:
                sys.exit('the node did not start')
            rclpy.spin_once(self, timeout_sec=0.1)
        # The subscriptions discover the publishers a little later.
        for _ in range(10):
            self._info.publish(self._stamped(
                CameraInfo(width=VIEW.width, height=VIEW.height, k=list(VIEW.k)), 0))
            rclpy.spin_once(self, timeout_sec=0.1)

    def publish(self, number: int) -> dict[str, tuple[float, float, float]]:
        """Publish a frame; return the true position of each object that is detected."""
        boxes = objects_at(number / (FRAMES - 1))
        depth_m, shown = render(
            Scene(boxes=boxes, wall_m=WALL_M, floor_m=CAMERA_HEIGHT_M), VIEW)
        message = self._stamped(Detection2DArray(), number)
        truth = {}
        for index, box in enumerate(boxes):
            alone, only = render(Scene(boxes=[box], wall_m=WALL_M), VIEW)
            mask = shown == index
            if mask.sum() < LEAST_VISIBLE * (only != WALL).sum():
                continue
            found = extent(mask)
            message.detections.append(self._detection(message, index, found))
            x, y = found[:2]
            z = float(np.median(depth_m[mask & central(found)]))
            truth[str(index + 1)] = (
                (x - VIEW.center[0]) / VIEW.focal * z, (y - VIEW.center[1]) / VIEW.focal * z, z)
        pixels = to_millimeters(noisy(depth_m, self.random, missing=0.15))
        self._depth.publish(self._stamped(Image(
            width=VIEW.width, height=VIEW.height, encoding='16UC1', step=2 * VIEW.width,
            data=array.array('B', pixels.tobytes())), number))
        self._detections.publish(message)
        return truth

    def _stamped(self, message: Any, number: int) -> Any:
        nanoseconds = 10**9 + round(number / RATE_HZ * 1e9)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(nanoseconds, 10**9)
        message.header.frame_id = 'camera_color_optical_frame'
        return message

    def _detection(
        self, message: Detection2DArray, index: int, found: tuple[float, float, float, float],
    ) -> Detection2D:
        item = Detection2D(header=message.header, id=str(index + 1))
        center = item.bbox.center.position
        # A detector is not exact either.
        center.x, center.y, item.bbox.size_x, item.bbox.size_y = (
            value + float(self.random.normal(0.0, 1.5)) for value in found)
        best = ObjectHypothesisWithPose()
        best.hypothesis.class_id, best.hypothesis.score = NAMES[index], 0.9
        item.results.append(best)
        return item


def run(stage: Stage) -> list[dict[str, tuple[float, float, float]]]:
    """Publish all frames; return the true positions by id of each frame."""
    process = subprocess.Popen(['udp_infer_3d', '--ros-args', '--log-level', 'warn'])
    truth = []
    try:
        stage.wait_for_node(process)
        begin_s = time.monotonic()
        for number in tqdm(range(FRAMES), unit='frame', disable=None):
            truth.append(stage.publish(number))
            # The next frame follows when the answer has arrived, so that none is lost on a
            # slow machine.
            deadline_s = time.monotonic() + 5.0
            while len(stage.received) <= number and time.monotonic() < deadline_s:
                rclpy.spin_once(stage, timeout_sec=0.05)
            if time.monotonic() > begin_s + LONGEST_S:
                sys.exit('the sequence took too long')
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        code = process.wait(timeout=10.0)
    if code:
        sys.exit(f'the node ended with exit code {code}')
    return truth


def compare(
    truth: list[dict[str, tuple[float, float, float]]], received: list[Detection3DArray],
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Return figures, and for each id the positions: true x, z and found x, z, by rows."""
    pairs: dict[str, list[tuple[float, ...]]] = {}
    errors = []
    for expected, message in zip(truth, received):
        for item in message.detections:
            true, found = expected[item.id], item.bbox.center.position
            pairs.setdefault(item.id, []).append((true[0], true[2], found.x, found.z))
            errors.append(abs(found.z - true[2]) / max(0.02 * true[2], 0.02))
    figures = {
        'frames': len(truth), 'messages': len(received),
        'detections': sum(len(expected) for expected in truth), 'positions': len(errors),
        'error_of_distance_p95_in_parts_of_2_percent_or_2_cm': round(
            float(np.percentile(errors, 95)), 2)}
    return figures, {key: np.array(rows) for key, rows in pairs.items()}


def draw(paths: dict[str, NDArray[np.float64]], path: Path) -> None:
    """Draw the scene from above: the camera, the wall, true paths and found positions."""
    figure = Figure(figsize=(8.0, 7.0), dpi=110)
    axes = figure.subplots()
    half = VIEW.width / 2 / VIEW.focal
    axes.fill([0.0, -half * WALL_M, half * WALL_M], [0.0, WALL_M, WALL_M], color='#eef2f7')
    axes.plot([-half * WALL_M, half * WALL_M], [WALL_M, WALL_M], color='#444444', linewidth=3)
    axes.text(0.0, WALL_M + 0.08, 'wall', ha='center', va='bottom', color='#444444')
    axes.plot(0.0, 0.0, marker='^', color='black', markersize=10)
    axes.text(0.12, 0.0, 'camera', va='center')
    for key, color in zip(sorted(paths), ('#1b9e77', '#d95f02', '#7570b3')):
        rows = paths[key]
        name = f'#{key} {NAMES[int(key) - 1]}'
        axes.plot(rows[:, 0], rows[:, 1], color=color, linewidth=2, label=f'{name}, rendered')
        axes.scatter(
            rows[:, 2], rows[:, 3], s=14, edgecolor='black', linewidth=0.3, facecolor=color,
            alpha=0.7, label=f'{name}, found', zorder=3)
    axes.set(
        xlabel='x, meters to the right', ylabel='z, meters forward', xlim=(-3.8, 3.8),
        ylim=(-0.3, WALL_M + 0.5), title='Positions of ~/detections_3d, from above')
    axes.set_aspect('equal')
    axes.grid(alpha=0.3)
    axes.legend(loc='lower left', fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--out', type=Path, default=Path('build/demo'), help='folder of results')
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rclpy.init()
    stage = Stage()
    truth = run(stage)
    figures, paths = compare(truth, stage.received)
    stage.destroy_node()
    rclpy.shutdown()
    draw(paths, out / 'positions.png')
    (out / 'positions.json').write_text(json.dumps(figures, indent=2) + '\n', encoding='utf-8')
    for name, value in figures.items():
        print(f'{name.replace("_", " ")}: {value}')
    print(f'picture: {out / "positions.png"}')
    if len(stage.received) != FRAMES or figures['positions'] < 0.95 * figures['detections']:
        sys.exit('positions are missing')


if __name__ == '__main__':
    main()
