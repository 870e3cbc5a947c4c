# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Non-maximum suppression."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def non_max_suppression(
    xyxy: NDArray[np.floating[Any]], scores: NDArray[np.floating[Any]],
    class_ids: NDArray[np.integer[Any]], *, iou: float, class_agnostic: bool,
) -> NDArray[np.intp]:
    """
    Drop each box that overlaps one with a higher score too much.

    :param xyxy: (n, 4) corners x1, y1, x2, y2, finite.
    :param scores: (n,).
    :param class_ids: (n,) class indices.
    :param iou: largest allowed intersection over union.
    :param class_agnostic: compare boxes of different classes too.
    :return: indices of the boxes kept, highest score first.
    """
    if not len(xyxy):
        return np.empty(0, dtype=np.intp)
    boxes = xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    if not class_agnostic:
        # Move the classes so far apart that they cannot overlap: one call for all of them, on
        # every OpenCV since 3.4.
        reach = float(np.abs(xyxy).max()) * 2.0 + 1.0
        boxes[:, :2] += (class_ids * reach)[:, np.newaxis]
    # Lists take half the time of arrays here: the binding converts element by element.
    kept = cv2.dnn.NMSBoxes(
        boxes.tolist(), scores.tolist(), score_threshold=0.0, nms_threshold=iou)
    return np.asarray(kept, dtype=np.intp).reshape(-1)
