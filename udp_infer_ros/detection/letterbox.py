# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Where an image lies in the network's input, and the way back for boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.boxes import Boxes


@dataclass(frozen=True, kw_only=True)
class Letterbox:
    """
    The place of an image in the network's input: resized, then shifted.

    Boxes are scaled by the whole pixels to which the image was resized, not by the ideal scale,
    so they are exact even where rounding changed the aspect ratio a little.
    """

    image_width: int
    image_height: int
    width: int
    """Width of the resized image, pixels."""
    height: int
    left: int = 0
    """Left edge of the resized image in the input, pixels."""
    top: int = 0

    @classmethod
    def fit(
        cls, image_size: tuple[int, int], input_size: tuple[int, int], *,
        keep_aspect: bool = True, center: bool = True, round_down: bool = False,
    ) -> Letterbox:
        """
        Fit an image into an input.

        :param image_size: (width, height) of the image, pixels.
        :param input_size: (width, height) of the network's input, pixels.
        :param keep_aspect: pad the rest of the input; otherwise stretch.
        :param center: pad on both sides; otherwise on the right and at the bottom.
        :param round_down: round the size of the resized image down; otherwise to nearest.
        """
        image_width, image_height = image_size
        input_width, input_height = input_size
        if not keep_aspect:
            return cls(
                image_width=image_width, image_height=image_height, width=input_width,
                height=input_height)
        scale = min(input_width / image_width, input_height / image_height)
        to_pixels = int if round_down else round
        width = min(max(to_pixels(image_width * scale), 1), input_width)
        height = min(max(to_pixels(image_height * scale), 1), input_height)
        return cls(
            image_width=image_width, image_height=image_height, width=width, height=height,
            left=(input_width - width) // 2 if center else 0,
            top=(input_height - height) // 2 if center else 0)

    def undo(self, xyxy: Boxes) -> NDArray[np.float64]:
        """
        Convert boxes from pixels of the input to pixels of the image, without clipping.

        :param xyxy: (n, 4) corners x1, y1, x2, y2 in the input.
        :return: (n, 4) corners in the image.
        """
        shift = np.array((self.left, self.top) * 2, dtype=np.float64)
        scale = np.array((self.width / self.image_width, self.height / self.image_height) * 2)
        boxes: NDArray[np.float64] = (xyxy - shift) / scale
        return boxes
