# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""YOLO exports with a list of final boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.families.base import (
    are_class_ids, are_scores, Family, first_output, first_table, LETTERBOX, may_be_corners,
    ProbeResult, select)
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def fits_six_columns(probe: ProbeResult) -> bool:
    """Return whether there is a table of six columns."""
    return probe.table is not None and probe.table.shape[1] == 6


def has_score_and_class(table: NDArray[Any]) -> bool:
    """Return whether a table of six columns ends with a score and the index of a class."""
    return table.shape[1] == 6 and are_scores(table[:, 4]) and are_class_ids(table[:, 5])


def is_end2end(probe: ProbeResult) -> bool:
    """Return whether there is a list of corners, scores and classes."""
    boxes = probe.box_list
    return boxes is not None and has_score_and_class(boxes) and may_be_corners(boxes[:, :4])


def decode_end2end(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 6): x1, y1, x2, y2, score, class; unused rows have score 0.

    Source: YOLOv10 and YOLO26 heads without NMS, and Ultralytics exports with NMS inside.
    """
    table = first_table(outputs)
    return select(table[:, :4], table[:, 4], table[:, 5], min_score)


def fits_yolov7_end2end(probe: ProbeResult) -> bool:
    """Return whether there are seven columns, without a batch."""
    table = probe.single_output(rank=2)
    return table is not None and table.shape[1] == 7


def is_yolov7_end2end(probe: ProbeResult) -> bool:
    """Return whether the input is named images, and the class precedes the score."""
    # YOLO-NAS has seven columns in another order; its input has another name.
    table = first_output(probe.outputs)
    return probe.inputs == ('images',) and (
        are_class_ids(table[:, 5]) and are_scores(table[:, 6]) and may_be_corners(table[:, 1:5]))


def decode_yolov7_end2end(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (n, 7): batch, x1, y1, x2, y2, class, score.

    Source: WongKinYiu/yolov7, `export.py --end2end --max-wh`.
    """
    table = first_output(outputs).astype(np.float32, copy=False)
    return select(table[:, 1:5], table[:, 6], table[:, 5], min_score)


END2END = Family(
    name='end2end', models='YOLOv10 and YOLO26 without NMS; exports with NMS inside',
    layout='(1, n, 6)', recognized_by='the shape, corners in pixels, whole numbers as classes',
    fits=fits_six_columns, matches=is_end2end, decode=decode_end2end,
    preprocessing=LETTERBOX, source='ultralytics')
YOLOV7_END2END = Family(
    name='yolov7_end2end', models='YOLOv7 with --end2end --max-wh',
    layout='(n, 7)', recognized_by='the shape, and an input named images',
    fits=fits_yolov7_end2end, matches=is_yolov7_end2end, decode=decode_yolov7_end2end,
    preprocessing=LETTERBOX,
    source='WongKinYiu/yolov7')
