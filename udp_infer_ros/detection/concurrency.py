# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The choice of `model.concurrency`, by measuring.

Two inferences at once with one thread each are faster than two in turn with two threads each,
because the threads of an inference wait for each other at every operator; how much faster depends
on the network. So the number of inferences is doubled until that gains little.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
import threading
import time

import numpy as np
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.local import usable_cores
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.detection.providers import CPU, OPENVINO
from udp_infer_ros.settings import ModelSettings

MEASURE_S = 0.3
"""Duration of a measurement, unless a few calls take longer."""
MIN_CALLS = 3
"""In each thread."""
FAST_HZ = 1000.0
"""A network that is faster than this is not what limits the rate."""
MIN_GAIN = 1.05


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """How many frames a network processes at once, and why."""

    frames: int
    rates_hz: Mapping[int, float]
    """Measured inferences per second, by the number of frames at once."""

    def __str__(self) -> str:
        measured = ', '.join(
            f'{frames} at once {rate_hz:.1f}/s' for frames, rate_hz in self.rates_hz.items())
        return f'model.concurrency {self.frames} (measured: {measured})'


def load_measured(
    settings: ModelSettings, models: ModelPool, abort: threading.Event | None = None,
) -> tuple[Detector, Concurrency]:
    """
    Load a model with the `model.concurrency` that processes the most frames per second.

    :param settings: without `model.concurrency`.
    :param abort: ends the wait for a server.
    :raises ModelError: if the model cannot be loaded.
    """
    detector, rate_hz = _try(settings, 1, models, abort)
    frames, rates_hz = 1, {1: rate_hz}
    try:
        for more in _more_frames(detector) if rate_hz < FAST_HZ else ():
            other, rates_hz[more] = _try(settings, more, models, abort)
            if rates_hz[more] < MIN_GAIN * rates_hz[frames]:
                other.close()
                break
            detector.close()
            detector, frames = other, more
    except BaseException:
        detector.close()
        raise
    return detector, Concurrency(frames=frames, rates_hz=rates_hz)


def _more_frames(detector: Detector) -> list[int]:
    """Return the numbers of frames at once to try, from 2."""
    # An accelerator or a server needs a second frame while it returns the first one.
    limit = usable_cores() if detector.info.provider in (CPU, OPENVINO) else 2
    doubled = [2**power for power in range(1, limit.bit_length()) if 2**power < limit]
    return [*doubled, limit] if limit > 1 else []


def _try(
    settings: ModelSettings, frames: int, models: ModelPool, abort: threading.Event | None,
) -> tuple[Detector, float]:
    """Load a model; return it and its inferences per second with some frames at once."""
    settings = replace(settings, concurrency=frames)
    detector = Detector.load(settings, models.load(settings, abort=abort))
    try:
        return detector, measure_hz(detector, frames)
    except BaseException:
        detector.close()
        raise


def measure_hz(detector: Detector, frames: int) -> float:
    """Return the inferences per second, with some frames at once."""
    size = (detector.info.input_height, detector.info.input_width, 3)
    prepared = detector.prepare(
        np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8))

    def run_for_some_time(begin_s: float) -> int:
        count = 0
        while count < MIN_CALLS or time.perf_counter() - begin_s < MEASURE_S:
            detector.run(prepared)
            count += 1
        return count
    with ThreadPoolExecutor(frames) as threads:
        begin_s = time.perf_counter()
        counts = list(threads.map(run_for_some_time, [begin_s] * frames))
        rate_hz = sum(counts) / (time.perf_counter() - begin_s)
    detector.release(prepared)
    return rate_hz
