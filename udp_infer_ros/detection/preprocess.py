# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From an image to the network's input tensor, in buffers that are used again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import ImageInput
from udp_infer_ros.detection.types import Preprocessing
from udp_infer_ros.frame import BgrImage


@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared:
    """An image in the network's input tensor."""

    tensor: NDArray[Any]
    """The input of the network, with the image and its padding."""
    planes: NDArray[Any]
    """(3, height, width) view of the tensor."""
    letterbox: Letterbox
    """The place of the image in the tensor."""
    resized: BgrImage
    """The image at its size in the tensor, without padding."""
    channels: Sequence[NDArray[np.uint8]]
    """Buffers for the channels of the resized image, in its order."""


class Preprocessor:
    """
    Writes images into input tensors. For use from one thread.

    New buffers of this size cost more (page faults) than the arithmetic on them. So the buffers
    of an image are used again after `release`; their padding is written once, and each image
    overwrites only its own part.

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
        self._free: list[Prepared] = []

    def __call__(self, image: BgrImage) -> Prepared:
        """
        Write an image into a tensor.

        :param image: (height, width, 3), BGR; not modified.
        :return: the tensor, which no other call changes before `release`.
        """
        height, width = image.shape[:2]
        prepared = self._take(width, height)
        box = prepared.letterbox
        cv2.resize(image, (box.width, box.height), dst=prepared.resized)
        rows = slice(box.top, box.top + box.height)
        columns = slice(box.left, box.left + box.width)
        cv2.split(prepared.resized, prepared.channels)
        for channel in range(3):
            source = 2 - channel if self._preprocessing.color == 'rgb' else channel
            self._write(
                channel, prepared.channels[source], prepared.planes[channel, rows, columns])
        return prepared

    def release(self, prepared: Prepared) -> None:
        """Use the buffers of an image again. Optional; each only once."""
        self._free.append(prepared)

    def _take(self, width: int, height: int) -> Prepared:
        """Return free buffers for images of this size, and discard those for other sizes."""
        while self._free:
            prepared = self._free.pop()
            box = prepared.letterbox
            if (box.image_width, box.image_height) == (width, height):
                return prepared
        return self._allocate(width, height)

    def _allocate(self, width: int, height: int) -> Prepared:
        """Return new buffers for images of this size, with the padding written."""
        target, resize = self._target, self._preprocessing.resize
        size = target.size
        shape = (
            (size.height, size.width, 3) if target.channels_last else
            (3, size.height, size.width))
        image: NDArray[Any] = np.empty(shape, dtype=target.dtype)
        planes = image.transpose(2, 0, 1) if target.channels_last else image
        pad = np.full((1, 1), self._preprocessing.pad, dtype=np.uint8)
        for channel in range(3):
            self._write(channel, pad, planes[channel])
        box = Letterbox.fit(
            (width, height), (size.width, size.height), keep_aspect=resize != 'stretch',
            center=resize == 'letterbox', round_down=self._preprocessing.round_down)
        return Prepared(
            tensor=image[np.newaxis] if target.batched else image, planes=planes, letterbox=box,
            resized=np.empty((box.height, box.width, 3), dtype=np.uint8),
            channels=tuple(np.empty((3, box.height, box.width), dtype=np.uint8)))

    def _write(self, channel: int, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        if out.dtype == np.uint8:
            out[...] = pixels
            return
        np.multiply(pixels, self._gain[channel], out=out, casting='same_kind')
        if self._offset[channel]:
            np.add(out, self._offset[channel], out=out, casting='same_kind')
