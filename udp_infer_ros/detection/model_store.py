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

"""From a model's name to its file."""

from __future__ import annotations

from pathlib import Path

from udp_infer_ros.errors import ModelError

BUNDLED = Path(__file__).resolve().parent.parent / 'models'


def bundled_models() -> tuple[str, ...]:
    """Name the models that come with the package."""
    return tuple(sorted(path.stem for path in BUNDLED.glob('*.onnx')))


def locate(model_id: str) -> Path:
    """
    Find a model's file.

    :param model_id: the name of a bundled model, or a path; `~` is the home folder.
    :raises ModelError: if there is no such file.
    """
    if model_id in bundled_models():
        return BUNDLED / f'{model_id}.onnx'
    path = Path(model_id).expanduser()
    if not model_id or not path.is_file():
        raise ModelError(
            'model.id', model_id, 'must be a bundled model or the path of an ONNX file',
            f'bundled are: {", ".join(bundled_models())}; a relative path starts at {Path.cwd()}')
    return path
