# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Class names, task and inputs as stated by a model file. None of it is trusted."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.types import InputSize, TensorInfo
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


SIZE_INPUTS: Mapping[str, Callable[[InputSize, TensorInfo], object]] = {
    # Outputs are in the unit of these sizes; the size of the input makes it pixels of the input.
    'orig_target_sizes': lambda size, tensor: [[size.width, size.height]],
    'im_shape': lambda size, tensor: [[size.height, size.width]],
    'scale_factor': lambda size, tensor: [[1, 1]],
    'pixel_mask': lambda size, tensor: np.ones(
        (1, tensor.shape[1] or size.height, tensor.shape[2] or size.width)),
}
"""The values of the inputs that a network may have besides the image."""


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """The input for the image."""

    name: str
    size: InputSize
    dtype: np.dtype[Any]
    channels_last: bool
    batched: bool
    """Whether there is a first dimension, of 1."""


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """The inputs and metadata of a model."""

    name: str
    """`model.id`, for errors."""
    inputs: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]

    def require_detector(self) -> None:
        """
        Check the task in the metadata.

        :raises ModelError: if it is not detection.
        """
        task = self.metadata.get('task', 'detect')
        if task != 'detect':
            raise ModelError(
                'model.id', self.name,
                f'must be an object detector, but its task is {task[:40]!r}',
                'use a detection model')

    def image_input(self) -> ImageInput:
        """
        Find the input for the image, and its size.

        :raises ModelError: if there is none for one image of three channels.
        """
        images = [tensor for tensor in self.inputs if tensor.name not in SIZE_INPUTS]
        if len(images) != 1 or len(images[0].shape) not in (3, 4):
            raise self._input_error('must have one input for an image')
        image = images[0]
        batched = len(image.shape) == 4
        shape = image.shape[1:] if batched else image.shape
        channels_last = shape[2] == 3 and shape[0] != 3
        if batched and image.shape[0] not in (1, None) or (
                3 not in (shape[0], shape[2]) and not (shape[0] is None and not channels_last)):
            raise self._input_error('must have an input of shape (1, 3, height, width)')
        if image.dtype not in IMAGE_DTYPES:
            raise self._input_error('must have an input of ' + ', '.join(IMAGE_DTYPES))
        height, width = shape[:2] if channels_last else shape[1:]
        declared = self._declared_size()
        size = InputSize(
            width=width or declared.width, height=height or declared.height)
        if not (0 < size.width <= MAX_INPUT_PX and 0 < size.height <= MAX_INPUT_PX):
            raise self._input_error(f'must have an input of 1 to {MAX_INPUT_PX} pixels a side')
        return ImageInput(
            name=image.name, size=size, dtype=np.dtype(DTYPES[image.dtype]),
            channels_last=channels_last, batched=batched)

    def size_inputs(self, size: InputSize) -> dict[str, NDArray[Any]]:
        """Return the values of the inputs that describe the size of the image."""
        return {
            tensor.name: np.array(
                SIZE_INPUTS[tensor.name](size, tensor), dtype=DTYPES[tensor.dtype])
            for tensor in self.inputs if tensor.name in SIZE_INPUTS}

    def labels(self) -> tuple[str, ...]:
        """
        Return the class names in the order of the class index; empty if the file has none.

        The metadata is a Python or JSON literal, a dict by index or a list.
        """
        return names_in_order(_literal(self.metadata.get('names', '')))

    def _declared_size(self) -> InputSize:
        declared = _literal(self.metadata.get('imgsz', ''))
        if isinstance(declared, int):
            declared = [declared, declared]
        if isinstance(declared, list) and len(declared) == 2 and all(
                isinstance(size, int) for size in declared):
            return InputSize(width=declared[1], height=declared[0])
        return InputSize(width=DEFAULT_INPUT_PX, height=DEFAULT_INPUT_PX)

    def _input_error(self, rule: str) -> ModelError:
        return ModelError(
            'model.id', self.name, f'{rule}, but has {", ".join(map(str, self.inputs))}',
            'export the model for images, with batch 1')


def names_in_order(names: object) -> tuple[str, ...]:
    """
    Sort class names by class index.

    :param names: a list, or a dict by index; gaps get `class_<index>`.
    :return: the names; empty if the value is neither.
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
    """Parse a Python or JSON literal in untrusted text; return None if it is neither."""
    if not text or len(text) > MAX_METADATA_CHARACTERS:
        return None
    for read in (ast.literal_eval, json.loads):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None
