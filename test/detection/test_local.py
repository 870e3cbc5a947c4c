# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A network runs on the configured device, or an error names the reason."""

from pathlib import Path
import threading

from helpers import write_model, yolo_table
import numpy as np
import onnxruntime as ort
import pytest
from udp_infer_ros.detection.local import LocalBackend, usable_cores
from udp_infer_ros.detection.providers import CPU, CUDA
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings

CPU_ONLY = not {'CUDAExecutionProvider', 'OpenVINOExecutionProvider'} & set(
    ort.get_available_providers())
needs_cpu_only = pytest.mark.skipif(not CPU_ONLY, reason='this onnxruntime has a GPU provider')


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / 'm.onnx', yolo_table([], 3)))


def load(model, **settings):
    """Load a model and return where it runs."""
    return LocalBackend.load(ModelSettings(id=model, **settings), Path(model)).info


@needs_cpu_only
@pytest.mark.parametrize('device, provider, package', [
    ('cuda', 'CUDAExecutionProvider', 'onnxruntime-gpu'),
    ('tensorrt', 'TensorrtExecutionProvider', 'TensorRT'),
    ('openvino', 'OpenVINOExecutionProvider', 'onnxruntime-openvino'),
])
def test_an_unavailable_device_is_an_error_with_what_to_install(
        model, device, provider, package):
    with pytest.raises(ModelError) as caught:
        load(model, device=device)
    text = str(caught.value)
    assert text.startswith(f'model.device = {device!r}: needs {provider}, which this onnxr')
    assert package in text and 'it has ' in text


@needs_cpu_only
def test_a_device_that_is_listed_but_does_not_start_is_an_error(
        model, monkeypatch):
    # ONNX Runtime lists a provider whose library is missing, and then uses the CPU.
    monkeypatch.setattr(ort, 'get_available_providers', lambda: [CUDA, CPU])
    with pytest.warns(UserWarning, match='CUDAExecutionProvider'), pytest.raises(
            ModelError, match='did not start, ONNX Runtime fell back to CPUExecutionProvider'):
        load(model, device='cuda')


@needs_cpu_only
def test_auto_names_the_devices_that_did_not_start(model, monkeypatch):
    monkeypatch.setattr(ort, 'get_available_providers', lambda: [CUDA, CPU])
    with pytest.warns(UserWarning, match='CUDAExecutionProvider'):
        info = load(model)
    assert info.provider == CPU
    assert info.provider_reason.endswith('because CUDAExecutionProvider did not start')


@needs_cpu_only
def test_the_reason_for_the_device_is_given(model):
    assert load(model).provider_reason == 'auto: the best of this onnxruntime'
    assert load(model, device='cpu').provider_reason == 'set by model.device'


def test_the_cores_of_this_process_are_counted_by_its_affinity(monkeypatch):
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: {0, 5, 7})
    monkeypatch.setattr('builtins.open', raise_not_found)
    assert usable_cores() == 3


def raise_not_found(*arguments, **keywords):
    """Stand for a machine without cgroups."""
    raise FileNotFoundError


def test_the_number_of_threads_is_a_parameter(model):
    assert load(model, threads=3).threads == 3


def test_the_name_of_a_file_is_made_printable(tmp_path):
    info = load(str(write_model(tmp_path / 'a\x1b[31m\nb.onnx', yolo_table([], 3))))
    assert info.name == 'a\ufffd[31m b' and info.location.isprintable()


def test_a_link_to_a_model_with_external_data_is_an_error_with_its_target(tmp_path):
    onnx = pytest.importorskip('onnx')
    network = onnx.load(write_model(tmp_path / 'm.onnx', yolo_table([], 3)))
    (tmp_path / 'real').mkdir()
    target = tmp_path / 'real' / 'm.onnx'
    onnx.save(
        network, target, save_as_external_data=True, location='m.data', size_threshold=100)
    (tmp_path / 'link.onnx').symlink_to(target)
    with pytest.raises(ModelError) as caught:
        load(str(tmp_path / 'link.onnx'))
    assert str(caught.value).endswith(
        f'if it has external data, give {str(target)!r}, not the link')
    assert load(str(target)).name == 'm'


@pytest.mark.parametrize('place', ['metadata', 'input_name', 'output_names'])
def test_names_and_metadata_that_are_not_utf8_are_refused(tmp_path, place):
    marker = 'REPLACED'
    value = {'metadata': {'names': marker}, 'input_name': marker, 'output_names': [marker]}[place]
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 3), **{place: value})
    path.write_bytes(path.read_bytes().replace(marker.encode(), b'\xff' * len(marker)))
    with pytest.raises(ModelError, match='must have names and metadata in UTF-8; export it again'):
        load(str(path))


@pytest.fixture
def backend(model):
    return LocalBackend.load(ModelSettings(id=model), Path(model))


def test_a_backend_describes_its_inputs_and_outputs(backend, model):
    assert list(map(str, backend.inputs)) == ['images (1, 3, 64, 64) tensor(float)']
    assert backend.outputs == ('output0',)
    assert (backend.info.name, backend.info.location) == ('m', model)


def test_several_threads_can_infer_at_once(backend):
    outputs = [None] * 4

    def infer(i):
        image = np.full((1, 3, 64, 64), i, dtype=np.float32)
        for _ in range(20):
            outputs[i] = backend.infer({'images': image})['output0']
    threads = [threading.Thread(target=infer, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for output in outputs:
        np.testing.assert_array_equal(output, yolo_table([], 3))


@pytest.mark.parametrize('feeds', [
    {}, {'images': np.zeros((1, 3, 32, 32), dtype=np.float32)},
    {'images': np.zeros((1, 3, 64, 64), dtype=np.int8)}])
def test_an_error_of_onnx_runtime_is_a_model_error_of_one_line(backend, model, feeds):
    with pytest.raises(ModelError) as caught:
        backend.infer(feeds)
    text = str(caught.value)
    assert text.startswith(f'model.id = {model!r}: does not run: ') and '\n' not in text


def test_a_closed_backend_does_not_infer(backend):
    backend.close()
    backend.close()
    with pytest.raises(ModelError, match='does not run: the model is closed'):
        backend.infer({'images': np.zeros((1, 3, 64, 64), dtype=np.float32)})
