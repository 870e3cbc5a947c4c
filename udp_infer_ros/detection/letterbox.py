# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""How an image is fitted into the network's input, and how boxes find their way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Letterbox:
    """
    The place of an image in the network's input: resized, then shifted.

    `apply` and `undo` are one object so that they cannot disagree: both use the whole pixels to
    which the image was really resized, not the ideal scale, so boxes come back exactly even
    where rounding changed the aspect ratio a little.
    """

    image_width: int
    image_height: int
    width: int
    """Width of the resized image, pixels."""
    height: int
    left: int
    """Where the resized image begins in the input, pixels."""
    top: int

    @classmethod
    def fit(
        cls, image_size: tuple[int, int], input_size: tuple[int, int], *,
        keep_aspect: bool = True, centre: bool = True, round_down: bool = False,
    ) -> Letterbox:
        """
        Fit an image into an input.

        :param image_size: (width, height) of the image, pixels.
        :param input_size: (width, height) of the network's input, pixels.
        :param keep_aspect: pad what is left over; otherwise stretch.
        :param centre: pad on both sides; otherwise at the right and at the bottom.
        :param round_down: the size of the resized image, in whole pixels; otherwise to nearest.
        """
        image_width, image_height = image_size
        input_width, input_height = input_size
        if not keep_aspect:
            return cls(image_width, image_height, input_width, input_height, 0, 0)
        scale = min(input_width / image_width, input_height / image_height)
        whole = int if round_down else round
        width = min(max(whole(image_width * scale), 1), input_width)
        height = min(max(whole(image_height * scale), 1), input_height)
        left = (input_width - width) // 2 if centre else 0
        top = (input_height - height) // 2 if centre else 0
        return cls(image_width, image_height, width, height, left, top)

    def apply(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """
        Bring boxes from the image into the input.

        :param boxes: (n, 4) as x1, y1, x2, y2 in image pixels.
        :return: (n, 4) in input pixels.
        """
        return boxes * self._scale() + self._shift()

    def undo(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """
        Bring boxes from the input back into the image, without clipping them.

        :param boxes: (n, 4) as x1, y1, x2, y2 in input pixels.
        :return: (n, 4) in image pixels.
        """
        return (boxes - self._shift()) / self._scale()

    def _scale(self) -> NDArray[np.float64]:
        x, y = self.width / self.image_width, self.height / self.image_height
        return np.array((x, y, x, y))

    def _shift(self) -> NDArray[np.float64]:
        return np.array((self.left, self.top, self.left, self.top), dtype=np.float64)
