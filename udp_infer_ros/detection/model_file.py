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

"""What an ONNX file says about itself: names, task, shapes. None of it is trusted."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from udp_infer_ros.detection.decoders import FAMILIES, Family
from udp_infer_ros.errors import ModelError

MAX_METADATA_CHARACTERS = 1_000_000
MAX_CLASSES = 65_535
"""`vision_msgs/VisionClass.class_id` is a uint16, and its last value means 'unlabeled'."""
MAX_INPUT_PX = 8192
DEFAULT_INPUT_PX = 640

Shape = tuple[int | None, ...]
"""A dimension that is set at run time is None."""


@dataclass(frozen=True)
class Port:
    """An input or output of the network."""

    name: str
    shape: Shape
    dtype: str
    """As ONNX Runtime writes it, e.g. `tensor(float)`."""

    @classmethod
    def of(cls, argument: Any) -> Port:
        """Copy what ONNX Runtime tells of an input or output."""
        shape = tuple(
            size if isinstance(size, int) and size >= 0 else None for size in argument.shape)
        return cls(argument.name, shape, argument.type)

    def __str__(self) -> str:
        shown = ', '.join('?' if size is None else str(size) for size in self.shape)
        return f'{self.name} ({shown})'


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file, before anything is decided about it."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str]

    def require_detector(self) -> None:
        """
        Refuse a model that was trained for another task.

        :raises ModelError: if the file says so.
        """
        task = self.metadata.get('task', 'detect')
        if task != 'detect':
            raise ModelError(
                'model.id', self.name,
                f'must be an object detector, but its task is {task[:40]!r}',
                'use a detection model')

    def input_size(self) -> tuple[int, int]:
        """
        Find the (width, height) of the images that the network wants.

        :raises ModelError: if the input is not one batch of images of three channels.
        """
        shape = self.inputs[0].shape if len(self.inputs) == 1 else ()
        if len(shape) != 4 or shape[0] not in (1, None) or shape[1] not in (3, None):
            raise ModelError(
                'model.id', self.name,
                'must have one input of shape (1, 3, height, width), but has '
                + _listed(self.inputs), 'export the model with batch 1')
        height, width = self._declared_size()
        height, width = shape[2] or height, shape[3] or width
        if not (0 < width <= MAX_INPUT_PX and 0 < height <= MAX_INPUT_PX):
            raise ModelError(
                'model.id', self.name, f'must have an input of 1 to {MAX_INPUT_PX} pixels a side, '
                f'but has {width} x {height}')
        return width, height

    def _declared_size(self) -> tuple[int, int]:
        declared = _literal(self.metadata.get('imgsz', ''))
        if isinstance(declared, int):
            declared = [declared, declared]
        if isinstance(declared, list) and len(declared) == 2 and all(
                isinstance(size, int) for size in declared):
            return declared[0], declared[1]
        return DEFAULT_INPUT_PX, DEFAULT_INPUT_PX

    def labels(self) -> tuple[str, ...]:
        """
        Read the class names, in the order of the class index; empty if the file has none.

        They are a Python or JSON literal, a dict by index or a list; gaps get `class_<index>`.
        """
        names = _literal(self.metadata.get('names', ''))
        if isinstance(names, (list, tuple)):
            names = dict(enumerate(names))
        if not isinstance(names, dict) or not names:
            return ()
        by_index = {int(key): str(name) for key, name in names.items() if _is_index(key)}
        if len(by_index) != len(names) or max(by_index) >= MAX_CLASSES:
            return ()
        return tuple(by_index.get(i, f'class_{i}') for i in range(max(by_index) + 1))

    def family(self, wanted: str, class_count: int | None) -> Family:
        """
        Decide how the outputs are laid out.

        :param wanted: `model.family`: a family's name, or auto.
        :param class_count: how many classes there are, if that is known.
        :raises ModelError: if the layout is not one that can be decoded.
        """
        if wanted != 'auto':
            return FAMILIES[wanted]
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        if len(shape) == 3 and shape[0] in (1, None):
            rows, columns = shape[1:]
            if columns == 6 and (rows is None or rows > 6):
                return FAMILIES['end2end']
            if class_count is not None and rows == 4 + class_count:
                return FAMILIES['yolo']
            # Far more anchors than classes could have.
            if rows and rows > 4 and columns and columns > 4 * rows:
                return FAMILIES['yolo']
        known = '; '.join(f'{family.name} {family.layout}' for family in FAMILIES.values())
        raise ModelError(
            'model.id', self.name, f'has outputs of an unknown layout: {_listed(self.outputs)}',
            f'known are {known}; set model.family if it is one of them')

    def class_count(self, family: Family) -> int | None:
        """Tell how many classes the outputs have room for, if their shape says so."""
        if family.name == 'yolo' and len(self.outputs[0].shape) == 3:
            rows = self.outputs[0].shape[1]
            return None if rows is None else rows - 4
        return None


def resolve_labels(
    file: ModelFile, family: Family, configured: Sequence[str],
) -> tuple[str, ...]:
    """
    Name the classes.

    :param configured: `model.labels`; empty for the names in the file.
    :return: a name per class; `class_<index>` where nobody has named them.
    :raises ModelError: if there are not as many names as the network has classes.
    """
    count = file.class_count(family)
    labels = tuple(configured) or file.labels()
    if count is None or len(labels) == count:
        return labels
    if not labels:
        return tuple(f'class_{i}' for i in range(count))
    name, where = ('model.labels', 'has') if configured else ('model.id', 'names')
    raise ModelError(
        name, list(configured) if configured else file.name,
        f'{where} {len(labels)} classes, but the network has {count}',
        f'give {count} names in model.labels')


def _is_index(key: object) -> bool:
    text = str(key)
    return text.isascii() and text.isdigit() and len(text) <= 5


def _literal(text: str) -> Any:
    """Read a Python or JSON literal from untrusted text; None if it is neither."""
    if not text or len(text) > MAX_METADATA_CHARACTERS:
        return None
    for read in (ast.literal_eval, json.loads):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _listed(ports: Sequence[Port]) -> str:
    return ', '.join(str(port) for port in ports) or 'none'
