# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure the process `udp_infer`: its start, its CPU time and its memory.

    python bench/process.py                 start, idle, CPU at 30 frames/s, memory after a minute
    python bench/process.py --memory 30     memory over 30 minutes at full speed

The node and a bare script with the same model and the same options of ONNX Runtime run in turn.
The bare script reads the same file as the node, at the same rate. CPU times are those of all
threads of a process, as the scheduler of Linux counts them. Fast DDS has its own settings: the
profile in config/fastdds.xml, which is for publishers of images, adds 32 MB of shared memory to
each process. On a machine that is busy, only the CPU times mean something.
The figures are written to build/bench/process.json, or to build/bench/memory.json.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import json
import os
from pathlib import Path
import platform
import socket
from statistics import median
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'build' / 'bench'
DEFAULT_MODEL = ROOT / 'udp_infer_ros' / 'models' / 'nanodet_g_416.onnx'
RATE_HZ = 30.0
WARM_UP_S = 3.0
MEMORY_PERIOD_S = 5.0
NODE = [
    sys.executable, '-c', 'import sys; from udp_infer_ros.ros.main import main; sys.exit(main())']
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


def usage_ms(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU time of all threads of a running process, ms."""
    tasks = Path(f'/proc/{process.pid}/task')
    return sum(int((task / 'schedstat').read_text().split()[0]) for task in tasks.iterdir()) / 1e6


def switches(process: subprocess.Popen[bytes]) -> int:
    """Return how often the threads of a process have waited."""
    count = 0
    for task in Path(f'/proc/{process.pid}/task').iterdir():
        for line in (task / 'status').read_text().splitlines():
            if line.startswith('voluntary_ctxt_switches'):
                count += int(line.split()[1])
    return count


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """Return the resident memory of a process, in units of 2^20 bytes."""
    pages = int(Path(f'/proc/{process.pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


@contextmanager
def started(command: Sequence[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and end it at the end of the block."""
    environment = {name: value for name, value in os.environ.items() if name not in PROFILES}
    environment['PYTHONPATH'] = str(ROOT)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20.0)


