# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Class names, task and inputs as stated by a model file. None of it is trusted."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import json
import re
from typing import Any
import warnings

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.text import printable
from udp_infer_ros.detection.types import InputSize, Outputs, TensorInfo
from udp_infer_ros.errors import ModelError

MAX_METADATA_CHARACTERS = 1_000_000
MAX_CLASSES = 65_535
"""`vision_msgs/VisionClass.class_id` is a uint16, and its last value means 'unlabeled'."""
MAX_INPUT_PX = 8192
MAX_INPUTS_CHARACTERS = 300
DEFAULT_INPUT_PX = 640
DTYPES = {
    'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(uint8)': np.uint8,
    'tensor(int64)': np.int64, 'tensor(int32)': np.int32, 'tensor(double)': np.float64}
IMAGE_DTYPES = ('tensor(float)', 'tensor(float16)', 'tensor(uint8)')
CLOSING = {'{': '}', '[': ']', '(': ')'}
# No alternative can match what another one matches, so that the time is linear.
_STRING = r'"[^"\\]*(?:\\.[^"\\]*){0,1000}"|\x27[^\x27\\]*(?:\\.[^\x27\\]*){0,1000}\x27'
_ENTRY = re.compile(
    rf'\s*(?:(?P<key>{_STRING}|\w+)\s*:\s*)?(?P<name>{_STRING}|[\w.+-]+)\s*(?:,|$)', re.DOTALL)
_SIZE = re.compile(r'[\[(]?([0-9]{1,5})(?:, {0,4}([0-9]{1,5}))?[\])]?')


SIZE_INPUTS: Mapping[str, Callable[[InputSize, TensorInfo], object]] = {
    # Outputs are in the unit of these sizes; the size of the input makes it pixels of the input.
    'orig_target_sizes': lambda size, tensor: [[size.width, size.height]],
    'im_shape': lambda size, tensor: [[size.height, size.width]],
    'scale_factor': lambda size, tensor: [[1, 1]],
    'pixel_mask': lambda size, tensor: np.ones(_mask_shape(size, tensor), dtype=np.uint8),
}
"""The values of the inputs that a network may have besides the image."""


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """The input for the image."""

    name: str
    size: InputSize
    size_reason: str = 'fixed in the file'
    """Whether the size is fixed in the file, or where it comes from."""
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
            raise self._input_error(
                'must have one input for an image', 'export the model for images')
        image = images[0]
        batched = len(image.shape) == 4
        shape = image.shape[1:] if batched else image.shape
        channels_last = shape[2] == 3 and shape[0] != 3
        if batched and image.shape[0] not in (1, None) or (
                3 not in (shape[0], shape[2]) and not (shape[0] is None and not channels_last)):
            raise self._input_error(
                'must have an input of shape (1, 3, height, width)',
                'export the model for color images, with batch 1')
        if image.dtype not in IMAGE_DTYPES:
            raise self._input_error(
                'must have an input of ' + ', '.join(IMAGE_DTYPES),
                'export the model with one of these types; its weights may have another one')
        height, width = shape[:2] if channels_last else shape[1:]
        declared, source = self._declared_size()
        size = InputSize(
            width=width or declared.width, height=height or declared.height)
        if not (0 < size.width <= MAX_INPUT_PX and 0 < size.height <= MAX_INPUT_PX):
            raise self._input_error(
                f'must have an input of 1 to {MAX_INPUT_PX} pixels a side, and not '
                f'{size.width} x {size.height}',
                'export the model with another size; of a dynamic input, the metadata imgsz is '
                'the size')
        return ImageInput(
            name=image.name, size=size, dtype=np.dtype(DTYPES[image.dtype]),
            size_reason='fixed in the file' if width and height else f'dynamic, {source}',
            channels_last=channels_last, batched=batched)

    def require_numbers(self, outputs: Outputs) -> None:
        """
        Check the types of the outputs.

        :raises ModelError: if one is a sequence, a map or text.
        """
        for name, output in outputs.items():
            if not (isinstance(output, np.ndarray) and output.dtype.kind in 'iuf'):
                raise ModelError(
                    'model.id', self.name,
                    f'must have tensors of numbers as outputs, but {printable(name)!r} is not one',
                    'use a detection model')

    def size_inputs(self, size: InputSize) -> dict[str, NDArray[Any]]:
        """Return the values of the inputs that describe the size of the image."""
        return {
            tensor.name: self._size_input(size, tensor)
            for tensor in self.inputs if tensor.name in SIZE_INPUTS}

    def labels(self) -> tuple[str, ...]:
        """
        Return the class names in the order of the class index; empty if the file has none.

        The metadata is a Python or JSON literal, a dict by index or a list.
        """
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of Python, for unknown escape sequences
            return names_in_order(_parse_names(self.metadata.get('names', '')))

    def _declared_size(self) -> tuple[InputSize, str]:
        """Return the size for a dynamic input, and where it comes from."""
        declared = _SIZE.fullmatch(self.metadata.get('imgsz', ''))
        if declared is None:
            return (InputSize(width=DEFAULT_INPUT_PX, height=DEFAULT_INPUT_PX),
                    'and the metadata has no imgsz, so the default')
        size = InputSize(width=int(declared[2] or declared[1]), height=int(declared[1]))
        return size, 'from the metadata imgsz'

    def _size_input(self, size: InputSize, tensor: TensorInfo) -> NDArray[Any]:
        value = np.asarray(SIZE_INPUTS[tensor.name](size, tensor))
        if tensor.dtype not in DTYPES or len(tensor.shape) != value.ndim or any(
                declared not in (None, length)
                for declared, length in zip(tensor.shape, value.shape)):
            raise self._input_error(
                f'must have an input {tensor.name} of shape {value.shape}',
                'export the model for one image')
        return value.astype(DTYPES[tensor.dtype])

    def _input_error(self, rule: str, remedy: str) -> ModelError:
        inputs = printable(', '.join(map(str, self.inputs)), MAX_INPUTS_CHARACTERS)
        return ModelError('model.id', self.name, f'{rule}, but has {inputs}', remedy)


