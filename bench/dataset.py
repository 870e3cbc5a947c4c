# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure what collecting a dataset costs the frames, and what appending an image costs the disk.

    make bench-dataset

A camera of 30 frames per second with 640 x 480 pixels and the bundled model, in one process.
The variants take turns of 30 frames, so that other load of the machine meets each of them; the
figure is the time of a frame from the image to the end of the output. The slow disk needs 100
times longer for an image than this one. `every frame` is a load that no user has.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import statistics
import sys
import tempfile
import time

import cv2

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'test')]

from dataset_helpers import at, make_output, make_settings, NOON_S, picture  # noqa: E402, I100
from udp_infer_ros.detection.detector import Detector  # noqa: E402
from udp_infer_ros.frame import Frame  # noqa: E402
from udp_infer_ros.outputs.dataset.output import DatasetOutput  # noqa: E402
from udp_infer_ros.outputs.dataset.sample import Sample  # noqa: E402
from udp_infer_ros.outputs.dataset.store import Store  # noqa: E402
from udp_infer_ros.outputs.dataset.writer import Writer  # noqa: E402
from udp_infer_ros.pipeline import Pipeline  # noqa: E402
from udp_infer_ros.settings import DatasetSettings, Settings  # noqa: E402
from udp_infer_ros.stats import Stats  # noqa: E402

RATE_HZ = 30
TURNS = 12
SLOWER = 100
OFF = 'off'


class SlowStore(Store):
    """A disk that needs SLOWER times longer."""

    def add(self, sample: Sample, settings: DatasetSettings) -> None:
        """Append the image, and wait."""
        begin = time.monotonic()
        super().add(sample, settings)
        time.sleep((SLOWER - 1) * (time.monotonic() - begin))


def outputs(folder: Path) -> dict[str, DatasetOutput]:
    """Return the variants by name."""
    def make(name: str, rule: str, store: Callable[[Path], Store]) -> DatasetOutput:
        settings = make_settings(
            folder / name, (rule,), second__type='interval', second__interval_s=1.0)
        return make_output(settings, writer=Writer(store))
    return {
        OFF: make_output(Settings()),
        'an image a second': make('a', 'second', Store),
        'an image a second, slow disk': make('b', 'second', SlowStore),
        'every frame': make('c', 'all', Store),
        'every frame, slow disk': make('d', 'all', SlowStore)}


def measure_frames(folder: Path) -> None:
    """Print the time of a frame of each variant, and the ratio to that without collection."""
    detector = Detector.load(Settings().model)
    pipeline = Pipeline(detector, Settings(), Stats())
    image = picture()
    encoded = cv2.imencode('.jpg', image)[1].tobytes()
    variants = outputs(folder)
    times: dict[str, list[float]] = {name: [] for name in variants}
    ratios: dict[str, list[float]] = {name: [] for name in variants}
    number = 0
    for turn in range(TURNS + 1):
        for name, output in variants.items():
            spent = []
            for _ in range(RATE_HZ):
                number += 1
                frame = Frame.from_image(
                    image, index=number, stamp_ns=round((NOON_S + number / RATE_HZ) * 1e9),
                    frame_id='camera', source='bench', arrival_s=time.monotonic(),
                    encoded=encoded)
                begin = time.perf_counter()
                result = pipeline.process(frame)
                output.write(result, image)
                spent.append(time.perf_counter() - begin)
                time.sleep(max(0.0, 1 / RATE_HZ - spent[-1]))
            if turn:
                times[name].append(statistics.median(spent) * 1000)
        if turn:
            for name in variants:
                ratios[name].append(times[OFF][-1] / times[name][-1])
    for name, output in variants.items():
        values = output.health().values
        print(f'{name:30} {statistics.median(times[name]):7.2f} ms  ratio '
              f'{statistics.median(ratios[name]):.3f}  dropped images {values.get("dropped", 0)}')


def measure_appending(folder: Path) -> None:
    """Print the time to append an image to a day that has images already."""
    output = make_output(make_settings(folder / 'append'))
    image = picture()
    encoded = cv2.imencode('.jpg', image)[1].tobytes()
    for count in range(1, 2001):
        begin = time.perf_counter()
        output.write(at(NOON_S + count, 5, encoded=encoded), image)
        while not output.is_idle():
            time.sleep(0.0002)
        if count in (1, 10, 100, 500, 1000, 2000):
            spent_ms = (time.perf_counter() - begin) * 1000
            print(f'append image {count:5} of a day   {spent_ms:7.2f} ms', flush=True)
    output.close()


def main() -> None:
    """Measure in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        measure_appending(Path(folder))
        measure_frames(Path(folder))


if __name__ == '__main__':
    main()
