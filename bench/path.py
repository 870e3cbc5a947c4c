# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure what a frame costs besides the network.

    python bench/path.py

The real pipeline, a UDP socket with a receiver, and the publisher of ~/detections with a
subscriber process run in one thread. The network is replaced by constant outputs of a YOLO with
80 classes, in which objects move a little from frame to frame, so that the tracker has work. All
objects are published. The time of the network is left out; the estimate of the camera motion is
measured apart, with a network that takes some milliseconds, beside which it runs.

With `--baseline <commit>`, that commit is measured in turn with this tree. The figures are written
to build/bench/path.json.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
import json
import os
from pathlib import Path
import platform
import socket
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from udp_infer_ros.detection.backend import BackendInfo
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.types import TensorInfo
from udp_infer_ros.frame import Frame
from udp_infer_ros.outputs.udp import UdpOutput
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.ros.topic_output import TopicOutput
from udp_infer_ros.settings import Settings
from udp_infer_ros.stats import Stats
from vision_msgs.msg import Detection2DArray

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'build' / 'bench'
INPUT = 640
CLASSES = 80
ANCHORS = 8400
FRAMES = 50
"""Different outputs of the network; then they repeat."""
WARM_UP = 20
STAGES = ('preprocess', 'postprocess', 'track', 'udp', 'topic', 'rest')
OBJECTS = (0, 10, 20, 50, 100, 300, 1000)
SIZES = ((640, 480), (1280, 720), (1920, 1080), (3840, 2160))
TARGETS = (1, 2, 4, 8, 16, 32)
TOPIC = '/bench/detections'


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured."""

    objects: int = 50
    width: int = 1280
    height: int = 720
    targets: int = 1
    candidates: int = 1
    """Boxes of the network for each object, before non-maximum suppression."""
    model_ms: float = 0.0
    camera_motion: str = 'none'
    frames: int = 150


@dataclass(kw_only=True)
class Times:
    """The times of some frames, without the network."""

    stages_ms: dict[str, list[float]] = field(
        default_factory=lambda: {stage: [] for stage in (*STAGES, 'motion', 'whole')})
    loop_s: list[float] = field(default_factory=list)
    """Duration of a frame with everything, for the frames per second."""

    def extend(self, other: Mapping[str, Any]) -> None:
        """Append the times of more frames."""
        for stage, values in other['stages_ms'].items():
            self.stages_ms[stage] += values
        self.loop_s += other['loop_s']

    def figures(self) -> dict[str, Any]:
        """Return medians, the 99th percentile and frames per second."""
        whole = self.stages_ms['whole']
        return {
            'median_ms': round(float(np.median(whole)), 3),
            'p99_ms': round(float(np.percentile(whole, 99)), 3),
            'frames_per_s': round(len(self.loop_s) / sum(self.loop_s), 1),
            'stages_ms': {
                stage: round(float(np.median(values)), 3)
                for stage, values in self.stages_ms.items() if stage != 'whole'},
        }


class MovingObjects:
    """
    A backend with constant outputs (1, 84, 8400), apart from objects that move a little.

    The objects are in the part of the input that a 16:9 image covers, without overlap, so that all
    of them are published. A frame changes the boxes in place: the outputs of a session have been
    written just before too.

    :param count: number of objects.
    :param candidates: boxes for each object.
    :param model_ms: duration of a run.
    """

    outputs = ('output0',)
    metadata: Mapping[str, str] = {}

    def __init__(self, count: int, candidates: int, model_ms: float) -> None:
        self.inputs = (TensorInfo(
            name='images', shape=(1, 3, INPUT, INPUT), dtype='tensor(float)'),)
        random = np.random.default_rng(1)
        self._table = np.zeros((1, 4 + CLASSES, ANCHORS), dtype=np.float32)
        self._table[0, 4:] = random.uniform(0.0, 0.05, (CLASSES, ANCHORS))
        self._columns = random.permutation(ANCHORS)[:count * candidates]
        labels = np.repeat(random.integers(0, CLASSES, count), candidates)
        scores = np.repeat(random.uniform(0.5, 0.9, count), candidates)
        self._table[0, 4 + labels, self._columns] = scores - random.uniform(
            0.0, 0.05, len(scores))
        self._boxes = [
            np.repeat(boxes, candidates, axis=1).astype(np.float32)
            for boxes in moving_boxes(count, random)]
        self._model_s = model_ms / 1e3
        self._run = 0
        self.spent_s = 0.0
        """Duration of the latest run."""

    @property
    def info(self) -> BackendInfo:
        """Return the properties of a network on the CPU."""
        return BackendInfo(
            name='constant', location='memory', provider='CPUExecutionProvider',
            provider_reason='of the bench', threads=1)

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the outputs of the next frame."""
        begin_s = time.perf_counter()
        self._table[0, :4, self._columns] = self._boxes[self._run % FRAMES].T
        self._run += 1
        if self._model_s:
            time.sleep(self._model_s)
        self.spent_s = time.perf_counter() - begin_s
        return {'output0': self._table}

    def values(self) -> Mapping[str, object]:
        """Return no figures."""
        return {}

    def close(self) -> None:
        """Do nothing."""


