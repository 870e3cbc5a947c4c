# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model file is described without a ROS graph."""

from helpers import write_model, yolo_table
import pytest
from udp_infer_ros.detection.describe import describe_model
from udp_infer_ros.errors import ModelError


def test_each_property_of_a_model_is_one_line(tmp_path):
    names = [f'thing {i}' for i in range(12)]
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 12), metadata={'names': str(names)})
    lines = dict(line.split(None, 1) for line in describe_model(str(path)).splitlines())
    assert lines['model'] == 'm' and lines['file'] == str(path)
    assert lines['family'] == 'yolo (a column for every cell, or a row for every class name)'
    assert lines['input'] == '64 x 64, float32'
    assert lines['image'] == 'RGB 0..1, letterbox'
    assert lines['classes'].startswith('12: thing 0, thing 1,')
    assert lines['classes'].endswith('thing 9 and 2 more')
    assert lines['device'].startswith('CPUExecutionProvider (auto: ')
    assert lines['one'].endswith(' ms')


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ModelError):
        describe_model(str(tmp_path / 'none.onnx'))
