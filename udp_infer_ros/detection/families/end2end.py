# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""YOLO exports with a list of final boxes."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    Family, first_output, first_table, LETTERBOX, ProbeResult, select)
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def is_end2end(probe: ProbeResult) -> bool:
    """Return whether there is a list of boxes with six columns."""
    return probe.box_list is not None and probe.box_list.shape[1] == 6


def decode_end2end(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 6): x1, y1, x2, y2, score, class; unused rows have score 0.

    Source: YOLOv10 and YOLO26 heads without NMS, and Ultralytics exports with NMS inside.
    """
    table = first_table(outputs)
    return select(table[:, :4], table[:, 4], table[:, 5], min_score)


def is_yolov7_end2end(probe: ProbeResult) -> bool:
    """Return whether there are seven columns, without a batch, and an input named images."""
    # YOLO-NAS has seven columns in another order; its input has another name.
    table = probe.single_output(rank=2)
    return table is not None and table.shape[1] == 7 and probe.inputs == ('images',)


def decode_yolov7_end2end(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (n, 7): batch, x1, y1, x2, y2, class, score.

    Source: WongKinYiu/yolov7, `export.py --end2end --max-wh`.
    """
    table = first_output(outputs).astype(np.float32, copy=False)
    return select(table[:, 1:5], table[:, 6], table[:, 5], min_score)


END2END = Family(
    name='end2end', models='YOLOv10 and YOLO26 without NMS; exports with NMS inside',
    layout='(1, n, 6)', recognized_by='the shape, boxes in pixels',
    matches=is_end2end, decode=decode_end2end, preprocessing=LETTERBOX, source='ultralytics')
YOLOV7_END2END = Family(
    name='yolov7_end2end', models='YOLOv7 with --end2end --max-wh',
    layout='(n, 7)', recognized_by='the shape, and an input named images',
    matches=is_yolov7_end2end, decode=decode_yolov7_end2end, preprocessing=LETTERBOX,
    source='WongKinYiu/yolov7')
