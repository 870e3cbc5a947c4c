# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model, its detections and the catalog are described without a ROS graph."""

from helpers import make_detections, write_model, yolo_table
import pytest
from udp_infer_ros.detection.catalog import CATALOG, CatalogModel
from udp_infer_ros.detection.describe import describe_detections, describe_model, list_models
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.model_store import cached_path
from udp_infer_ros.frame import Detections
from udp_infer_ros.settings import ModelSettings


def description(path, **settings):
    """Return the description of a model file by the first word of each line."""
    info = Detector.load(ModelSettings(id=str(path), **settings)).info
    return dict(line.split(None, 1) for line in describe_model(info).splitlines())


def test_each_property_of_a_model_is_one_line(tmp_path):
    names = [f'thing {i}' for i in range(12)]
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 12), metadata={'names': str(names)})
    lines = description(path)
    assert lines['model'] == 'm' and lines['file'] == str(path)
    assert lines['family'] == 'yolo (a column for every cell, or a row for every class name)'
    assert lines['input'] == '64 x 64, float32 (fixed in the file)'
    assert lines['image'] == 'RGB 0..1, letterbox'
    assert lines['classes'].startswith('12: thing 0, thing 1,')
    assert lines['classes'].endswith('thing 9 and 2 more')
    assert lines['device'].startswith('CPUExecutionProvider (auto: ')
    assert lines['one'].endswith(' ms')


def test_parameters_are_shown_as_they_are_used(tmp_path):
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 2))
    lines = description(
        path, family='yolo', labels=('a', 'b'), color='bgr', resize='stretch', threads=1)
    assert lines['family'] == 'yolo (set by model.family)'
    assert lines['image'] == 'BGR 0..1, stretch' and lines['classes'] == '2: a, b'
    assert lines['device'].endswith(', 1 thread')


def test_the_outputs_of_the_bundled_model_are_explained_but_not_of_a_file_of_its_name(tmp_path):
    assert description('nanodet_g_416')['note'] == (
        'NanoDet-g; this file has the input and the outputs of YOLOv8, not of NanoDet')
    path = write_model(tmp_path / 'nanodet_g_416.onnx', yolo_table([], 2))
    assert 'note' not in description(path, family='yolo')


@pytest.mark.parametrize('shape, metadata, text', [
    ((1, 3, 64, 64), {'imgsz': '[32, 32]'}, '64 x 64, float32 (fixed in the file)'),
    ((1, 3, 'height', 'width'), {'imgsz': '[32, 96]'},
     '96 x 32, float32 (dynamic, from the metadata imgsz)'),
    ((1, 3, 64, 'width'), {'imgsz': '[64, 96]'},
     '96 x 64, float32 (dynamic, from the metadata imgsz)'),
    ((1, 3, 'height', 'width'), {},
     '640 x 640, float32 (dynamic, and the metadata has no imgsz, so the default)'),
])
def test_the_source_of_the_input_size_is_shown(tmp_path, shape, metadata, text):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table([], 2), input_shape=shape, metadata=metadata)
    assert description(path, family='yolo')['input'] == text


@pytest.mark.parametrize('count, lines', [(0, 1), (3, 4), (20, 21), (25, 22)])
def test_the_best_detections_are_listed(count, lines):
    found = describe_detections(make_detections(count) if count else Detections.empty())
    assert found.startswith(f'found    {count}')
    assert len(found.splitlines()) == lines
    assert (f'and {count - 20} more' in found) == (count > 20)


def test_the_table_shows_which_models_are_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    model = CatalogModel(
        name='a_64', url='https://models/a.onnx', sha256='0' * 64, megabytes=123.4, ap=9.5,
        input_px=64, license='MIT', source='us')
    catalog = {'nanodet_g_416': CATALOG['nanodet_g_416'], 'a_64': model}
    head, bundled, other, *_ = list_models(catalog).splitlines()
    assert head == 'model.id       file      MB     AP    input      license'
    assert bundled == 'nanodet_g_416  bundled   7.6    22.9  416 x 416  Apache-2.0'
    assert other == 'a_64           not here  123.4  9.5   64 x 64    MIT'
    cached_path(model).parent.mkdir(parents=True)
    cached_path(model).touch()
    assert 'a_64           downloaded  123.4' in list_models(catalog)
