# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A network runs where it was told to, or the user is told that it does not."""

from helpers import write_model, yolo_table
import onnxruntime as ort
import pytest
from udp_infer_ros.detection import devices
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings

CPU_ONLY = not {'CUDAExecutionProvider', 'OpenVINOExecutionProvider'} & set(
    ort.get_available_providers())
needs_cpu_only = pytest.mark.skipif(not CPU_ONLY, reason='this onnxruntime has a GPU provider')


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / 'm.onnx', yolo_table([], 3)))


def load(model, **settings):
    """Load a model and tell what it is."""
    return Detector.load(ModelSettings(id=model, **settings)).info


@needs_cpu_only
@pytest.mark.parametrize('device, provider, package', [
    ('cuda', 'CUDAExecutionProvider', 'onnxruntime-gpu'),
    ('tensorrt', 'TensorrtExecutionProvider', 'TensorRT'),
    ('openvino', 'OpenVINOExecutionProvider', 'onnxruntime-openvino'),
])
def test_a_device_that_is_not_there_is_an_error_with_what_to_install(
        model, device, provider, package):
    with pytest.raises(ModelError) as caught:
        load(model, device=device)
    text = str(caught.value)
    assert text.startswith(f'model.device = {device!r}: needs {provider}, which this onnxr')
    assert package in text and 'it has ' in text


@needs_cpu_only
def test_a_device_that_onnx_runtime_claims_but_that_does_not_start_is_an_error(
        model, monkeypatch):
    # ONNX Runtime lists a provider whose library is missing, and then falls back in silence.
    monkeypatch.setattr(ort, 'get_available_providers', lambda: [devices.CUDA, devices.CPU])
    with pytest.warns(UserWarning, match='CUDAExecutionProvider'), pytest.raises(
            ModelError, match='did not start, ONNX Runtime fell back to CPUExecutionProvider'):
        load(model, device='cuda')


@needs_cpu_only
def test_auto_says_what_did_not_start(model, monkeypatch):
    monkeypatch.setattr(ort, 'get_available_providers', lambda: [devices.CUDA, devices.CPU])
    with pytest.warns(UserWarning, match='CUDAExecutionProvider'):
        info = load(model)
    assert info.provider == devices.CPU
    assert info.provider_reason.endswith('because CUDAExecutionProvider did not start')


@needs_cpu_only
def test_auto_and_cpu_say_why_it_is_the_cpu(model):
    assert load(model).provider_reason == 'auto: the best of this onnxruntime'
    assert load(model, device='cpu').provider_reason == 'set by model.device'


def test_threads_are_those_that_this_process_may_use(model, monkeypatch):
    monkeypatch.setattr(devices.os, 'sched_getaffinity', lambda pid: {0, 5, 7})
    monkeypatch.setattr('builtins.open', raise_not_found)
    assert devices.usable_cores() == 3


def raise_not_found(*arguments, **keywords):
    """Stand for a machine without cgroups."""
    raise FileNotFoundError


def test_threads_are_a_parameter(model):
    assert load(model, threads=3).threads == 3
