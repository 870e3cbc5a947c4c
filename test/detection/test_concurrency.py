# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The number of inferences at once is the one that is measured to be the fastest."""

import gc
import os
import threading
import time

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


@pytest.fixture
def network(monkeypatch):
    """Make a network take 10 ms, of which a part cannot run at once; on eight cores."""
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: range(8))
    monkeypatch.setattr(concurrency, 'MEASURE_S', 0.1)
    alone = threading.Lock()
    network = SlowNetwork()

    def run(self, prepared):
        time.sleep(0.01 - network.alone_s)
        with alone:
            time.sleep(network.alone_s)
        if network.fails_with == self.info.concurrency:
            raise ModelError('model.id', 'm', 'does not run', 'check it')
        return {}
    monkeypatch.setattr(Detector, 'run', run)
    return network


class SlowNetwork:
    """How a network behaves."""

    alone_s = 0.0
    fails_with = None


@pytest.mark.parametrize('alone_s, frames, tried', [
    (0.0, 8, [1, 2, 4, 8]), (0.0099, 1, [1, 2]), (0.006, 2, [1, 2, 4])])
def test_inferences_at_once_are_doubled_until_that_gains_little(
        model, network, alone_s, frames, tried):
    network.alone_s = alone_s
    detector, found = load_measured(model, ModelPool())
    assert list(found.rates_hz) == tried
    assert found.frames == detector.info.concurrency == frames
    assert str(found).startswith(f'model.concurrency {frames} (measured: 1 at once ')
    detector.close()


def test_a_network_that_is_fast_anyway_is_measured_once(model):
    detector, found = load_measured(model, ModelPool())
    assert list(found.rates_hz) == [1] and found.frames == 1
    detector.close()


@pytest.mark.parametrize('fails_with', [1, 2, None])
def test_only_the_chosen_network_stays_loaded(model, network, monkeypatch, fails_with):
    sessions = record_sessions(monkeypatch)
    network.fails_with = fails_with
    network.alone_s = 0.006
    try:
        detector = load_measured(model, ModelPool())[0]
    except ModelError:
        detector = None
    assert (detector is None) == (fails_with is not None)
    gc.collect()
    assert sum(session() is not None for session in sessions) == (detector is not None)
    assert len(sessions) == {1: 1, 2: 2, None: 3}[fails_with]