def moving_boxes(count: int, random: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """
    Yield the boxes of each frame: centers and sizes, (4, count), in cells that do not overlap.

    :param count: up to 1000.
    """
    width, height, top = INPUT, INPUT * 9 // 16, INPUT * 7 // 32
    columns = max(1, int(np.ceil(np.sqrt(count * 16 / 9))))
    rows = max(1, -(-count // columns))
    cell = np.array((width / columns, height / rows))
    index = np.arange(count)
    center = (np.array((index % columns, index // columns)) + 0.5) * cell[:, np.newaxis]
    center[1] += top
    size = np.minimum(cell[:, np.newaxis] * random.uniform(0.5, 0.7, (2, count)), 120.0)
    phase = random.uniform(0, 2 * np.pi, (2, count))
    for frame in range(FRAMES):
        swing = np.sin(2 * np.pi * frame / FRAMES + phase)
        jitter = random.normal(0.0, 0.01, (2, count)) * size
        yield np.concatenate((center + 0.1 * cell[:, np.newaxis] * swing + jitter, size))


class FramePath:
    """
    The path of a frame from the image to the receivers.

    :param topic: writes to ~/detections.
    """

    def __init__(self, case: Case, topic: TopicOutput) -> None:
        self._receivers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                           for _ in range(case.targets)]
        for receiver in self._receivers:
            receiver.bind(('127.0.0.1', 0))
        settings = Settings().with_values({
            'model.id': 'constant', 'model.family': 'yolo',
            'model.labels': [f'class {i}' for i in range(CLASSES)],
            'detect.max_detections': 1000, 'detect.max_candidates': 20000,
            'track.camera_motion': case.camera_motion,
            'udp.targets': [f'127.0.0.1:{receiver.getsockname()[1]}'
                            for receiver in self._receivers]})
        self._backend = MovingObjects(case.objects, case.candidates, case.model_ms)
        detector = Detector.load(settings.model, backend=self._backend)
        self._pipeline = Pipeline(detector, settings, Stats())
        self._outputs = {'udp': UdpOutput(), 'topic': topic}
        for output in self._outputs.values():
            output.prepare(settings, previous=None, model=detector.info)()
        self._case = case
        self._images = textured_images(case.width, case.height)
        self._index = 0

    def run(self, frames: int) -> Times:
        """Process some frames."""
        times, clock_s = Times(), time.perf_counter
        for _ in range(frames):
            image = self._images[self._index % len(self._images)]
            begin_s = clock_s()
            frame = Frame.from_image(
                image, index=self._index, stamp_ns=10**18 + self._index * 33_333_333,
                frame_id='camera', source='bench', arrival_s=time.monotonic())
            result = self._pipeline.process(frame)
            marks = [clock_s()]
            for output in self._outputs.values():
                output.write(result, image)
                marks.append(clock_s())
            self._index += 1
            latency = result.latency_ms
            whole = (marks[-1] - begin_s - self._backend.spent_s) * 1e3
            stages = {stage: latency[stage] for stage in (
                'preprocess', 'postprocess', 'track', 'motion')}
            stages |= {name: (end - start) * 1e3 for name, start, end in zip(
                self._outputs, marks, marks[1:])}
            stages['rest'] = whole - sum(stages.values())
            stages['whole'] = whole
            for stage, value in stages.items():
                times.stages_ms[stage].append(value)
            times.loop_s.append(marks[-1] - begin_s)
            if len(result.detections) != self._case.objects:
                raise RuntimeError(
                    f'{len(result.detections)} of {self._case.objects} objects are published')
        return times

    def close(self) -> None:
        """Release the sockets."""
        self._pipeline.close()
        self._outputs['udp'].close()
        for receiver in self._receivers:
            receiver.close()


def textured_images(width: int, height: int) -> list[NDArray[np.uint8]]:
    """Return images of one random scene that shifts by a pixel a frame, there and back."""
    random = np.random.default_rng(2)
    scene = cv2.resize(
        random.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8),
        (width + 8, height), interpolation=cv2.INTER_CUBIC)
    shifts = (0, 1, 2, 3, 4, 3, 2, 1)
    return [np.ascontiguousarray(scene[:, shift:shift + width]) for shift in shifts]


def serve() -> None:
    """Measure the cases that arrive on stdin, one JSON object a line, and write their times."""
    cv2.setNumThreads(1)
    rclpy.init()
    node = LifecycleNode('bench')
    topic = TopicOutput(node)
    node.trigger_configure()
    node.trigger_activate()
    while not node.count_subscribers(TOPIC):
        time.sleep(0.05)
    path, current = None, None
    for line in sys.stdin:
        case = Case(**json.loads(line))
        if case != current:
            if path is not None:
                path.close()
            path, current = FramePath(case, topic), case
            path.run(WARM_UP)
        print(json.dumps(asdict(path.run(case.frames))), flush=True)


def subscribe() -> None:
    """Receive ~/detections, as bytes, until this process is terminated."""
    rclpy.init()
    node = rclpy.create_node('receiver')
    node.create_subscription(
        Detection2DArray, TOPIC, lambda message: None,
        QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE), raw=True)
    with suppress(ExternalShutdownException):
        rclpy.spin(node)


class Side:
    """
    A process that measures one version of the package.

    :param root: the folder of its sources.
    """

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, '--serve'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, 'PYTHONPATH': str(root)})

    def measure(self, case: Case) -> Mapping[str, Any]:
        """Return the times of one round, see `Times`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(asdict(case)), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit('a process of the bench has ended')
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(case: Case, sides: Mapping[str, Side], rounds: int) -> dict[str, Any]:
    """Measure a case on every side in turn; print and return the figures."""
    times = {name: Times() for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            times[name].extend(side.measure(case))
    row: dict[str, Any] = asdict(case)
    for name, measured in times.items():
        row[name] = figures = measured.figures()
        stages = figures['stages_ms']
        print(
            f'{case.objects:5} {case.width:5} x {case.height:<5} {case.targets:3} '
            f'{case.candidates:3} {case.camera_motion:5} {name:9}'
            f'{figures["median_ms"]:7.2f} {figures["p99_ms"]:7.2f} '
            f'{figures["frames_per_s"]:7.0f}  '
            + ' '.join(f'{stages[stage]:6.2f}' for stage in (*STAGES, 'motion')), flush=True)
    return row


def cases() -> Iterator[tuple[str, Case]]:
    """Yield every case, with the name of its table."""
    for objects in OBJECTS:
        yield 'objects', Case(objects=objects)
    for width, height in SIZES:
        yield 'size', Case(width=width, height=height)
    for targets in TARGETS:
        yield 'targets', Case(targets=targets)
    yield 'candidates', Case(candidates=10)
    for model_ms in (0.0, 10.0):
        for mode in ('none', 'auto'):
            yield 'camera_motion', Case(camera_motion=mode, model_ms=model_ms)


def checkout(commit: str) -> Path:
    """Write the tree of a commit to build/bench, and return its folder."""
    folder = RESULTS / 'baseline' / commit
    if not folder.is_dir():
        folder.mkdir(parents=True)
        archive = subprocess.run(
            ['git', 'archive', commit], cwd=ROOT, check=True, stdout=subprocess.PIPE)
        subprocess.run(['tar', '-x', '-C', folder], input=archive.stdout, check=True)
    return folder


def main() -> None:
    """Measure every case, or those of one table."""
    parser = ArgumentParser(description='Measure what a frame costs besides the network.')
    parser.add_argument('--baseline', help='commit to measure in turn with this tree')
    parser.add_argument('--rounds', type=int, default=7, help='rounds of each case')
    parser.add_argument('--only', help='name of one table, e.g. objects')
    parser.add_argument('--serve', action='store_true', help='measure the cases on stdin')
    parser.add_argument('--subscribe', action='store_true', help='receive the topic')
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    if arguments.subscribe:
        return subscribe()
    receiver = subprocess.Popen([sys.executable, __file__, '--subscribe'])
    sides = {'now': Side(ROOT)}
    if arguments.baseline:
        sides['baseline'] = Side(checkout(arguments.baseline))
    print(
        'object  image      tgt cand motion side   median     p99     1/s  '
        + ' '.join(f'{stage[:6]:>6}' for stage in (*STAGES, 'motion')))
    tables: dict[str, list[dict[str, Any]]] = {}
    try:
        for name, case in cases():
            if arguments.only in (None, name):
                tables.setdefault(name, []).append(measure(case, sides, arguments.rounds))
    finally:
        for side in sides.values():
            side.close()
        receiver.terminate()
        receiver.wait()
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / 'path.json').write_text(json.dumps({
        'machine': f'{os.cpu_count()} cores, {platform.machine()}', 'numpy': np.__version__,
        'opencv': cv2.__version__, 'python': platform.python_version(),
        'rounds': arguments.rounds, **tables}, indent=1) + '\n')


if __name__ == '__main__':
    main()
