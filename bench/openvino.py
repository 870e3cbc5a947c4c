# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Compare OpenVINO with the CPU of ONNX Runtime, for the default model and three others.

    make bench-openvino

Each figure is of the whole detector: letterbox, network and decoding of an image of 1280 x 720.
Both run in this process, in turn; compare the ratios. The other models have random weights, see
networks.py. build/openvino has onnxruntime-openvino, which replaces onnxruntime by PYTHONPATH.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import platform
import sys
import sysconfig
import tempfile
import time
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / 'build' / 'bench' / 'openvino.json'
DEVICES = ('cpu', 'openvino')

sys.path.insert(0, str(ROOT / 'bench'))
from environment import create  # noqa: E402, I100


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Medians for one model, by device."""

    start_s: dict[str, float]
    """To load and warm up the detector."""
    frame_ms: dict[str, float]
    cpu_ms: dict[str, float]
    """CPU time of the process for a frame, of all threads."""
    ratio: float
    """Median of the ratios of `frame_ms` in a round, cpu / openvino: above 1, OpenVINO wins."""


def site_packages() -> Path:
    """Create the environment, and return the folder to put into PYTHONPATH."""
    folder = create('openvino', ROOT / 'bench' / 'requirements-openvino.txt')
    return Path(sysconfig.get_path(
        'purelib', 'venv' if 'venv' in sysconfig.get_scheme_names() else 'posix_prefix',
        vars={'base': str(folder), 'platbase': str(folder)}))


def compare(model: str, rounds: int, seconds: float) -> Comparison:
    """Run the detector on both devices in turn, for some time each."""
    import numpy as np
    from udp_infer_ros.detection.detector import Detector
    from udp_infer_ros.settings import DetectSettings, ModelSettings
    image = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    detectors, start_s = {}, {}
    for device in DEVICES:
        begin_s = time.perf_counter()
        detectors[device] = Detector.load(ModelSettings(id=model, device=device))
        start_s[device] = time.perf_counter() - begin_s
    selection = detectors['cpu'].selection(DetectSettings(), 0.4)

    def measure(detector: Any) -> tuple[float, float]:
        """Return the median time of a frame and its CPU time, ms."""
        times_ms = []
        begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        while not times_ms or time.perf_counter() - begin_s < seconds:
            frame_s = time.perf_counter()
            prepared = detector.prepare(image)
            detector.read(detector.run(prepared), prepared.letterbox, selection)
            detector.release(prepared)
            times_ms.append((time.perf_counter() - frame_s) * 1e3)
        cpu_ms = (time.process_time() - begin_cpu_s) * 1e3 / len(times_ms)
        return float(np.median(times_ms)), cpu_ms
    runs: dict[str, list[tuple[float, float]]] = {device: [] for device in DEVICES}
    for number in range(rounds):
        for device in DEVICES if number % 2 == 0 else reversed(DEVICES):
            runs[device].append(measure(detectors[device]))
    medians = {device: np.median(runs[device], axis=0).tolist() for device in DEVICES}
    return Comparison(
        start_s=start_s, frame_ms={device: medians[device][0] for device in DEVICES},
        cpu_ms={device: medians[device][1] for device in DEVICES},
        ratio=float(np.median([
            cpu[0] / openvino[0] for cpu, openvino in zip(runs['cpu'], runs['openvino'])])))


def processor() -> str:
    """Return the name of the processor."""
    lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    names = (line.partition(': ')[2] for line in lines if line.startswith('model name'))
    return next(names, platform.machine())


def main() -> None:
    """Measure, print a table and write build/bench/openvino.json."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--path', action='store_true', help='print the folder for PYTHONPATH')
    parser.add_argument('--rounds', type=int, default=60)
    parser.add_argument('--seconds', type=float, default=0.1, help='for each device in a round')
    arguments = parser.parse_args()
    if arguments.path:
        print(site_packages())
        return
    import networks
    import onnxruntime
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        models = {'nanodet_g_416': 'nanodet_g_416', **{
            f'like {write.__name__}': str(write(Path(folder, f'{write.__name__}.onnx')))
            for write in (networks.yolov8, networks.yolo12, networks.rtdetr)}}
        print(f'{"":16} {"cpu ms":>8} {"openvino ms":>12} {"ratio":>6} {"CPU time ms":>16} '
              f'{"start s":>14}')
        for name, model in models.items():
            one = compare(model, arguments.rounds, arguments.seconds)
            found[name] = asdict(one)
            print(f'{name:16} {one.frame_ms["cpu"]:8.1f} {one.frame_ms["openvino"]:12.1f} '
                  f'{one.ratio:6.2f} {one.cpu_ms["cpu"]:8.1f} {one.cpu_ms["openvino"]:7.1f} '
                  f'{one.start_s["cpu"]:7.2f} {one.start_s["openvino"]:6.2f}', flush=True)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps({
        'processor': processor(), 'cores': len(os.sched_getaffinity(0)),
        'onnxruntime': onnxruntime.__version__, 'python': platform.python_version(),
        'date': time.strftime('%Y-%m-%d'), 'models': found}, indent=1) + '\n', encoding='utf-8')
    print(f'written: {REPORT.relative_to(ROOT)}')


if __name__ == '__main__':
    main()
