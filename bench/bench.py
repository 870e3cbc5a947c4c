# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure everything, and write the tables and plots of docs/performance.md.

    make bench
    make bench ARGS='--only path whole'
    make bench ARGS='--memory-minutes 30'

Each part is a script that writes build/bench/<part>.json, and takes one to four minutes. A part
that is not run keeps its figures and their date. One that fails is named at the end, and the exit
code is 1.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import date
import json
import os
from pathlib import Path
import platform
import resource
import subprocess
import sys
import time
from typing import Any

from cameras import busy_s
import cv2
from environment import create, TRACKERS
import numpy as np
import onnxruntime
from report import FOLDER, read_runs, ROOT, RUNS, write_page

PARTS: Mapping[str, Sequence[str]] = {
    'path': ['path.py'],
    'latency': ['latency.py'],
    'whole': ['whole.py'],
    'process': ['process.py'],
    'memory': ['process.py', '--memory'],
    'cameras': ['cameras.py', '--growth', '--arms', 'one process', '--models', 'small',
                '--window', '4'],
    'stages': ['stages.py'],
    'track_time': ['track_time.py'],
}
"""The scripts, by the name of the file that each writes."""
WITH_TRACKERS = ('track_time',)
"""The parts that run in the environment of the other trackers."""


def run(part: str, arguments: Sequence[str]) -> dict[str, Any] | None:
    """
    Run a part.

    :return: when and beside which load it ran, and with which versions; None if it failed.
    """
    script, *rest = PARTS[part]
    python, environment = sys.executable, dict(os.environ)
    if part in WITH_TRACKERS:
        python = str(create('peers', TRACKERS) / 'bin' / 'python')
        environment['PYTHONPATH'] = str(ROOT)
    print(f'\n--- {part}: {" ".join((script, *rest, *arguments))}', flush=True)
    result = FOLDER / f'{part}.json'
    before_ns = result.stat().st_mtime_ns if result.exists() else 0
    load, begin_s = os.getloadavg()[0], time.monotonic()
    own_s, all_s = children_s(), busy_s()
    code = subprocess.call(
        [python, str(Path(__file__).with_name(script)), *rest, *arguments], cwd=ROOT,
        env=environment)
    spent_s = time.monotonic() - begin_s
    others_s = busy_s() - all_s - (children_s() - own_s)
    if code or not result.exists() or result.stat().st_mtime_ns == before_ns:
        return None
    return {
        'date': date.today().isoformat(), 'seconds': round(spent_s), 'load': round(load, 1),
        'others': round(max(0.0, others_s) / spent_s / (os.cpu_count() or 1), 3),
        'machine': machine(), 'versions': versions(), 'written_ns': result.stat().st_mtime_ns}


def machine() -> str:
    """Return the processor of this machine."""
    names = [line.partition(':')[2].strip()
             for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
             if line.startswith('model name')]
    name = names[0] if names else platform.machine()
    return f'{os.cpu_count()} cores of {name}'


def versions() -> str:
    """Return the versions of the software that determines the figures."""
    return (
        f'ROS 2 {os.environ.get("ROS_DISTRO", "").capitalize()}, Python '
        f'{platform.python_version()}, ONNX Runtime {onnxruntime.__version__}, NumPy '
        f'{np.__version__}, OpenCV {cv2.__version__}')


def children_s() -> float:
    """Return the CPU time of the processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the parts, and write the page."""
    parser = ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--only', nargs='*', choices=PARTS, default=list(PARTS), metavar='PART',
                        help=f'the parts to run, of {", ".join(PARTS)}; none: only the page')
    parser.add_argument('--memory-minutes', type=float, default=3.0,
                        help='how long the memory is observed')
    arguments = parser.parse_args()
    options = {'memory': [str(arguments.memory_minutes)]}
    FOLDER.mkdir(parents=True, exist_ok=True)
    runs = read_runs()
    failed = []
    for part in arguments.only:
        if (found := run(part, options.get(part, ()))) is None:
            failed.append(part)
            continue
        runs[part] = found
        RUNS.write_text(json.dumps(runs, indent=1) + '\n', encoding='utf-8')
    write_page()
    if failed:
        sys.exit(f'failed: {", ".join(failed)}; docs/performance.md has no new figures of them')


if __name__ == '__main__':
    main()
