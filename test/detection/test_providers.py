# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Each provider of ONNX Runtime gets options, and TensorRT a folder for its compiled models.

Neither OpenVINO nor TensorRT runs here: a session of the CPU records what it is given.
"""

import json
import logging
from pathlib import Path

from helpers import write_model, yolo_table
import numpy as np
import onnxruntime as ort
import pytest
from udp_infer_ros.detection import pool
from udp_infer_ros.detection.local import open_session, usable_cores
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.detection.providers import CPU, CUDA, OPENVINO, TENSORRT
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings


class EPFail(Exception):
    """Stand for an error of ONNX Runtime, which has no public base class."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Return the folder of the cache."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'udp_infer_ros' / 'tensorrt'


@pytest.fixture
def given(monkeypatch):
    """
    Accept every provider, run on the CPU, and return a list of what each session is given.

    A function in the list `failures` is called before, and may raise.
    """
    original, calls = ort.InferenceSession, []

    class Session(original):
        failures = []

        def __init__(self, path, options, providers):
            calls.append(dict(providers))
            for failure in self.failures:
                failure(dict(providers))
            super().__init__(path, options, providers=[CPU])

        def get_providers(self):
            return list(calls[-1])
    monkeypatch.setattr(ort, 'get_available_providers', lambda: [TENSORRT, CUDA, OPENVINO, CPU])
    monkeypatch.setattr(ort, 'InferenceSession', Session)
    return calls


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / 'm.onnx', yolo_table([], 3))


def start(path, device='tensorrt', **values):
    return open_session(ModelSettings(id=str(path), device=device, **values), str(path))


def test_tensorrt_stores_engines_and_timings_and_uses_half_precision(given, model, cache):
    start(model)
    assert list(given[0]) == [TENSORRT, CUDA, CPU]
    [folder] = cache.iterdir()
    assert given[0][TENSORRT] == {
        'trt_fp16_enable': 'True', 'trt_layer_norm_fp32_fallback': 'True',
        'trt_engine_cache_enable': 'True', 'trt_engine_cache_path': str(folder),
        'trt_timing_cache_enable': 'True', 'trt_timing_cache_path': str(folder)}


def test_cuda_and_the_cpu_run_with_the_defaults_of_onnx_runtime(given, model):
    start(model, 'cuda')
    assert given == [{CUDA: {}, CPU: {}}]


def test_the_folder_depends_on_the_weights_and_the_version_but_not_on_the_place(
        given, tmp_path, monkeypatch, model, cache):
    # ONNX Runtime names an engine by the graph only, and would use that of other weights.
    start(model)
    (tmp_path / 'other').mkdir()
    start(model.rename(tmp_path / 'other' / 'name.onnx'))
    assert len(list(cache.iterdir())) == 1
    start(write_model(tmp_path / 'm.onnx', yolo_table([(0, 0, 9, 9, 0.9, 1)], 3)))
    assert len(list(cache.iterdir())) == 2
    monkeypatch.setattr(ort, '__version__', '99.0')
    start(tmp_path / 'm.onnx')
    assert len(list(cache.iterdir())) == 3


def test_the_folder_depends_on_weights_in_a_file_beside_the_model(given, tmp_path, model, cache):
    onnx = pytest.importorskip('onnx')
    network = onnx.load(model)
    onnx.save(network, model, save_as_external_data=True, location='w.data', size_threshold=100)
    start(model)
    start(model)
    assert len(list(cache.iterdir())) == 1
    weights = np.fromfile(tmp_path / 'w.data', dtype=np.float32)
    (weights + 1).tofile(tmp_path / 'w.data')
    start(model)
    assert len(list(cache.iterdir())) == 2


def test_a_stored_engine_that_does_not_load_is_compiled_again_once(given, model, cache, caplog):
    def compile_or_load(providers):
        [folder] = cache.iterdir()
        if list(folder.iterdir()):
            raise EPFail('could not deserialize engine from cache')
        (folder / 'm.engine').write_text('engine')
    ort.InferenceSession.failures.append(compile_or_load)
    start(model)
    session, _ = start(model)
    assert len(given) == 3
    assert session.get_providers()[0] == TENSORRT
    assert 'compiles the model again, because: could not deserialize engine' in caplog.text


def test_a_model_that_tensorrt_cannot_compile_is_an_error(given, model):
    def fail(providers):
        # The timings may be stored although the compilation fails.
        Path(providers[TENSORRT]['trt_timing_cache_path'], 'timing').touch()
        raise EPFail('no implementation')
    ort.InferenceSession.failures.append(fail)
    with pytest.raises(ModelError, match='can load, but: no implementation'):
        start(model)
    assert len(given) == 1


def test_a_cache_that_cannot_be_written_is_a_warning(given, model, cache, caplog):
    cache.parent.mkdir(parents=True)
    cache.write_text('a file in place of the folder')
    start(model)
    assert set(given[0][TENSORRT]) == {'trt_fp16_enable', 'trt_layer_norm_fp32_fallback'}
    assert 'compiles the model at every start' in caplog.text


def test_the_first_start_announces_that_the_model_is_compiled(given, model, cache, caplog):
    caplog.set_level(logging.INFO)
    start(model)
    assert 'compiles the model, which can take minutes' in caplog.text
    caplog.clear()
    [folder] = cache.iterdir()
    (folder / 'm.engine').touch()
    start(model)
    assert 'compiles' not in caplog.text


def properties(call):
    """Return the properties of OpenVINO for the CPU."""
    return json.loads(call[OPENVINO]['load_config'])['CPU']


def test_openvino_runs_on_the_cpu_with_our_threads_in_single_precision(given, model):
    start(model, 'openvino', threads=3)
    assert given[0][OPENVINO]['device_type'] == 'CPU'
    assert properties(given[0]) == {
        'INFERENCE_NUM_THREADS': '3', 'NUM_STREAMS': '1', 'ENABLE_CPU_PINNING': 'NO',
        'INFERENCE_PRECISION_HINT': 'f32'}
    start(model, 'openvino')
    assert properties(given[1])['INFERENCE_NUM_THREADS'] == str(usable_cores())


@pytest.mark.parametrize('cameras', [1, 2, 5])
def test_cameras_that_share_openvino_use_every_core_once(given, model, monkeypatch, cameras):
    monkeypatch.setattr(pool, 'usable_cores', lambda: 4)
    ModelPool(cameras).load(ModelSettings(id=str(model), device='openvino')).close()
    assert properties(given[0])['INFERENCE_NUM_THREADS'] == '4'
    assert properties(given[0])['NUM_STREAMS'] == str(min(cameras, 4))


def test_auto_takes_the_next_device_if_one_cannot_run_the_model(given, model):
    def fail(providers):
        if CUDA in providers:
            raise EPFail('no kernel')
    ort.InferenceSession.failures.append(fail)
    session, reason = start(model, 'auto')
    assert session.get_providers() == [OPENVINO, CPU]
    assert reason == 'auto: the best of this onnxruntime, because CUDAExecutionProvider ' \
                     'did not start'


def test_auto_reports_a_damaged_file_once_no_device_can_load_it(given, model):
    model.write_bytes(b'damaged')
    with pytest.raises(ModelError, match='must be a complete ONNX file'):
        start(model, 'auto')
    assert len(given) == 3
