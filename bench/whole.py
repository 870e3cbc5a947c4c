# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Compare the whole path of a frame with a bare loop of InferenceSession.run.

    python bench/whole.py

A node decodes a file of 1280 x 720, tracks, and publishes, with its defaults and with one
inference at a time. The bare loop runs the same network, with the same options of the session, on
a tensor that is ready: in one thread with all cores, or in several at once. Each is a process of
its own that is paused while another one is measured; they take turns, and the ratios are those
within a round.

Then a network camera is measured, whose frames arrive at 30/s: the latency of a frame, from its
arrival to its result, without the inference. The figures are written to build/bench/whole.json.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
import json
import os
from pathlib import Path
import signal
import socket
from statistics import median
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'bench' / 'peers')]

from camera import camera  # noqa: E402, I100
from cameras import (  # noqa: E402
    arms, busy_s, cpu_s, FOLDER, make_clip, make_small_model, Parameters, processes,
    wait_for_result)
from udp_infer_ros.detection.local import open_session, usable_cores  # noqa: E402
from udp_infer_ros.settings import ModelSettings  # noqa: E402
import yaml  # noqa: E402

DEFAULT = ROOT / 'udp_infer_ros' / 'models' / 'nanodet_g_416.onnx'
OBJECTS = 20
"""Of the small model, whose weights are random."""
SMALL_MS = 6.0
SETTLE_S = 0.5
"""Time after a pause that is not counted."""
LIVE_HZ = 30.0
LIVE_S = 12.0
START_S = 10.0
"""Time that the node has to start."""
CALLERS = max(2, usable_cores())
LOOPS = {'loop': 1, 'loop of several': CALLERS}
"""The number of callers of each bare loop."""
NODES: dict[str, Parameters] = {'node': {}, 'node, concurrency 1': {'model.concurrency': 1}}
"""The parameters of each node."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one arm does in one round."""

    rate: float
    """Frames per second."""
    others: float
    """The share of the CPU time that other programs used, from 0 to 1."""
    inference_ms: float
    own_ms: tuple[float, ...] = ()
    """Latency of each frame without the inference."""


