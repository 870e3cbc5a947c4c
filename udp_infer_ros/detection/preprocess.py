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

"""From a camera image to the network's input tensor, in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.frame import BgrImage

PAD = 114
"""The grey that YOLO trainers pad with, 0..255."""


@dataclass(frozen=True)
class InputSpec:
    """What the network wants to see."""

    width: int
    height: int
    dtype: np.dtype[Any] = np.dtype(np.float32)
    channels_last: bool = False
    """(1, height, width, 3) instead of (1, 3, height, width)."""
    resize: str = 'letterbox'
    """letterbox, letterbox_top_left (pads right and below), or stretch."""
    color: str = 'rgb'
    """rgb or bgr."""
    scale: float = 1.0 / 255.0
    """Pixels are multiplied by this first,"""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """then this is subtracted, per channel in the order of `color`,"""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """and the rest is divided by this."""

    def letterbox(self, image_size: tuple[int, int]) -> Letterbox:
        """Place an image of (width, height) pixels in this input."""
        return Letterbox.fit(
            image_size, (self.width, self.height), keep_aspect=self.resize != 'stretch',
            centre=self.resize == 'letterbox')


class Preprocessor:
    """
    Writes images into one input tensor, again and again.

    Fresh buffers of this size cost more (page faults) than the arithmetic on them, so the
    tensor is kept, its padding is written once, and each image overwrites only its own part.
    The tensor belongs to this object: use it before the next call.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self._gain = np.array(
            [spec.scale / std for std in spec.std], dtype=np.float32)
        self._offset = np.array(
            [-mean / std for mean, std in zip(spec.mean, spec.std)], dtype=np.float32)
        shape = (spec.height, spec.width, 3) if spec.channels_last else (
            3, spec.height, spec.width)
        self._tensor: NDArray[Any] = np.empty((1, *shape), dtype=spec.dtype)
        planes = self._tensor[0]
        self._planes = planes.transpose(2, 0, 1) if spec.channels_last else planes
        self._letterbox: Letterbox | None = None
        self._resized: BgrImage = np.empty((0, 0, 3), dtype=np.uint8)

    def __call__(self, image: BgrImage) -> tuple[NDArray[Any], Letterbox]:
        """
        Write an image into the tensor.

        :param image: pixels, shape (height, width, 3), BGR; not changed.
        :return: the tensor, and where in it the image is.
        """
        height, width = image.shape[:2]
        box = self._letterbox
        if box is None or (box.image_width, box.image_height) != (width, height):
            box = self._begin((width, height))
        cv2.resize(image, (box.width, box.height), dst=self._resized)
        rows = slice(box.top, box.top + box.height)
        columns = slice(box.left, box.left + box.width)
        planes: Sequence[Any] = cv2.split(self._resized)
        for channel in range(3):
            pixels = planes[2 - channel if self.spec.color == 'rgb' else channel]
            self._write(channel, pixels, self._planes[channel, rows, columns])
        return self._tensor, box

    def _begin(self, image_size: tuple[int, int]) -> Letterbox:
        box = self._letterbox = self.spec.letterbox(image_size)
        self._resized = np.empty((box.height, box.width, 3), dtype=np.uint8)
        pad = np.full((1, 1), PAD, dtype=np.uint8)
        for channel in range(3):
            self._write(channel, pad, self._planes[channel])
        return box

    def _write(self, channel: int, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        if out.dtype == np.uint8:
            out[...] = pixels
            return
        np.multiply(pixels, self._gain[channel], out=out, casting='same_kind')
        if self._offset[channel]:
            np.add(out, self._offset[channel], out=out, casting='same_kind')
