# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The number of inferences at once is the one that is measured to be the fastest."""

import gc
import os
import threading

from helpers import record_sessions, write_model, yolo_table
import pytest
from udp_infer_ros.detection import concurrency
from udp_infer_ros.detection.concurrency import load_measured
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings


@pytest.fixture
def model(tmp_path):
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 3))
    return ModelSettings(id=str(path), device='cpu')


def give_rates(monkeypatch, *rates_hz, fails_with=None):
    """Return a network a rate with 1, 2, 4 and 8 frames at once, on eight cores."""
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: range(8))

    def measure_hz(detector, frames):
        assert detector.info.concurrency == frames
        if frames == fails_with:
            raise ModelError('model.id', 'm', 'does not run', 'check it')
        return dict(zip((1, 2, 4, 8), rates_hz))[frames]
    monkeypatch.setattr(concurrency, 'measure_hz', measure_hz)


@pytest.mark.parametrize('rates_hz, frames', [
    ((100.0, 180.0, 340.0, 600.0), 8), ((100.0, 104.0), 1), ((100.0, 180.0, 170.0), 2),
    ((100.0, 180.0, 340.0, 350.0), 4)])
def test_inferences_at_once_are_doubled_until_that_gains_little(
        model, monkeypatch, rates_hz, frames):
    give_rates(monkeypatch, *rates_hz)
    detector, found = load_measured(model, ModelPool())
    assert tuple(found.rates_hz.values()) == rates_hz
    assert found.frames == detector.info.concurrency == frames
    assert str(found).startswith(f'model.concurrency {frames} (measured: 1 at once 100.0/s, 2 at')
    detector.close()


@pytest.mark.parametrize('frames', [1, 3])
def test_frames_are_measured_at_once(model, monkeypatch, frames):
    meeting, most = threading.Barrier(frames, timeout=10), []

    def run(self, prepared):
        most.append(meeting.wait() + 1)
    monkeypatch.setattr(Detector, 'run', run)
    monkeypatch.setattr(concurrency, 'MEASURE_S', 0.0)
    detector = Detector.load(model)
    assert concurrency.measure_hz(detector, frames) > 0.0
    assert len(most) == frames * concurrency.MIN_CALLS and max(most) == frames
    detector.close()


def test_a_network_that_is_fast_anyway_is_measured_once(model):
    detector, found = load_measured(model, ModelPool())
    assert list(found.rates_hz) == [1] and found.frames == 1
    detector.close()


@pytest.mark.parametrize('fails_with, loaded', [(1, 1), (2, 2), (4, 3), (None, 3)])
def test_only_the_chosen_network_stays_loaded(model, monkeypatch, fails_with, loaded):
    sessions = record_sessions(monkeypatch)
    give_rates(monkeypatch, 100.0, 180.0, 170.0, fails_with=fails_with)
    try:
        detector = load_measured(model, ModelPool())[0]
    except ModelError:
        detector = None
    assert (detector is None) == (fails_with is not None)
    gc.collect()
    assert sum(session() is not None for session in sessions) == (detector is not None)
    assert len(sessions) == loaded