class BareLoop:
    """
    A process that runs a network on a ready tensor, when it is asked to.

    :param model: the ONNX file.
    :param callers: threads that run the session at the same time.
    """

    def __init__(self, model: Path, callers: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, '--loop', str(model), '--callers', str(callers)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.measure(SETTLE_S)

    def measure(self, window_s: float) -> Turn:
        """Run for some time."""
        assert self._process.stdin is not None and self._process.stdout is not None
        before_s, all_before_s = cpu_s([self._process.pid]), busy_s()
        print(window_s, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            sys.exit('the bare loop has ended; its output has the reason')
        used_s = cpu_s([self._process.pid]) - before_s
        return Turn(others=share(busy_s() - all_before_s - used_s, window_s), **json.loads(line))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


class Path720:
    """
    A process with a source, a model and a receiver; paused unless it is measured.

    :param process: sends its results to the receiver.
    :param receiver: a bound UDP socket.
    """

    def __init__(self, process: subprocess.Popen[bytes], receiver: socket.socket) -> None:
        self._process = process
        self._receiver = receiver
        wait_for_result(receiver, [process])
        process.send_signal(signal.SIGSTOP)

    def measure(self, window_s: float) -> Turn:
        """Continue for some time."""
        self._process.send_signal(signal.SIGCONT)
        receive(self._receiver, SETTLE_S)
        used_s = -cpu_s([self._process.pid])
        all_s = -busy_s()
        arrived_s, messages = receive(self._receiver, window_s)
        used_s += cpu_s([self._process.pid])
        all_s += busy_s()
        self._process.send_signal(signal.SIGSTOP)
        if len(arrived_s) < 2:
            sys.exit('a process sends no results; its output has the reason')
        latencies = [json.loads(message)['udp_infer']['latency_ms'] for message in messages]
        return Turn(
            rate=(len(arrived_s) - 1) / (arrived_s[-1] - arrived_s[0]),
            others=share(all_s - used_s, window_s),
            inference_ms=median(latency['inference'] for latency in latencies),
            own_ms=tuple(latency['total'] - latency['inference'] for latency in latencies))

    def close(self) -> None:
        """Continue, so that the process can end."""
        self._process.send_signal(signal.SIGCONT)


def share(seconds: float, window_s: float) -> float:
    """Return CPU time as a share of that of all cores."""
    return max(0.0, seconds) / window_s / (os.cpu_count() or 1)


def receive(receiver: socket.socket, window_s: float) -> tuple[list[float], list[bytes]]:
    """Return when datagrams arrive within some time, and the datagrams."""
    arrived_s, messages = [], []
    end_s = time.monotonic() + window_s
    while (left_s := end_s - time.monotonic()) > 0.0:
        receiver.settimeout(left_s)
        try:
            messages.append(receiver.recv(65535))
        except TimeoutError:
            break
        arrived_s.append(time.monotonic())
    return arrived_s, messages


def run_loop(model: Path, callers: int) -> None:
    """Run a network for the seconds in each line of stdin; print the rate."""
    # A session with n threads has n - 1 of its own; each caller is one more.
    settings = ModelSettings(threads=max(1, usable_cores() - callers + 1))
    session, _ = open_session(settings, str(model), callers)
    tensor = session.get_inputs()[0]
    feeds = {tensor.name: np.random.default_rng(1).uniform(0.0, 1.0, [
        size if isinstance(size, int) else 1 for size in tensor.shape]).astype(np.float32)}

    def call(end_s: float) -> int:
        count = 0
        while time.perf_counter() < end_s:
            session.run(None, feeds)
            count += 1
        return count
    with ThreadPoolExecutor(callers) as pool:
        for line in sys.stdin:
            begin_s = time.perf_counter()
            counts = pool.map(call, [begin_s + float(line)] * callers)
            rate = sum(counts) / (time.perf_counter() - begin_s)
            print(json.dumps({'rate': rate, 'inference_ms': callers / rate * 1e3}), flush=True)


@contextmanager
def path_720(uri: str, parameters: Parameters) -> Iterator[Path720]:
    """Run a node until the block ends; paused."""
    with ExitStack() as stack:
        receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiver.bind(('127.0.0.1', 0))
        port = receiver.getsockname()[1]
        file = FOLDER / f'whole_{port}.yaml'
        stack.callback(file.unlink)
        file.write_text(yaml.safe_dump({'cameras': [{
            'name': f'camera_{port}', 'uri': uri, 'parameters': {
                'udp.targets': [f'127.0.0.1:{port}'], 'udp.max_bytes': 65507, **parameters}}]}))
        [nodes] = arms(['nodes'])
        [process] = stack.enter_context(processes(nodes.commands([file])))
        path = Path720(process, receiver)
        stack.callback(path.close)
        yield path


def compare(model: Path, rounds: int, window_s: float) -> dict[str, Any]:
    """Measure all arms with a model in turn."""
    clip = str(FOLDER / 'clip720.mp4')
    parameters = {'source.loop': True, 'model.id': str(model)}
    turns: dict[str, list[Turn]] = {}
    with ExitStack() as stack:
        sides: dict[str, BareLoop | Path720] = {}
        for arm, callers in LOOPS.items():
            sides[arm] = BareLoop(model, callers)
            stack.callback(sides[arm].close)
        for arm, own in NODES.items():
            sides[arm] = stack.enter_context(path_720(clip, {**parameters, **own}))
        for number in range(rounds):
            order = list(sides.items())
            for arm, side in order if number % 2 == 0 else reversed(order):
                turns.setdefault(arm, []).append(side.measure(window_s))
    return {arm: {
        'frames_per_s': median(turn.rate for turn in mine),
        'inference_ms': median(turn.inference_ms for turn in mine),
        'others': median(turn.others for turn in mine),
        'ratios': {loop: [a.rate / b.rate for a, b in zip(mine, turns[loop])] for loop in LOOPS},
    } for arm, mine in turns.items()}


def make_model(path: Path) -> Path:
    """Write a small model, deep enough to take SMALL_MS on this machine."""
    for depth in range(1, 9):
        loop = BareLoop(make_small_model(path, OBJECTS, depth), callers=1)
        time_ms = min(loop.measure(SETTLE_S).inference_ms for _ in range(3))
        loop.close()
        if time_ms >= SMALL_MS:
            break
    return path


def measure_live(window_s: float) -> dict[str, float]:
    """Measure the node with the default model and a network camera."""
    pictures = write_pictures(FOLDER / 'pictures720')
    frames = int((window_s + START_S) * LIVE_HZ)
    with camera(pictures, LIVE_HZ, frames) as source, path_720(source.url, {}) as path:
        turn = path.measure(window_s)
    p50_ms, p95_ms = np.percentile(turn.own_ms, (50, 95)).tolist()
    return {
        'results_per_s': turn.rate, 'inference_ms': turn.inference_ms, 'p50_ms': p50_ms,
        'p95_ms': p95_ms, 'others': turn.others}


def write_pictures(folder: Path) -> Path:
    """Write the frames of the clip as JPEGs, and return their folder."""
    folder.mkdir(exist_ok=True)
    clip = cv2.VideoCapture(str(FOLDER / 'clip720.mp4'))
    number = 0
    while (read := clip.read())[0]:
        cv2.imwrite(str(folder / f'{number:04}.jpg'), read[1])
        number += 1
    return folder


def print_turns(name: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the figures of a model."""
    print(f'\n{name:18} {"frames/s":>9} {"inference":>10} {"others":>7}   ratio to loop   '
          'to loop of several')
    for arm, values in found.items():
        print(f'{arm:18} {values["frames_per_s"]:9.1f} {values["inference_ms"]:7.2f} ms '
              f'{values["others"]:7.0%}' + ''.join(
                  f'   {median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})'
                  for ratios in values['ratios'].values()), flush=True)


def main() -> None:
    """Measure both models and the camera; print and write the figures."""
    parser = ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--rounds', type=int, default=6)
    parser.add_argument('--window', type=float, default=2.0, metavar='SECONDS')
    parser.add_argument('--loop', type=Path, metavar='MODEL', help='run the bare loop')
    parser.add_argument('--callers', type=int, default=1)
    arguments = parser.parse_args()
    if arguments.loop:
        run_loop(arguments.loop, arguments.callers)
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_clip(FOLDER / 'clip720.mp4')
    models = {'default': DEFAULT, 'small': make_model(FOLDER / 'small_deep.onnx')}
    found: dict[str, Any] = {
        'rounds': arguments.rounds, 'window_s': arguments.window, 'callers': CALLERS, 'models': {}}
    for name, model in models.items():
        found['models'][name] = compare(model, arguments.rounds, arguments.window)
        print_turns(name, found['models'][name])
    found['live'] = live = measure_live(LIVE_S)
    print(f'\n{live["results_per_s"]:.1f} results/s from a camera; all but the inference: median '
          f'{live["p50_ms"]:.2f} ms, 95th percentile {live["p95_ms"]:.2f} ms')
    (FOLDER / 'whole.json').write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
