# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""YOLOX, with boxes relative to the grid or in pixels."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    columns_besides, decode_objectness, Family, first_table, grid, may_be_centers, ProbeResult,
    select_by_objectness, strides_of, table_with_objectness)
from udp_infer_ros.detection.families.yolo import fits_objectness
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs, Preprocessing

PREPROCESSING = Preprocessing(
    resize='letterbox_top_left', color='bgr', std=(1.0, 1.0, 1.0), round_down=True)


def fits_yolox(probe: ProbeResult) -> bool:
    """Return whether there is a row for every cell, with at least two scores."""
    table = probe.dense_table()
    return table is not None and table.shape[1] > 5


def is_yolox(probe: ProbeResult) -> bool:
    """Return whether the logarithms of some sizes are negative, as those of pixels cannot be."""
    table = table_with_objectness(probe)
    return table is not None and bool((table[:, 2:4] < 0).any())


def is_yolox_decoded(probe: ProbeResult) -> bool:
    """
    Return whether boxes are in pixels: they have a size, and centers all over the input.

    The number of class names is needed: without it, the objectness could be a class.
    """
    table = table_with_objectness(probe)
    return table is not None and probe.class_count == table.shape[1] - 5 and bool(
        (table[:, 2:4] > 0).all() and np.ptp(table[:, 0]) > probe.size.width / 2
        and may_be_centers(table[:, :4]))


def decode_yolox(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 5 + classes) whose boxes are relative to the grid.

    Center = (value + cell) * stride, size = exp(value) * stride.

    Source: Megvii-BaseDetection/YOLOX, `demo_postprocess`.
    """
    table = first_table(outputs)
    selected = np.flatnonzero(table[:, 4] >= min_score)
    cells, strides = grid(size, strides_of(len(table), size))
    table = table[selected].copy()
    table[:, :2] = (table[:, :2] + cells[selected]) * strides[selected]
    table[:, 2:4] = np.exp(table[:, 2:4]) * strides[selected]
    return select_by_objectness(table, min_score)


YOLOX = Family(
    name='yolox', models='YOLOX',
    layout='(1, n, 5 + classes), relative to the grid',
    recognized_by='a row for every cell, boxes not in pixels',
    fits=fits_yolox, matches=is_yolox, decode=decode_yolox, preprocessing=PREPROCESSING,
    source='Megvii-BaseDetection/YOLOX',
    needs_nms=True, count_classes=columns_besides(5))
YOLOX_DECODED = Family(
    name='yolox_decoded', models='YOLOX with --decode_in_inference',
    layout='(1, n, 5 + classes)',
    recognized_by='a row for every cell, boxes in pixels, class names',
    fits=fits_objectness, matches=is_yolox_decoded, decode=decode_objectness,
    preprocessing=PREPROCESSING,
    source='Megvii-BaseDetection/YOLOX',
    needs_nms=True, count_classes=columns_besides(5))