def names_in_order(names: object) -> tuple[str, ...]:
    """
    Sort class names by class index.

    :param names: a list, or a dict by index; gaps get `class_<index>`.
    :return: the names; empty if the value is neither, or a name is a list or a dict.
    """
    if isinstance(names, (list, tuple)):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        return ()
    by_index = {
        int(key): str(name) for key, name in names.items()
        if _is_index(key) and not isinstance(name, (dict, list, set, tuple))}
    if len(by_index) != len(names) or max(by_index) >= MAX_CLASSES:
        return ()
    return tuple(by_index.get(i, f'class_{i}') for i in range(max(by_index) + 1))


def _is_index(key: object) -> bool:
    text = str(key)
    return text.isascii() and text.isdigit() and len(text) <= 5


def _parse_names(text: str) -> dict[str, str]:
    """
    Parse a list of names, or a dict by index, as Python or JSON writes it.

    Not with `ast.literal_eval`, which takes seconds and hundreds of megabytes for some texts of
    this size.

    :param text: untrusted.
    :return: the names by the text of the index; empty if it is anything else.
    """
    text = text.strip() if len(text) <= MAX_METADATA_CHARACTERS else ''
    if len(text) < 2 or CLOSING.get(text[0]) != text[-1]:
        return {}
    names: dict[str, str] = {}
    position, end = 1, len(text[:-1].rstrip())
    while position < end:
        entry = _ENTRY.match(text, position, end)
        if entry is None or (entry['key'] is None) == (text[0] == '{') or (
                len(names) == MAX_CLASSES):
            return {}
        key = str(len(names)) if entry['key'] is None else entry['key'].strip('"\'')
        names[key] = _unquoted(entry['name'])
        position = entry.end()
    return names


def _unquoted(token: str) -> str:
    """Return the text of a Python or JSON string, or of a number."""
    if token[0] not in '"\'':
        return token
    if '\\' not in token:
        return token[1:-1]
    for read in (json.loads, ast.literal_eval) if token[0] == '"' else (ast.literal_eval,):
        try:
            return str(read(token))
        except (ValueError, SyntaxError):
            continue
    return token[1:-1]


def _mask_shape(size: InputSize, tensor: TensorInfo) -> tuple[int, int, int]:
    """Return the declared shape of a mask, if it is not larger than the image."""
    height, width = (*tensor.shape[1:], None, None)[:2]
    return 1, min(height or size.height, size.height), min(width or size.width, size.width)
