# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From a camera image to the network's input tensor, in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.families import Preprocessing
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import ImageInput
from udp_infer_ros.frame import BgrImage

PAD = 114
"""The grey that YOLO trainers pad with, 0..255."""


class Preprocessor:
    """
    Writes images into one input tensor, again and again.

    Fresh buffers of this size cost more (page faults) than the arithmetic on them, so the
    tensor is kept, its padding is written once, and each image overwrites only its own part.
    The tensor belongs to this object: use it before the next call.

    :param target: the network's input; one of uint8 takes the pixels as they are.
    :param how: what the network's trainers did to an image.
    """

    def __init__(self, target: ImageInput, how: Preprocessing) -> None:
        self._target = target
        self._how = how
        self._gain = np.array([1.0 / std for std in how.std], dtype=np.float32)
        self._offset = np.array(
            [-mean / std for mean, std in zip(how.mean, how.std)], dtype=np.float32)
        height, width = target.size.height, target.size.width
        shape = (height, width, 3) if target.channels_last else (3, height, width)
        image: NDArray[Any] = np.empty(shape, dtype=target.dtype)
        self._tensor = image[np.newaxis] if target.batched else image
        self._planes = image.transpose(2, 0, 1) if target.channels_last else image
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
            pixels = planes[2 - channel if self._how.color == 'rgb' else channel]
            self._write(channel, pixels, self._planes[channel, rows, columns])
        return self._tensor, box

    def _begin(self, image_size: tuple[int, int]) -> Letterbox:
        size = self._target.size
        box = self._letterbox = Letterbox.fit(
            image_size, (size.width, size.height), keep_aspect=self._how.resize != 'stretch',
            centre=self._how.resize == 'letterbox', round_down=self._how.round_down)
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
