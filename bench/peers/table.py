# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The table of build/bench/peers.json in docs/performance.md.

    python3 bench/peers/table.py        # writes it again, without measuring
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
import os
from pathlib import Path
import platform
import statistics
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PATH = ROOT / 'build' / 'bench' / 'peers.json'
PAGE = ROOT / 'docs' / 'performance.md'
BEGIN, END = '<!-- written by make bench-peers -->', '<!-- end of make bench-peers -->'
OURS, USUAL = 'udp_infer', 'the usual script'
NOT_EQUAL = """\
Age is the arrival of a datagram minus the time at which an MJPEG server, in a process of its own,
sent the frame. The usual script is [bench/peers/usual_script.py](../bench/peers/usual_script.py):
`VideoCapture.read`, ONNX Runtime, non-maximum suppression by supervision, ByteTrack of `trackers`
(with the older packages, of supervision) and JSON, in one loop; in one column, a thread reads a
stream and keeps the newest frame only. Not equal:

* udp_infer also publishes on ROS topics, compensates the motion of the camera, tracks with boxes
  from score 0.1, and sends more in its JSON. Like InferencePipeline, it skips frames of a stream.
* The threads of ONNX Runtime do not spin in udp_infer, and do in the others, its default. That is
  faster on an idle machine, such as this one should be, and slower beside other programs: see
  `model.spinning` above.
* InferencePipeline runs the model and the tracker of the usual script, because it loads models of
  its vendor only.
* Left out: Ultralytics, because of its license; UdpStream of Roboflow, because it needs an
  account; programs that are not on PyPI.
"""
Figures = Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]
"""The figures of each run, by program and by what was measured."""


@dataclass(frozen=True)
class Row:
    """A figure of the table."""

    title: str
    run: str
    key: str
    form: str
    highest: bool = False
    """Whether more is better."""


ROWS = (
    Row('bikes.mp4, results/s', 'bikes', 'rate', '.1f', highest=True),
    Row('720p file, results/s', 'file', 'rate', '.1f', highest=True),
    Row('720p file, small model, results/s', 'small', 'rate', '.0f', highest=True),
    Row('720p file, CPU for a result, ms', 'file', 'cpu_ms', '.0f'),
    Row('720p file, small model, CPU for a result, ms', 'small', 'cpu_ms', '.1f'),
    Row('live, 30 frames/s: results/s', 'live30', 'rate', '.1f', highest=True),
    Row('age, 50th percentile, ms', 'live30', 'p50_ms', '.0f'),
    Row('age, 95th percentile, ms', 'live30', 'p95_ms', '.0f'),
    Row('CPU for a result, ms', 'live30', 'cpu_ms', '.0f'),
    Row('live, 60 frames/s: results/s', 'live60', 'rate', '.1f', highest=True),
    Row('age, 50th percentile, ms', 'live60', 'p50_ms', '.0f'),
    Row('age, 95th percentile, ms', 'live60', 'p95_ms', '.0f'),
    Row('resident memory, MB', 'file', 'resident_mb', '.0f'),
    Row('start of the process to first result of a file, s', 'file', 'start_s', '.2f'),
    Row('start of the process to first result of a stream, s', 'live30', 'start_s', '.2f'))


def machine() -> str:
    """Return the processor and the number of cores of this machine."""
    for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
        if line.startswith('model name'):
            return f'{os.cpu_count()} cores of {line.partition(":")[2].strip()}'
    return f'{os.cpu_count()} cores, {platform.machine()}'


def write_table() -> None:
    """Write the table between its markers; append both if the page has none."""
    page = PAGE.read_text(encoding='utf-8')
    if BEGIN not in page:
        page += f'\n## Beside other programs\n\n{BEGIN}\n{END}\n'
    head, _, rest = page.partition(BEGIN)
    content = '\n'.join(lines(json.loads(PATH.read_text(encoding='utf-8'))))
    PAGE.write_text(f'{head}{BEGIN}\n\n{content}\n\n{END}{rest.partition(END)[2]}', 'utf-8')


def lines(record: Mapping[str, Any]) -> list[str]:
    """Return the lines of the table and of what belongs to it."""
    figures: Figures = record['figures']
    names = list(figures)
    table = [f'| | {" | ".join(names)} |', '|---' * (len(names) + 1) + '|']
    table += [f'| {row.title} | {" | ".join(cells(row, figures))} |' for row in ROWS]
    rounds = len(figures[OURS]['file'])
    share = statistics.median(
        run['others'] for runs in figures.values() for many in runs.values() for run in many)
    versions = '; '.join(
        f'{name}: {", ".join(" ".join(pair) for pair in packages.items())}'
        for name, packages in record['versions'].items())
    missing = [
        f'Not measured: {name}: {reason}.' for name, reason in record['missing'].items()]
    return [
        f'Measured on {record["date"]} by `make bench-peers`: {record["machine"]}, of which other '
        f'programs used {share:.0%}; {rounds} rounds, in which the programs take turns; '
        f'{record["threads"]} threads of ONNX Runtime each. Medians, with the lowest and the '
        'highest run in brackets; the best median is bold.', '', *table, '', *missing,
        f'Results per second over those of the usual script, median of the rounds: '
        f'{ratio(figures, "bikes", "bikes.mp4")}, {ratio(figures, "file", "the 720p file")} and '
        f'{ratio(figures, "small", "the small model")}.', '', *NOT_EQUAL.splitlines(), '',
        f'Versions: {versions}.']


def cells(row: Row, figures: Figures) -> list[str]:
    """Return the cells of a row: median, lowest and highest."""
    values = {
        name: [run[row.key] for run in runs[row.run]] for name, runs in figures.items()}
    medians = {name: statistics.median(many) for name, many in values.items() if many}
    best = (max if row.highest else min)(medians.values())
    texts = []
    for name, many in values.items():
        if not many:
            texts.append('-')
            continue
        middle, low, high = (
            format(value, row.form) for value in (medians[name], min(many), max(many)))
        middle = f'**{middle}**' if medians[name] == best else middle
        texts.append(f'{middle} [{low} to {high}]')
    return texts


def ratio(figures: Figures, run: str, title: str) -> str:
    """Return the median ratio of results/s to the usual script, as text."""
    if USUAL not in figures:
        return f'{title}: not compared'
    pairs = zip(figures[OURS][run], figures[USUAL][run])
    value = statistics.median(ours['rate'] / usual['rate'] for ours, usual in pairs)
    return f'{title} {value:.2f}'


if __name__ == '__main__':
    write_table()
