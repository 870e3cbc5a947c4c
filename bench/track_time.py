# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Compare the time of the tracker with that of ByteTrack in the package `trackers`.

    make bench ARGS='--only track_time'

Both track the same boxes, one frame each in turn: objects of one class that drift in an image of
1920 x 1080 pixels, with noise of a pixel, 3 % misses and low scores. The figures are written to
build/bench/track_time.json.
"""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path
import platform
import time

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker
from udp_infer_ros.frame import Detections
from udp_infer_ros.settings import TrackSettings
from udp_infer_ros.tracking.byte import ByteTracker

RESULTS = Path(__file__).resolve().parent.parent / 'build' / 'bench'
VIEW = (1920, 1080)
FRAMES = 250
WARM_UP = 25
RULES = TrackSettings()


def frames(count: int) -> Iterator[Detections]:
    """Yield the detections of objects that move at constant speed, and turn at the edges."""
    random = np.random.default_rng(1)
    corner = random.uniform(0, VIEW, (count, 2))
    size, speed = random.uniform(20, 80, (count, 2)), random.normal(0, 2, (count, 2))
    while True:
        corner += speed
        speed[(corner < 0) | (corner > VIEW)] *= -1
        row = np.flatnonzero(random.random(count) > 0.03)
        low = corner[row] + random.normal(0, 1, (len(row), 2))
        yield Detections(
            xyxy=np.hstack((low, low + size[row])).astype(np.float32),
            score=np.where(
                random.random(len(row)) < 0.03, 0.2, random.uniform(0.5, 0.9, len(row))
            ).astype(np.float32),
            class_id=np.zeros(len(row), dtype=np.intp), class_name=np.full(len(row), 'person'),
            track_id=np.full(len(row), -1))


def measure(count: int) -> dict[str, float]:
    """Track objects with both; return medians in milliseconds and their ratio."""
    ours = ByteTracker(RULES)
    other = ByteTrackTracker(
        track_activation_threshold=RULES.high_threshold, frame_rate=30.0,
        high_conf_det_threshold=RULES.high_threshold)
    times_ms: list[tuple[float, float]] = []
    for index, found in zip(range(FRAMES + WARM_UP), frames(count)):
        converted = sv.Detections(
            xyxy=found.xyxy, confidence=found.score, class_id=found.class_id.astype(int))
        begin_s = time.perf_counter()
        ours.update(found, index * 33_333_333)
        middle_s = time.perf_counter()
        other.update(converted)
        times_ms.append(((middle_s - begin_s) * 1e3, (time.perf_counter() - middle_s) * 1e3))
    ours_ms, other_ms = np.median(times_ms[WARM_UP:], axis=0).tolist()
    return {
        'objects': count, 'ours_ms': round(ours_ms, 3), 'trackers_ms': round(other_ms, 3),
        'ratio': round(other_ms / ours_ms, 1)}


def main() -> None:
    """Measure some numbers of objects."""
    rows = []
    for count in (10, 50, 300, 1000):
        rows.append(measure(count))
        print(
            '{objects:5} objects: {ours_ms:7.2f} ms, trackers {trackers_ms:8.2f} ms, '
            'ratio {ratio:5.1f}'.format(**rows[-1]), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / 'track_time.json').write_text(json.dumps({
        'machine': f'{os.cpu_count()} cores, {platform.machine()}', 'numpy': np.__version__,
        'rows': rows}, indent=1) + '\n')


if __name__ == '__main__':
    main()
