# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""YOLO exports without NMS: YOLOv8 and its successors, YOLOv5, YOLOv6."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.boxes import corners_from_center_size
from udp_infer_ros.detection.families.base import (
    are_fractions, are_scores, columns_besides, decode_objectness, Family, first_output,
    first_table, LETTERBOX, may_be_centers, ProbeResult, select, select_by_objectness, strides_of,
    table_with_objectness)
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def fits_yolo(probe: ProbeResult) -> bool:
    """Return whether there is a table with boxes in columns."""
    table = probe.table
    if table is None or len(table) <= 4 or table.shape[1] == 6:
        return False  # Six columns are a list of boxes.
    return probe.class_count == len(table) - 4 or probe.box_list is not None or bool(
        strides_of(table.shape[1], probe.size))


def is_yolo(probe: ProbeResult) -> bool:
    """Return whether there is a column for every cell, or four rows more than class names."""
    table = first_table(probe.outputs)
    channels, cells = table.shape
    if not are_scores(table[4:]) or are_fractions(table[:4]):
        return False
    return probe.class_count == channels - 4 or (
        bool(strides_of(cells, probe.size)) and not strides_of(channels, probe.size))


def decode_yolo(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, 4 + classes, n): center x, center y, width, height, then a score per class.

    Source: the detection head of YOLOv8 and its successors, as in ONNX exports.
    """
    table = first_table(outputs)
    class_scores = table[4:]
    # The maximum along the long axis is contiguous and ten times cheaper than argmax; argmax is
    # then only needed for the few columns that pass.
    best = np.maximum.reduce(class_scores, axis=0)
    selected = np.flatnonzero(best >= min_score)
    return Candidates(
        corners_from_center_size(table[:4, selected].T), best[selected],
        np.argmax(class_scores[:, selected], axis=0))


def fits_objectness(probe: ProbeResult) -> bool:
    """Return whether there is a table with boxes in rows and at least two scores."""
    return probe.has_boxes_in_rows(columns=6)


def is_yolov5(probe: ProbeResult) -> bool:
    """Return whether there are three rows, of three anchors, for every cell."""
    table = probe.dense_table(rows_per_cell=3)
    return table is not None and are_scores(table[:, 4:]) and may_be_centers(table[:, :4])


def decode_yolov5(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 5 + classes): center x, center y, width, height, objectness, class scores.

    The score is objectness times class score. With one class it is the objectness, because such
    networks are not trained on the class score.

    Source: ultralytics/yolov5 and WongKinYiu/yolov7, `non_max_suppression`.
    """
    table = first_table(outputs)
    if table.shape[1] == 6:
        return select(
            corners_from_center_size(table[:, :4]), table[:, 4], np.zeros(len(table)), min_score)
    return select_by_objectness(table, min_score)


def is_yolov6(probe: ProbeResult) -> bool:
    """Return whether there is a row for every cell, with an objectness of 1."""
    table = table_with_objectness(probe)
    return table is not None and bool((table[:, 4] == 1.0).all()) and (
        may_be_centers(table[:, :4]))


YOLO = Family(
    name='yolo', models='YOLOv8, 9, 11, 12; YOLOv10 and YOLO26 with external NMS',
    layout='(1, 4 + classes, n)',
    recognized_by='a column for every cell, or a row for every class name',
    fits=fits_yolo, matches=is_yolo, decode=decode_yolo, preprocessing=LETTERBOX,
    source='ultralytics', needs_nms=True,
    count_classes=lambda probe: first_output(probe.outputs).shape[1] - 4)
YOLOV5 = Family(
    name='yolov5', models='YOLOv5; YOLOv7 with --grid',
    layout='(1, 3 n, 5 + classes)', recognized_by='three rows for every cell',
    fits=fits_objectness, matches=is_yolov5, decode=decode_yolov5, preprocessing=LETTERBOX,
    source='ultralytics/yolov5, WongKinYiu/yolov7',
    needs_nms=True, count_classes=columns_besides(5))
YOLOV6 = Family(
    name='yolov6', models='YOLOv6',
    layout='(1, n, 5 + classes)', recognized_by='a row for every cell, objectness 1 everywhere',
    fits=fits_objectness, matches=is_yolov6, decode=decode_objectness,
    preprocessing=LETTERBOX, source='meituan/YOLOv6', needs_nms=True,
    count_classes=columns_besides(5))
