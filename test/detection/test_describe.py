# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""What the node would do with a model is told without a ROS graph."""

from helpers import write_model, yolo_table
import pytest
from udp_infer_ros.detection.describe import describe_model
from udp_infer_ros.errors import ModelError


def test_a_model_is_described_line_by_line(tmp_path):
    names = [f'thing {i}' for i in range(12)]
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 12), metadata={'names': str(names)})
    lines = dict(line.split(None, 1) for line in describe_model(str(path)).splitlines())
    assert lines['model'] == 'm' and lines['file'] == str(path)
    assert lines['family'] == 'yolo (the shape, with a column for every cell)'
    assert lines['input'] == '64 x 64, float32'
    assert lines['image'] == 'RGB 0..1, letterbox'
    assert lines['classes'].startswith('12: thing 0, thing 1,')
    assert lines['classes'].endswith('thing 9 and 2 more')
    assert lines['device'].startswith('CPUExecutionProvider (auto: ')
    assert lines['one'].endswith(' ms')


def test_a_model_that_the_node_would_refuse_is_refused(tmp_path):
    with pytest.raises(ModelError):
        describe_model(str(tmp_path / 'none.onnx'))
