# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure how long the stages of a frame take, beside the usual way to compute the same.

    python bench/stages.py
    make bench-positions    only the positions

Each figure is the median of many runs in this process, in turn with the usual way. Machines
differ and are noisy; compare the ratios. The figures are written to build/bench/stages.json.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
import json
import os
from pathlib import Path
import socket
import sys
import time
from typing import Any

import cv2
import numpy as np
import supervision as sv

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'build' / 'bench' / 'stages.json'
sys.path[:0] = [str(ROOT / 'test'), str(ROOT / 'dev')]

from helpers import make_result  # noqa: E402, I100
from udp_infer_ros.detection.detector import Detector  # noqa: E402
from udp_infer_ros.detection.families import FAMILIES  # noqa: E402
from udp_infer_ros.detection.model_file import ImageInput  # noqa: E402
from udp_infer_ros.detection.nms import non_max_suppression  # noqa: E402
from udp_infer_ros.detection.preprocess import Preprocessor  # noqa: E402
from udp_infer_ros.detection.types import InputSize  # noqa: E402
from udp_infer_ros.frame import Detections, NO_TRACK, Result  # noqa: E402
from udp_infer_ros.outputs.payload import encode  # noqa: E402
from udp_infer_ros.outputs.udp import UdpOutput  # noqa: E402
from udp_infer_ros.ros.convert import detections_to_ros  # noqa: E402
from udp_infer_ros.settings import Settings, TrackSettings  # noqa: E402
from udp_infer_ros.tracking.byte import ByteTracker  # noqa: E402

YOLO = FAMILIES['yolo']
SIZE = InputSize(width=640, height=640)
RANDOM = np.random.default_rng(1)
WARM_UP = 5
Row = dict[str, Any]


def row(
    name: str, ours: Callable[[], object], usual: Callable[[], object] | None = None,
    usual_name: str = '', repeat: int = 200,
) -> Row:
    """Return the median times of a function and of the usual way, which runs in turn with it."""
    times_ms: dict[str, list[float]] = {'ours': [], 'usual': []}
    sides = {'ours': ours} if usual is None else {'ours': ours, 'usual': usual}
    for i in range(repeat + WARM_UP):
        for side, run in sides.items():
            begin_s = time.perf_counter()
            run()
            if i >= WARM_UP:
                times_ms[side].append((time.perf_counter() - begin_s) * 1e3)
    found: Row = {'name': name, 'ms': float(np.median(times_ms['ours']))}
    if usual is not None:
        found |= {'usual': usual_name, 'usual_ms': float(np.median(times_ms['usual']))}
    return found


