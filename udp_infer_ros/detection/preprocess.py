# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From an image to the network's input tensor, in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import ImageInput
from udp_infer_ros.detection.types import Preprocessing
from udp_infer_ros.frame import BgrImage


class Preprocessor:
    """
    Writes images into one input tensor. For use from one thread.

    New buffers of this size cost more (page faults) than the arithmetic on them. So the tensor
    is kept, its padding is written once, and each image overwrites only its own part. The next
    call overwrites the tensor.

    :param target: the network's input; for uint8, pixels are not scaled.
    :param preprocessing: as in the training of the network.
    """

    def __init__(self, target: ImageInput, preprocessing: Preprocessing) -> None:
        self._target = target
        self._preprocessing = preprocessing
        self._gain = np.array([1.0 / std for std in preprocessing.std], dtype=np.float32)
        self._offset = np.array(
            [-mean / std for mean, std in zip(preprocessing.mean, preprocessing.std)],
            dtype=np.float32)
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

        :param image: (height, width, 3), BGR; not modified.
        :return: the tensor, and the place of the image in it.
        """
        height, width = image.shape[:2]
        box = self._letterbox
        if box is None or (box.image_width, box.image_height) != (width, height):
            box = self._set_image_size(width, height)
        cv2.resize(image, (box.width, box.height), dst=self._resized)
        rows = slice(box.top, box.top + box.height)
        columns = slice(box.left, box.left + box.width)
        planes: Sequence[Any] = cv2.split(self._resized)
        for channel in range(3):
            pixels = planes[2 - channel if self._preprocessing.color == 'rgb' else channel]
            self._write(channel, pixels, self._planes[channel, rows, columns])
        return self._tensor, box

    @property
    def resized(self) -> BgrImage:
        """Return the latest image at its size in the tensor; the next call overwrites it."""
        return self._resized

    def _set_image_size(self, width: int, height: int) -> Letterbox:
        """Allocate buffers for images of this size, and write the padding."""
        size, resize = self._target.size, self._preprocessing.resize
        box = self._letterbox = Letterbox.fit(
            (width, height), (size.width, size.height), keep_aspect=resize != 'stretch',
            center=resize == 'letterbox', round_down=self._preprocessing.round_down)
        self._resized = np.empty((box.height, box.width, 3), dtype=np.uint8)
        pad = np.full((1, 1), self._preprocessing.pad, dtype=np.uint8)
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
