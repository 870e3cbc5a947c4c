# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What an ONNX file says about itself: names, task, inputs. None of it is trusted."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.decoders import InputSize
from udp_infer_ros.errors import ModelError

MAX_METADATA_CHARACTERS = 1_000_000
MAX_CLASSES = 65_535
"""`vision_msgs/VisionClass.class_id` is a uint16, and its last value means 'unlabeled'."""
MAX_INPUT_PX = 8192
DEFAULT_INPUT_PX = 640
DTYPES = {
    'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(uint8)': np.uint8,
    'tensor(int64)': np.int64, 'tensor(int32)': np.int32, 'tensor(double)': np.float64}
IMAGE_DTYPES = ('tensor(float)', 'tensor(float16)', 'tensor(uint8)')


@dataclass(frozen=True)
class Port:
    """An input of the network."""

    name: str
    shape: tuple[int | None, ...]
    """A dimension that is set at run time is None."""
    dtype: str
    """As ONNX Runtime writes it, e.g. `tensor(float)`."""

    @classmethod
    def of(cls, argument: Any) -> Port:
        """Copy what ONNX Runtime tells of an input."""
        shape = tuple(
            size if isinstance(size, int) and size > 0 else None for size in argument.shape)
        return cls(argument.name, shape, argument.type)

    def __str__(self) -> str:
        shown = ', '.join('?' if size is None else str(size) for size in self.shape)
        return f'{self.name} ({shown}) {self.dtype}'


SIZE_INPUTS: Mapping[str, Callable[[InputSize, Port], object]] = {
    # The sizes that boxes come back in: those of the input itself.
    'orig_target_sizes': lambda size, port: [[size.width, size.height]],
    'im_shape': lambda size, port: [[size.height, size.width]],
    'scale_factor': lambda size, port: [[1, 1]],
    'pixel_mask': lambda size, port: np.ones(
        (1, port.shape[1] or size.height, port.shape[2] or size.width)),
}
"""What a network may want besides the image."""


@dataclass(frozen=True)
class ImageInput:
    """The input that takes the image."""

    name: str
    size: InputSize
    dtype: np.dtype[Any]
    channels_last: bool
    batched: bool
    """It has a first dimension, of 1."""


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file, before anything is decided about it."""

    name: str
    """`model.id`, for errors."""
    inputs: tuple[Port, ...]
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

    def image_input(self) -> ImageInput:
        """
        Find the input that takes the image, and its size.

        :raises ModelError: if there is none for one image of three channels.
        """
        images = [port for port in self.inputs if port.name not in SIZE_INPUTS]
        if len(images) != 1 or len(images[0].shape) not in (3, 4):
            raise self._input_error('must have one input for an image')
        port = images[0]
        batched = len(port.shape) == 4
        shape = port.shape[1:] if batched else port.shape
        channels_last = shape[2] == 3 and shape[0] != 3
        if batched and port.shape[0] not in (1, None) or (
                3 not in (shape[0], shape[2]) and not (shape[0] is None and not channels_last)):
            raise self._input_error('must have an input of shape (1, 3, height, width)')
        if port.dtype not in IMAGE_DTYPES:
            raise self._input_error('must have an input of ' + ', '.join(IMAGE_DTYPES))
        height, width = shape[:2] if channels_last else shape[1:]
        declared = self._declared_size()
        size = InputSize(width or declared.width, height or declared.height)
        if not (0 < size.width <= MAX_INPUT_PX and 0 < size.height <= MAX_INPUT_PX):
            raise self._input_error(f'must have an input of 1 to {MAX_INPUT_PX} pixels a side')
        return ImageInput(
            port.name, size, np.dtype(DTYPES[port.dtype]), channels_last, batched)

    def size_inputs(self, size: InputSize) -> dict[str, NDArray[Any]]:
        """Fill the inputs that want to know the size of the image."""
        return {
            port.name: np.array(SIZE_INPUTS[port.name](size, port), dtype=DTYPES[port.dtype])
            for port in self.inputs if port.name in SIZE_INPUTS}

    def labels(self) -> tuple[str, ...]:
        """
        Read the class names, in the order of the class index; empty if the file has none.

        They are a Python or JSON literal, a dict by index or a list; gaps get `class_<index>`.
        """
        return names_in_order(_literal(self.metadata.get('names', '')))

    def _declared_size(self) -> InputSize:
        declared = _literal(self.metadata.get('imgsz', ''))
        if isinstance(declared, int):
            declared = [declared, declared]
        if isinstance(declared, list) and len(declared) == 2 and all(
                isinstance(size, int) for size in declared):
            return InputSize(declared[1], declared[0])
        return InputSize(DEFAULT_INPUT_PX, DEFAULT_INPUT_PX)

    def _input_error(self, rule: str) -> ModelError:
        return ModelError(
            'model.id', self.name, f'{rule}, but has {", ".join(map(str, self.inputs))}',
            'export the model for images, with batch 1')


def names_in_order(names: object) -> tuple[str, ...]:
    """
    Bring class names into the order of the class index.

    :param names: a list, or a dict by index; gaps get `class_<index>`.
    :return: the names; empty if these are none.
    """
    if isinstance(names, (list, tuple)):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        return ()
    by_index = {int(key): str(name) for key, name in names.items() if _is_index(key)}
    if len(by_index) != len(names) or max(by_index) >= MAX_CLASSES:
        return ()
    return tuple(by_index.get(i, f'class_{i}') for i in range(max(by_index) + 1))


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
