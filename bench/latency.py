# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure the latency from an image topic to ~/detections and to the datagram.

    python bench/latency.py

A process publishes raw images of 1280 x 720 pixels at 30 Hz, with config/fastdds.xml as in
docs/middleware.md: in turn on the topic of `udp_infer` with a network of constant outputs, and on
that of a bare subscriber of rclpy, which only reads the clock and keeps the latest image. So
neither of them delays the other. Two more processes receive the datagram and ~/detections, the
latter as bytes. The stamp of an image is the monotonic clock when its publication begins. The time
of the network is subtracted from each latency, and then the median of the bare subscriber. The
figures are written to build/bench/latency.json; other load of the machine makes them useless.
"""

from __future__ import annotations

from argparse import ArgumentParser
import array
from collections.abc import Callable, Mapping
from contextlib import ExitStack
import json
from multiprocessing import get_context
from multiprocessing.connection import Connection
import os
from pathlib import Path
import platform
import socket
import struct
import subprocess
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / 'test')]

from helpers import write_model, yolo_table  # noqa: E402, I100

RESULTS = ROOT / 'build' / 'bench'
WIDTH, HEIGHT, RATE_HZ, INPUT = 1280, 720, 30.0, 640
WARM_UP = 30
"""Images on each topic that are not counted."""
OBJECTS = (0, 20, 50)
IMAGE_TOPIC, BARE_TOPIC, DETECTIONS_TOPIC = '/image_raw', '/bare', '/udp_infer/detections'
CAMERA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
SPAWN = get_context('spawn')
Latencies = dict[int, float]
"""Milliseconds from the stamp of an image to its arrival, by the stamp in nanoseconds."""


def publish(pipe: Connection) -> None:
    """Publish as many images on each topic as the pipe requests, when both are subscribed."""
    rclpy.init()
    node = rclpy.create_node('camera')
    publishers = [node.create_publisher(Image, topic, CAMERA) for topic in (
        IMAGE_TOPIC, BARE_TOPIC)]
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    message = Image(height=HEIGHT, width=WIDTH, encoding='bgr8', step=WIDTH * 3)
    message.header.frame_id = 'camera'
    message.data = array.array('B', pixels.tobytes())
    for count in iter(pipe.recv, None):
        while not all(publisher.get_subscription_count() for publisher in publishers):
            time.sleep(0.05)
        next_s = time.monotonic()
        for publisher in publishers * count:
            next_s += 1.0 / RATE_HZ
            time.sleep(max(0.0, next_s - time.monotonic()))
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(
                time.monotonic_ns(), 1_000_000_000)
            publisher.publish(message)
        pipe.send(count)


def receive_images(pipe: Connection) -> None:
    """Send the latencies of a subscriber that only keeps the latest image."""
    latest: list[Image] = []

    def stamp_of(message: Image) -> int:
        # If it were freed at once, the C library would return its pages, and map new ones for the
        # next image: 8 ms instead of 4.
        latest[:] = [message]
        return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
    receive(pipe, Image, BARE_TOPIC, CAMERA, stamp_of)


def receive_detections(pipe: Connection) -> None:
    """Send the latencies of ~/detections."""
    def stamp_of(data: bytes) -> int:
        sec, nanosec = struct.unpack_from('<iI', data, 4)
        return int(sec * 1_000_000_000 + nanosec)
    receive(pipe, Detection2DArray, DETECTIONS_TOPIC, QoSProfile(depth=5), stamp_of, raw=True)


def receive(
    pipe: Connection, kind: type, topic: str, profile: QoSProfile, stamp_of: Callable[[Any], int],
    *, raw: bool = False,
) -> None:
    """Send the latencies of a topic when the pipe requests them, until it requests None."""
    rclpy.init()
    node = rclpy.create_node('receiver')
    latencies: Latencies = {}

    def callback(message: Any) -> None:
        now_ns = time.monotonic_ns()
        stamp_ns = stamp_of(message)
        latencies[stamp_ns] = (now_ns - stamp_ns) / 1e6
    node.create_subscription(kind, topic, callback, profile, raw=raw)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while True:
        # A timer would wake the executor; a request waits for the end of this period instead.
        executor.spin_once(timeout_sec=0.5)
        if pipe.poll():
            if pipe.recv() is None:
                return
            pipe.send(latencies)


def receive_datagrams(pipe: Connection) -> None:
    """Send the port, and when the pipe requests them the latencies and the times of the stages."""
    latencies: Latencies = {}
    stages: dict[int, dict[str, float]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(('127.0.0.1', 0))
        receiver.settimeout(0.5)
        pipe.send(receiver.getsockname()[1])
        while True:
            if pipe.poll():
                if pipe.recv() is None:
                    return
                pipe.send((latencies, stages))
            try:
                data = receiver.recv(65535)
            except TimeoutError:
                continue
            now_ns = time.monotonic_ns()
            values = json.loads(data)['udp_infer']
            stamp_ns = values['stamp']['sec'] * 1_000_000_000 + values['stamp']['nanosec']
            latencies[stamp_ns] = (now_ns - stamp_ns) / 1e6
            stages[stamp_ns] = values['latency_ms']


class Peer:
    """A process that runs one of the functions above."""

    def __init__(self, run: Callable[[Connection], None]) -> None:
        self._pipe, other = SPAWN.Pipe()
        self._process = SPAWN.Process(target=run, args=(other,), daemon=True)
        self._process.start()

    def ask(self, request: object) -> Any:
        """Send a request, and return the answer."""
        self._pipe.send(request)
        return self.answer()

    def answer(self) -> Any:
        """Return what the process sends next."""
        if not self._pipe.poll(120.0):
            raise SystemExit('a process of the bench does not answer')
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join(10.0)


def table(count: int) -> NDArray[np.float32]:
    """Return the output of a YOLO with 80 classes for some objects, which do not overlap."""
    boxes = [
        (x := 70 * (i % 8) + 40, y := 45 * (i // 8) + 160, x + 50, y + 35, 0.8, i)
        for i in range(count)]
    return yolo_table(boxes, 80, anchors=8400)


def measure(objects: int, frames: int) -> dict[str, Any]:
    """Run all processes for some frames, and return the figures."""
    model = write_model(
        RESULTS / f'constant_{objects}.onnx', table(objects), input_shape=(1, 3, INPUT, INPUT))
    with ExitStack() as stack:
        peers = [Peer(run) for run in (
            publish, receive_images, receive_detections, receive_datagrams)]
        for peer in peers:
            stack.callback(peer.close)
        camera, bare, detections, datagrams = peers
        # The estimate of the camera motion runs beside the network, which takes no time here.
        node = subprocess.Popen([
            'udp_infer', '--ros-args', '--log-level', 'warn', '-p', f'model.id:={model}',
            '-p', 'track.camera_motion:=none', '-p', 'udp.max_bytes:=65507',
            '-p', f'udp.targets:=["127.0.0.1:{datagrams.answer()}"]'])
        stack.callback(end, node)
        camera.ask(WARM_UP)
        begin_ns = time.monotonic_ns()
        camera.ask(frames)
        by_stamp = {'bare': bare.ask(True), 'detections': detections.ask(True)}
        by_stamp['datagram'], stages = datagrams.ask(True)
    counted = {name: sorted(stamp for stamp in values if stamp >= begin_ns)
               for name, values in by_stamp.items()}
    if min(map(len, counted.values())) < frames / 2:
        arrived = {name: len(stamps) for name, stamps in counted.items()}
        raise SystemExit(f'of {frames} images arrived {arrived}: see docs/middleware.md')
    times_ms = {
        name: [by_stamp[name][stamp] - (stages[stamp]['inference'] if name != 'bare' else 0.0)
               for stamp in stamps]
        for name, stamps in counted.items()}
    stages_ms = {
        name: round(float(np.median([stages[stamp][name] for stamp in counted['datagram']])), 3)
        for name in stages[counted['datagram'][0]]}
    row: dict[str, Any] = {'objects': objects, 'stages_median_ms': stages_ms}
    for name, values in times_ms.items():
        row[f'{name}_frames'] = len(values)
        row[f'{name}_median_ms'] = round(float(np.median(values)), 3)
        row[f'{name}_p95_ms'] = round(float(np.percentile(values, 95)), 3)
    for name in ('detections', 'datagram'):
        row[f'{name}_over_bare_ms'] = round(
            row[f'{name}_median_ms'] - row['bare_median_ms'], 3)
    return row


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def show(row: Mapping[str, Any]) -> None:
    """Print the figures of one measurement."""
    print(f'{row["objects"]:7}' + ''.join(
        f'{row[f"{name}_median_ms"]:9.2f} /{row[f"{name}_p95_ms"]:6.2f}'
        for name in ('bare', 'detections', 'datagram')) + ''.join(
        f'{row[f"{name}_over_bare_ms"]:12.2f}' for name in ('detections', 'datagram')),
        flush=True)


def main() -> None:
    """Measure all numbers of objects; print a table and write the figures."""
    parser = ArgumentParser(description='Measure the latency from an image topic to the outputs.')
    parser.add_argument('--frames', type=int, default=300, help='frames for each row')
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    print(
        'milliseconds from the stamp, without inference: median / 95th percentile, and the\n'
        'difference of medians to a bare subscriber\n'
        'objects  bare subscriber    ~/detections        datagram    '
        '~/detections    datagram')
    rows = []
    for objects in OBJECTS:
        rows.append(measure(objects, arguments.frames))
        show(rows[-1])
    (RESULTS / 'latency.json').write_text(json.dumps({
        'machine': f'{os.cpu_count()} cores, {platform.machine()}',
        'python': platform.python_version(), 'ros': os.environ.get('ROS_DISTRO', ''),
        'image': f'{WIDTH} x {HEIGHT} bgr8, {RATE_HZ:g} Hz', 'rows': rows}, indent=1) + '\n')


if __name__ == '__main__':
    main()
