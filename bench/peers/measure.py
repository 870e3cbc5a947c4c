# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Run a program once, and measure it by its datagrams and by /proc."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import socket
import subprocess
import time

import numpy as np
from programs import Program

START_LIMIT_S = 120.0
SILENT_S = 2.0
"""A program that has sent results and is silent for this long has ended."""
SAMPLE_S = 0.2
LONGEST_S = 8.0
"""A file is played for this long after the first result."""
LIVE_WARM_UP_S = 2.0
Figures = dict[str, float]


class FailedError(Exception):
    """A program sent no results; the text says which one."""


@dataclass
class Recording:
    """What arrived from a program, and what it used meanwhile."""

    begin_s: float
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)
    """Each datagram, with the time.monotonic of its arrival."""
    samples: list[tuple[float, float, float]] = field(default_factory=list)
    """Times, and then the CPU time of the process, seconds, and its resident memory, MB."""

    def results(self) -> dict[int, float]:
        """Return the arrival of each result by the number of its frame."""
        found: dict[int, float] = {}
        for arrival_s, text in self.arrivals:
            message = json.loads(text)
            metadata = message.get('inference_metadata', {})
            found[message.get('frame_id', metadata.get('frame_id'))] = arrival_s
        return found

    def objects(self) -> float:
        """Return the mean number of objects in a result."""
        return float(np.mean([
            len(json.loads(text)['predictions']) for _, text in self.arrivals]))

    def common(self, warm_up_s: float) -> Figures:
        """
        Return the figures of any source, of the time after the warm-up.

        :raises FailedError: if too few results arrived.
        """
        times_s = np.array(sorted(self.results().values()))
        start_s = times_s[0]
        counted_s = times_s[times_s >= start_s + warm_up_s]
        samples = [sample for sample in self.samples if (
            start_s + warm_up_s <= sample[0] <= times_s[-1])]
        if len(counted_s) < 2 or len(samples) < 2:
            raise FailedError(f'{len(times_s)} results, too few after {warm_up_s} s')
        (first_s, first_cpu_s, _), (last_s, last_cpu_s, resident_mb) = samples[0], samples[-1]
        results = np.count_nonzero((times_s > first_s) & (times_s <= last_s))
        return {
            'rate': (len(counted_s) - 1) / (counted_s[-1] - counted_s[0]),
            'cpu_ms': (last_cpu_s - first_cpu_s) * 1e3 / results,
            'resident_mb': resident_mb, 'start_s': start_s - self.begin_s,
            'objects': self.objects()}


def play_file(program: Program, file: Path, model: Path, threads: int) -> Figures:
    """Return the figures of a program that processes every frame of a file."""
    with receiver() as (port, sink):
        command = program.command(str(file), model, port, threads, live=False)
        return _record(program, command, sink, LONGEST_S).common(warm_up_s=0.5)


def watch_camera(
    program: Program, url: str, model: Path, threads: int, duration_s: float,
    sent_s: Callable[[], Sequence[float]],
) -> Figures:
    """
    Return the figures of a program that processes a live stream.

    :param duration_s: of the stream.
    :param sent_s: returns when each frame was sent.
    """
    with receiver() as (port, sink):
        command = program.command(url, model, port, threads, live=True)
        recording = _record(program, command, sink, duration_s + SILENT_S)
    return {**recording.common(LIVE_WARM_UP_S), **ages(recording, np.array(sent_s()))}


def ages(recording: Recording, sent_s: np.ndarray) -> Figures:  # type: ignore[type-arg]
    """
    Return the ages of the results when they arrive.

    udp_infer skips frames before it numbers the first one, and adds a stamp to its results. No
    frame is stamped before it is sent, so the smallest shift of the numbers is the right one.
    """
    shift = min(_shifts(recording, sent_s), default=0)
    number, arrival_s = np.array(sorted(recording.results().items())).T
    number = number.astype(int) + shift
    age_ms = (arrival_s - sent_s[number]) * 1e3
    age_ms = age_ms[arrival_s >= arrival_s[0] + LIVE_WARM_UP_S]
    p50_ms, p95_ms = np.percentile(age_ms, (50, 95))
    return {'p50_ms': p50_ms, 'p95_ms': p95_ms, 'lowest_ms': age_ms.min(),
            'skipped': float(number[-1] - number[0] + 1 - len(number))}


def _shifts(recording: Recording, sent_s: np.ndarray) -> Iterator[int]:  # type: ignore[type-arg]
    since_epoch_s = time.time() - time.monotonic()
    for _, text in recording.arrivals:
        message = json.loads(text)
        stamp = message.get('udp_infer', {}).get('stamp')
        if stamp is not None:
            stamp_s = stamp['sec'] + stamp['nanosec'] * 1e-9 - since_epoch_s
            yield int(np.searchsorted(sent_s, stamp_s)) - 1 - message['frame_id']


@contextmanager
def receiver() -> Iterator[tuple[int, socket.socket]]:
    """Open a socket for datagrams; yield its port and itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sink.bind(('127.0.0.1', 0))
        sink.settimeout(SAMPLE_S)
        yield sink.getsockname()[1], sink


def _record(
    program: Program, command: Sequence[str], sink: socket.socket, longest_s: float,
) -> Recording:
    recording = Recording(begin_s=time.monotonic())
    process = subprocess.Popen(
        command, env=program.variables(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _receive(recording, process, sink, longest_s)
    finally:
        _end(process)
    if len(recording.samples) < 2:
        raise FailedError(f'{program.name} sent {len(recording.arrivals)} results: {command}')
    return recording


def _receive(
    recording: Recording, process: subprocess.Popen[bytes], sink: socket.socket,
    longest_s: float,
) -> None:
    sampled_s = 0.0
    while True:
        try:
            text = sink.recv(65535)
            now_s = time.monotonic()
            recording.arrivals.append((now_s, text))
        except TimeoutError:
            now_s = time.monotonic()
        if not recording.arrivals:
            if process.poll() is not None or now_s > recording.begin_s + START_LIMIT_S:
                return
        elif now_s >= min(recording.arrivals[-1][0] + SILENT_S,
                          recording.arrivals[0][0] + longest_s):
            return
        elif now_s >= sampled_s + SAMPLE_S and process.poll() is None:
            sampled_s = now_s
            _sample(recording, process.pid, now_s)


def _sample(recording: Recording, pid: int, now_s: float) -> None:
    stat = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    if stat[0] == 'Z':
        return
    cpu_s = (int(stat[11]) + int(stat[12])) / os.sysconf('SC_CLK_TCK')
    recording.samples.append(
        (now_s, cpu_s, int(stat[21]) * os.sysconf('SC_PAGE_SIZE') / 1e6))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