class Receiver:
    """A socket for datagrams, from which the time and the number of results are known."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(('127.0.0.1', 0))
        self._socket.settimeout(60.0)

    def node(self, **parameters: object) -> list[str]:
        """Return the command of a node that sends to this socket."""
        values = {'udp.targets': [f'127.0.0.1:{self._socket.getsockname()[1]}'], **{
            name.replace('__', '.'): value for name, value in parameters.items()}}
        words = [*NODE, '--ros-args']
        for name, value in values.items():
            words += ['-p', f'{name}:={json.dumps(value)}']
        return words

    def wait(self) -> None:
        """Wait for a datagram."""
        self._socket.recv(65535)

    def count(self, duration_s: float) -> int:
        """Return the number of frames whose results arrive during a time."""
        frames = set()
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            frames.add(json.loads(self._socket.recv(65535))['frame_id'])
        return len(frames)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def bare(model: Path, clip: Path | None, rate_hz: float) -> None:
    """
    Run a network on one tensor: once, or at a rate, and then also read a clip again and again.

    :param clip: None if no clip is read.
    :param rate_hz: 0 for one run.
    """
    begin_s, used_s = time.perf_counter(), time.process_time()
    options = ort.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    session = ort.InferenceSession(str(model), options, providers=['CPUExecutionProvider'])
    [image] = session.get_inputs()
    feeds = {image.name: np.full(
        [size if isinstance(size, int) else 1 for size in image.shape], 0.5, dtype=np.float32)}
    session.run(None, feeds)
    print(time.perf_counter() - begin_s, time.process_time() - used_s)
    due_s = time.monotonic()
    capture = None if clip is None else cv2.VideoCapture(str(clip))
    while rate_hz:
        if capture is not None and not capture.read()[0]:
            capture = cv2.VideoCapture(str(clip))
            continue
        session.run(None, feeds)
        due_s += 1.0 / rate_hz
        time.sleep(max(0.0, due_s - time.monotonic()))


def bare_command(model: Path, clip: Path | None = None, rate_hz: float = 0.0) -> list[str | Path]:
    """Return the command that runs `bare`."""
    return [sys.executable, __file__, '--bare', model, '--rate', str(rate_hz),
            *(('--clip', clip) if clip else ())]


def start(clip: Path, rounds: int) -> dict[str, Any]:
    """
    Measure the start up to the first datagram, in turn with a bare script.

    The model is the time in which the bare script loads the network and runs it once.
    """
    names = ('start_s', 'start_cpu_s', 'start_measured_s', 'script_s', 'model_s', 'model_cpu_s')
    rows = []
    for _ in range(rounds + 1):
        start_s, used_s = start_node(clip, concurrency=1)
        start_measured_s, _ = start_node(clip, concurrency=0)
        begin_s = time.perf_counter()
        printed = subprocess.run(
            bare_command(DEFAULT_MODEL), check=True, stdout=subprocess.PIPE, text=True).stdout
        script_s = time.perf_counter() - begin_s
        rows.append((start_s, used_s, start_measured_s, script_s, *map(float, printed.split())))
    rows = rows[1:]  # The first round fills the cache of files.
    return {
        **dict(zip(names, np.median(rows, axis=0).tolist())),
        'start_minus_model_s': median(row[0] - row[4] for row in rows),
        'start_minus_model_min_s': min(row[0] - row[4] for row in rows),
        'start_measured_minus_model_s': median(row[2] - row[4] for row in rows),
        'start_minus_model_cpu_s': median(row[1] - row[5] for row in rows)}


def start_node(clip: Path, concurrency: int) -> tuple[float, float]:
    """
    Start a node that processes a file.

    :param concurrency: `model.concurrency`; 0 is measured before the first frame.
    :return: seconds to the first datagram, and the CPU time until then, seconds.
    """
    receiver = Receiver()
    begin_s = time.perf_counter()
    with started(receiver.node(source__uri=str(clip), model__concurrency=concurrency)) as process:
        receiver.wait()
        start_s, used_s = time.perf_counter() - begin_s, usage_ms(process) / 1e3
    receiver.close()
    return start_s, used_s


def idle(duration_s: float) -> dict[str, Any]:
    """Measure a node that is active and receives no frames."""
    receiver = Receiver()
    with started(receiver.node()) as process:
        time.sleep(WARM_UP_S + 5.0)  # The warning that no image arrives comes after 5 s.
        used_ms, waited = usage_ms(process), switches(process)
        time.sleep(duration_s)
        used_ms, waited = usage_ms(process) - used_ms, switches(process) - waited
    receiver.close()
    return {'idle_cpu_percent': used_ms / duration_s / 10.0,
            'idle_switches_hz': waited / duration_s}


def cpu_at_rate(clip: Path, rounds: int, duration_s: float) -> dict[str, Any]:
    """Measure the CPU time per frame at 30 frames/s, in turn with bare loops."""
    from cameras import make_small_model
    model = make_small_model(RESULTS / 'small.onnx')
    receiver = Receiver()
    commands = {
        'node': receiver.node(
            source__uri=str(clip), source__loop=True, source__realtime=True,
            model__id=str(model)),
        'bare': bare_command(model, clip, RATE_HZ), 'network': bare_command(model, None, RATE_HZ)}
    times: dict[str, list[float]] = {name: [] for name in commands}
    memory_mb: dict[str, list[float]] = {name: [] for name in commands}
    rates = []
    for _ in range(rounds):
        for name, command in commands.items():
            with started(command) as process:
                if name == 'node':
                    receiver.wait()
                    receiver.count(WARM_UP_S)
                    used_ms = usage_ms(process)
                    frames = receiver.count(duration_s)
                    rates.append(frames / duration_s)
                else:
                    time.sleep(WARM_UP_S)
                    used_ms = usage_ms(process)
                    time.sleep(duration_s)
                    frames = round(duration_s * RATE_HZ)
                times[name].append((usage_ms(process) - used_ms) / frames)
                memory_mb[name].append(resident_mb(process))
    receiver.close()
    cost = {name: median(values) for name, values in times.items()}
    return {
        'cpu_rate_hz': median(rates), 'cpu_node_ms': cost['node'], 'cpu_bare_ms': cost['bare'],
        'cpu_network_ms': cost['network'], 'cpu_ratio': cost['node'] / cost['bare'],
        'resident_30hz_mb': median(memory_mb['node']),
        'resident_30hz_bare_mb': median(memory_mb['bare'])}


def memory(clip: Path, minutes: float) -> dict[str, Any]:
    """Measure the resident memory at full speed, every few seconds."""
    receiver = Receiver()
    rows = []
    with started(receiver.node(source__uri=str(clip), source__loop=True)) as process:
        receiver.wait()
        begin_s, frames = time.monotonic(), 0
        while time.monotonic() - begin_s < minutes * 60.0:
            frames += receiver.count(MEMORY_PERIOD_S)
            rows.append({'time_s': round(time.monotonic() - begin_s, 1), 'frames': frames,
                         'resident_mb': round(resident_mb(process), 2)})
    receiver.close()
    after_minute = [row['resident_mb'] for row in rows if row['time_s'] >= 60.0] or [
        rows[-1]['resident_mb']]
    return {
        'minutes': minutes, 'frames': frames, 'resident_mb': after_minute[0],
        'growth_percent': (max(after_minute) / after_minute[0] - 1.0) * 100.0, 'rows': rows}


def machine() -> dict[str, str]:
    """Describe the machine and the versions."""
    return {
        'machine': f'{os.cpu_count()} cores, {platform.machine()}', 'numpy': np.__version__,
        'python': platform.python_version(), 'opencv': cv2.__version__,
        'onnxruntime': ort.__version__, 'ros': os.environ.get('ROS_DISTRO', '')}


def write(name: str, figures: dict[str, Any]) -> None:
    """Write figures to build/bench."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / name).write_text(json.dumps({**machine(), **figures}, indent=1) + '\n')