def preprocessing() -> Iterator[Row]:
    """Measure the letterbox of a 1280 x 720 image."""
    image = RANDOM.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    target = ImageInput(
        name='images', size=SIZE, dtype=np.dtype(np.float32), channels_last=False, batched=True)
    prepare = Preprocessor(target, YOLO.preprocessing)

    def usual() -> object:
        small = cv2.resize(image, (640, 360))
        small = cv2.copyMakeBorder(small, 140, 140, 0, 0, cv2.BORDER_CONSTANT, value=(114,) * 3)
        return np.ascontiguousarray(
            small[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255)
    yield row('letterbox, 1280 x 720 to 640 x 640', lambda: prepare.release(prepare(image)), usual,
              'resize with OpenCV, then NumPy')


def decoding() -> Iterator[Row]:
    """Measure decoding and NMS of 8400 anchors and 80 classes."""
    for count, text in ((20, '20 objects'), (1000, '1000 candidates of 50 objects')):
        table = np.zeros((1, 84, 8400), dtype=np.float32)
        table[0, 4:] = RANDOM.uniform(0, 0.05, (80, 8400))
        columns = RANDOM.permutation(8400)[:count]
        objects = min(count, 50)
        centers = np.repeat(RANDOM.uniform(40, 600, (objects, 2)), count // objects, axis=0)
        table[0, :2, columns] = centers + RANDOM.normal(0, 2, centers.shape)
        table[0, 2:4, columns] = np.repeat(
            RANDOM.uniform(20, 80, (objects, 2)), count // objects, axis=0)
        labels = np.repeat(RANDOM.integers(0, 80, objects), count // objects)
        table[0, 4 + labels, columns] = RANDOM.uniform(0.4, 0.9, count)

        def ours(table: np.ndarray = table) -> object:
            found = YOLO.decode({'output0': table}, 0.25, SIZE)
            return non_max_suppression(
                found.xyxy, found.scores, found.class_ids, iou=0.45, class_agnostic=False)

        def usual(table: np.ndarray = table) -> object:
            rows = table[0].T
            scores, labels = rows[:, 4:].max(axis=1), rows[:, 4:].argmax(axis=1)
            keep = scores > 0.25
            xywh = rows[keep, :4]
            return sv.Detections(
                xyxy=np.hstack((xywh[:, :2] - xywh[:, 2:] / 2, xywh[:, :2] + xywh[:, 2:] / 2)),
                confidence=scores[keep], class_id=labels[keep]).with_nms(0.45)
        yield row(f'decoding and non-maximum suppression of 8400 anchors, {text}', ours, usual,
                  'NumPy and supervision', repeat=100)


def tracking() -> Iterator[Row]:
    """Measure tracking of objects that drift."""
    for count in (10, 50, 300):
        tracker = ByteTracker(TrackSettings())
        corner = RANDOM.uniform(0, (1800, 1000), (count, 2))
        size = RANDOM.uniform(20, 80, (count, 2))
        speed = RANDOM.normal(0, 2, (count, 2))
        stamp = [0]

        def update(corner: np.ndarray = corner, size: np.ndarray = size,
                   speed: np.ndarray = speed, tracker: ByteTracker = tracker,
                   stamp: list[int] = stamp, count: int = count) -> object:
            stamp[0] += 33_000_000
            corner += speed
            return tracker.update(Detections(
                xyxy=np.hstack((corner, corner + size)).astype(np.float32),
                score=np.full(count, 0.8, dtype=np.float32),
                class_id=np.zeros(count, dtype=np.intp), class_name=np.full(count, 'person'),
                track_id=np.full(count, NO_TRACK)), stamp[0])
        yield row(f'tracking of {count} objects', update)


def publishing(detector: Detector) -> Iterator[Row]:
    """Measure the outputs with 50 detections."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(('127.0.0.1', 0))
    output = UdpOutput()
    output.prepare(Settings().with_values({
        'udp.targets': [f'127.0.0.1:{receiver.getsockname()[1]}'], 'udp.max_bytes': 65507,
    }), previous=None, model=detector.info)()
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    result = make_result(50)
    assert result.objects

    def usual() -> object:
        return json.dumps({'frame_id': 1, 'predictions': [
            {'x': found.x, 'y': found.y, 'width': found.width, 'height': found.height,
             'confidence': found.score, 'class': found.class_name, 'class_id': found.class_id,
             'tracker_id': found.track_id} for found in result.objects]}).encode()
    yield row('plain numbers of 50 detections', lambda: make_objects(result))
    yield row('encoding of 50 detections as JSON', lambda: encode(result), usual, '`json.dumps`')
    yield row('encoding and sending of 50 detections', lambda: output.write(result, image))
    yield row('`Detection2DArray` of 50 detections', lambda: detections_to_ros(result, 'name'))
    output.close()
    receiver.close()


def make_objects(result: Result) -> object:
    """Compute the rows that all outputs share, which a Result computes once."""
    result.__dict__.pop('objects', None)
    return result.objects


def locating() -> Iterator[Row]:
    """Locate 20 objects in a depth image of 720p: from messages to a message."""
    from depth_scenes import Box, extent, noisy, render, Scene, to_millimeters, View
    from ros_helpers import make_image
    from udp_infer_ros.positions.camera import camera_from_info, CameraInfo
    from udp_infer_ros.positions.locate import locate
    from udp_infer_ros.positions.surfaces import DepthRange
    from udp_infer_ros.ros.convert_3d import boxes_from_ros, depth_from_ros, positions_to_ros
    view = View(width=1280, height=720, focal=640.0)
    depth_m, shown = render(Scene(wall_m=6.0, floor_m=1.5, boxes=[
        Box(center=(-2.0 + column, -0.8 + row * 0.5, 2.5 + 0.05 * row), size=(0.4, 0.4, 0.2))
        for column in range(5) for row in range(4)]), view)
    detections = detections_to_ros(make_result(20), 'name')
    for number, item in enumerate(detections.detections):
        box, center = item.bbox, item.bbox.center.position
        center.x, center.y, box.size_x, box.size_y = extent(shown == number)
    limits = DepthRange(low_m=0.1, high_m=20.0)
    measured_m = noisy(depth_m, RANDOM, missing=0.1)
    for name, d in (('', ()), (', distorted', (-0.28, 0.07, 0.001, -0.0005, 0.01))):
        camera = camera_from_info(CameraInfo(
            width=1280, height=720, k=view.k, distortion_model='plumb_bob', d=d))
        for encoding in ('16UC1', '32FC1'):
            message = make_image(
                to_millimeters(measured_m) if encoding == '16UC1' else
                measured_m.astype(np.float32), encoding=encoding)

            def ours(message: object = message, camera: object = camera) -> object:
                positions = locate(
                    boxes_from_ros(detections), camera, depth_from_ros(message), limits)
                return positions_to_ros(detections, positions)

            def usual(message: object = message) -> object:
                # The median of each box, without the conversion to a message.
                image = depth_from_ros(message)
                meters = image.pixels.astype(np.float32) * image.unit_m
                found = []
                for x, y, width, height in boxes_from_ros(detections).astype(int):
                    part = meters[y - height // 2:y + height // 2, x - width // 2:x + width // 2]
                    found.append(np.median(part[np.isfinite(part) & (part > 0.0)]))
                return found
            assert len(ours().detections) == 20
            yield row(f'20 positions, 720p {encoding}{name}', ours, usual,
                      'the median of each box')


def measure(positions_only: bool) -> Iterator[Row]:
    """Measure everything, or only the positions."""
    if not positions_only:
        yield from preprocessing()
        yield from decoding()
        yield from tracking()
        detector = Detector.load(Settings().model)
        yield from publishing(detector)
        detector.close()
    yield from locating()


def main() -> None:
    """Measure, print each line, and write the figures."""
    parser = ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--positions', action='store_true', help='only the positions; no file')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(f'{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, NumPy {np.__version__}, '
          f'OpenCV {cv2.__version__}')
    print(f'{"":72} {"ours":>11} {"usual":>11}   ratio')
    rows = []
    for found in measure(arguments.positions):
        rows.append(found)
        line = f'{found["name"]:72} {found["ms"]:8.3f} ms'
        if 'usual' in found:
            line += f' {found["usual_ms"]:8.3f} ms   {found["usual_ms"] / found["ms"]:5.1f}'
        print(line, flush=True)
    if not arguments.positions:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps({'stages': rows}, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
