# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Conversion of boxes between corners and center with size, and rounding for publication."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]

CORNER_DECIMALS = 2
"""Corners are rounded to 0.01 px."""


def corners_from_center_size(boxes: Boxes) -> Boxes:
    """
    Convert boxes to corners.

    :param boxes: (n, 4) center x, center y, width, height.
    :return: (n, 4) x1, y1, x2, y2, of the same dtype and unit.
    """
    center, half = boxes[:, :2], boxes[:, 2:4] / 2
    return np.concatenate((center - half, center + half), axis=1)


def center_size_from_corners(xyxy: Boxes) -> Boxes:
    """
    Convert boxes to center and size.

    :param xyxy: (n, 4) x1, y1, x2, y2.
    :return: (n, 4) center x, center y, width, height, of the same dtype and unit.
    """
    return np.concatenate(
        ((xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]), axis=1)


def round_corners(xyxy: Boxes) -> NDArray[np.float64]:
    """
    Round corners to the precision that is published.

    :param xyxy: (n, 4) x1, y1, x2, y2, px.
    :return: (n, 4) multiples of 0.01 px.
    """
    return xyxy.astype(np.float64).round(CORNER_DECIMALS)