def measure(clip: Path, rounds: int) -> None:
    """Measure all but the memory over a long time, and print a table."""
    figures = {
        **start(clip, rounds), **idle(20.0), **cpu_at_rate(clip, max(2, rounds // 2), 10.0)}
    figures['resident_mb'] = memory(clip, 65.0 / 60.0)['resident_mb']
    write('process.json', {'rounds': rounds, **figures})
    for text, name, goal in (
            ('start to the first datagram, s', 'start_s', ''),
            ('minus loading and one run of the model, s', 'start_minus_model_s', '<= 0.8'),
            ('the same with model.concurrency 0, s', 'start_measured_minus_model_s', ''),
            ('the same in CPU time, s', 'start_minus_model_cpu_s', ''),
            ('all of the bare script, s', 'script_s', ''),
            ('idle, % of a core', 'idle_cpu_percent', '<= 0.5'),
            ('idle, waits per second', 'idle_switches_hz', ''),
            ('results at 30/s, Hz', 'cpu_rate_hz', ''),
            ('CPU of a frame at 30/s, node, ms', 'cpu_node_ms', ''),
            ('CPU of a frame at 30/s, bare loop that reads too, ms', 'cpu_bare_ms', ''),
            ('ratio of these two', 'cpu_ratio', '<= 1.3'),
            ('CPU of a frame at 30/s, network alone, ms', 'cpu_network_ms', ''),
            ('resident memory at 30/s, node, MB', 'resident_30hz_mb', ''),
            ('resident memory at 30/s, bare loop that reads too, MB', 'resident_30hz_bare_mb', ''),
            ('resident memory after a minute at full speed, MB', 'resident_mb', '')):
        print(f'{text:56} {figures[name]:8.2f}  {goal}')


def main() -> None:
    """Measure what the arguments name."""
    parser = ArgumentParser(description='Measure the process udp_infer.')
    parser.add_argument('--rounds', type=int, default=7, help='starts of each kind')
    parser.add_argument('--memory', type=float, metavar='MINUTES', help='measure only the memory')
    parser.add_argument('--bare', type=Path, metavar='MODEL', help='be the bare script')
    parser.add_argument('--clip', type=Path, help='what the bare script reads')
    parser.add_argument('--rate', type=float, default=0.0, help='rate of the bare script, Hz')
    arguments = parser.parse_args()
    if arguments.bare:
        return bare(arguments.bare, arguments.clip, arguments.rate)
    sys.path[:0] = [str(ROOT), str(ROOT / 'test'), str(ROOT / 'dev')]
    from cameras import make_clip
    RESULTS.mkdir(parents=True, exist_ok=True)
    clip = make_clip(RESULTS / 'clip_720p_30.mp4', RATE_HZ)
    if arguments.memory:
        figures = memory(clip, arguments.memory)
        write('memory.json', figures)
        print(f'{figures["resident_mb"]:.1f} MB after a minute, largest growth '
              f'{figures["growth_percent"]:.2f} %')
        return
    measure(clip, arguments.rounds)


if __name__ == '__main__':
    main()
