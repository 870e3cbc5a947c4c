# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
From a network's raw outputs to boxes: one pure function per layout of outputs.

Every function takes what the network put out and the lowest score that is wanted, and gives
boxes in pixels of the network's input. None of them suppresses overlaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = Mapping[str, NDArray[Any]]
"""The network's outputs by name, in their order."""
Floats = NDArray[np.float32]
NANODET_BINS = 8
"""`reg_max + 1` of NanoDet: the distances to the four sides are distributions over so many."""


@dataclass(frozen=True)
class InputSize:
    """The network's input in pixels."""

    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes as the network has them, in pixels of its input."""

    xyxy: NDArray[np.float32]
    """(n, 4)"""
    scores: NDArray[np.float32]
    """(n,), 0 to 1"""
    class_ids: NDArray[np.intp]
    """(n,)"""

    def __getitem__(self, rows: NDArray[Any]) -> Candidates:
        return Candidates(self.xyxy[rows], self.scores[rows], self.class_ids[rows])

    def __len__(self) -> int:
        return len(self.scores)


Decoder = Callable[[Outputs, float, InputSize], Candidates]
"""Rows below the score given (or not a number) are left out."""


def yolo(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (1, 4 + classes, n): centre x, centre y, width, height, then a score per class.

    Source: the detection head of YOLOv8 and its successors, as ONNX exports have it.
    """
    table = _first(outputs)[0]
    class_scores = table[4:]
    # The maximum along the long axis is contiguous and ten times cheaper than argmax; argmax is
    # then only needed for the few columns that pass.
    best = np.maximum.reduce(class_scores, axis=0)
    hot = np.flatnonzero(best >= threshold)
    return Candidates(
        _corners(table[:4, hot].T), best[hot], np.argmax(class_scores[:, hot], axis=0))


def yolov5(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 5 + classes): centre x, centre y, width, height, objectness, class scores.

    The score is objectness times class score; of one class only, it is the objectness, because
    such networks are not taught the class score.

    Source: ultralytics/yolov5 and WongKinYiu/yolov7, `non_max_suppression`.
    """
    table = _first(outputs)[0]
    if table.shape[1] == 6:
        return _rows(_corners(table[:, :4]), table[:, 4], np.zeros(len(table)), threshold)
    return _with_objectness(table, threshold)


def yolov6(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 5 + classes): centre x, centre y, width, height, objectness, class scores.

    Source: meituan/YOLOv6, whose objectness is 1, and Megvii-BaseDetection/YOLOX with
    `--decode_in_inference`.
    """
    return _with_objectness(_first(outputs)[0], threshold)


def yolox(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 5 + classes) whose boxes are still relative to the grid.

    Centre = (value + cell) * stride, size = exp(value) * stride.

    Source: Megvii-BaseDetection/YOLOX, `demo_postprocess`.
    """
    table = _first(outputs)[0]
    hot = np.flatnonzero(table[:, 4] >= threshold)
    cells, strides = grid(size, strides_of(len(table), size))
    table = table[hot].copy()
    table[:, :2] = (table[:, :2] + cells[hot]) * strides[hot]
    table[:, 2:4] = np.exp(table[:, 2:4]) * strides[hot]
    return _with_objectness(table, threshold)


def nanodet(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, classes + 4 * 8): class scores, then a distribution for each side's distance.

    The distance is the mean of the distribution, in strides from the cell.

    Source: RangiLyu/nanodet, `NanoDetPlusHead` (generalized focal loss, Li et al. 2020).
    """
    table = _first(outputs)[0]
    class_scores = table[:, :-4 * NANODET_BINS]
    best = class_scores.max(axis=1)
    hot = np.flatnonzero(best >= threshold)
    cells, strides = grid(size, strides_of(len(table), size))
    logits = table[hot, -4 * NANODET_BINS:].reshape(-1, 4, NANODET_BINS)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    bins = np.arange(NANODET_BINS, dtype=np.float32)
    distances = (weights @ bins) / weights.sum(axis=2) * strides[hot]
    centre = cells[hot] * strides[hot]
    return Candidates(
        np.hstack((centre - distances[:, :2], centre + distances[:, 2:])), best[hot],
        class_scores[hot].argmax(axis=1))


def end2end(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 6): x1, y1, x2, y2, score, class; unused rows have score 0.

    Source: YOLOv10 and YOLO26 heads without NMS, and Ultralytics exports with NMS inside.
    """
    table = _first(outputs)[0]
    return _rows(table[:, :4], table[:, 4], table[:, 5], threshold)


def yolov7_end2end(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (n, 7): batch, x1, y1, x2, y2, class, score.

    Source: WongKinYiu/yolov7, `export.py --end2end --max-wh`.
    """
    table = _first(outputs)
    return _rows(table[:, 1:5], table[:, 6], table[:, 5], threshold)


def ultralytics_rtdetr(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 6): centre x, centre y, width, height from 0 to 1, score, class.

    Source: ultralytics, `RTDETRDecoder.postprocess`.
    """
    table = _first(outputs)[0]
    boxes = _corners(table[:, :4]) * _whole(size)
    return _rows(boxes, table[:, 4], table[:, 5], threshold)


def ultralytics_rtdetr_scores(
    outputs: Outputs, threshold: float, size: InputSize,
) -> Candidates:
    """
    Decode (1, n, 4 + classes): centre x, centre y, width, height from 0 to 1, class scores.

    Source: ultralytics before 8.4, `RTDETRDecoder.forward`.
    """
    table = _first(outputs)[0]
    boxes = _corners(table[:, :4]) * _whole(size)
    return _rows(boxes, table[:, 4:].max(axis=1), table[:, 4:].argmax(axis=1), threshold)


def rtdetr(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode labels (1, n), boxes (1, n, 4) as corners, scores (1, n).

    The boxes are in the units of the input `orig_target_sizes`, which is given the input's size.

    Source: lyuwenyu/RT-DETR `export_onnx.py`; D-FINE and DEIM export the same.
    """
    return _rows(outputs['boxes'][0], outputs['scores'][0], outputs['labels'][0], threshold)


def rfdetr(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode dets (1, n, 4), centre and size from 0 to 1, and labels (1, n, classes) as logits.

    The best pairs of query and class are detections, so that a query may have two classes.

    Source: roboflow/rf-detr, `export/_onnx/inference.py`.
    """
    return _top_pairs(outputs['dets'][0], _sigmoid(outputs['labels'][0]), threshold, size)


def hf_rtdetr(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode pred_boxes (1, n, 4), centre and size from 0 to 1, and logits (1, n, classes).

    Source: huggingface/transformers, `RTDetrImageProcessor.post_process_object_detection`.
    """
    return _top_pairs(outputs['pred_boxes'][0], _sigmoid(outputs['logits'][0]), threshold, size)


def detr(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode pred_boxes (1, n, 4), centre and size from 0 to 1, and logits (1, n, classes + 1).

    Softmax; the last class is 'no object'.

    Source: huggingface/transformers, `DetrImageProcessor.post_process_object_detection`.
    """
    logits = outputs['logits'][0].astype(np.float32)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (weights / weights.sum(axis=1, keepdims=True))[:, :-1]
    boxes = _corners(outputs['pred_boxes'][0].astype(np.float32)) * _whole(size)
    return _rows(boxes, scores.max(axis=1), scores.argmax(axis=1), threshold)


def paddle(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode (n, 6): class, score, x1, y1, x2, y2; unused rows have class -1.

    Source: PaddlePaddle/PaddleDetection, PP-YOLOE and PicoDet with post-processing.
    """
    table = _first(outputs).reshape(-1, 6)
    table = table[table[:, 0] >= 0]
    return _rows(table[:, 2:], table[:, 1], table[:, 0], threshold)


def batched_nms(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode det_boxes (1, n, 4) as corners, det_scores (1, n), det_classes (1, n), -1 if unused.

    Source: meituan/YOLOv6, `deploy/ONNX/export_onnx.py --end2end --ort`.
    """
    return _rows(
        outputs['det_boxes'][0], outputs['det_scores'][0], outputs['det_classes'][0], threshold)


def mmdeploy(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode dets (1, n, 5), corners and score, and labels (1, n).

    Source: open-mmlab/mmdeploy, detectors with NMS inside.
    """
    table = outputs['dets'][0]
    return _rows(table[:, :4], table[:, 4], outputs['labels'][0], threshold)


def torchvision(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode boxes (n, 4) as corners, labels (n,), scores (n,).

    Source: pytorch/vision, `torchvision.models.detection` (class 0 is the background).
    """
    return _rows(outputs['boxes'], outputs['scores'], outputs['labels'], threshold)


def tensorflow(outputs: Outputs, threshold: float, size: InputSize) -> Candidates:
    """
    Decode detection_boxes (1, n, 4) as top, left, bottom, right from 0 to 1.

    Their detection_scores and detection_classes are (1, n).

    Source: TensorFlow Object Detection API, SSD and EfficientDet.
    """
    boxes = outputs['detection_boxes'][0][:, (1, 0, 3, 2)] * _whole(size)
    return _rows(
        boxes, outputs['detection_scores'][0], outputs['detection_classes'][0], threshold)


def strides_of(count: int, size: InputSize) -> tuple[int, ...]:
    """
    Find the strides whose cells are so many.

    :return: the strides, or nothing if no usual pyramid has that many cells.
    """
    for strides in ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32)):
        if sum(rows * columns for rows, columns in _cells(size, strides)) == count:
            return strides
    return ()


def grid(size: InputSize, strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """
    List the cells of a feature pyramid, row by row, finest level first.

    :return: (n, 2) column and row of each cell, and (n, 1) its stride.
    """
    cells, widths = [], []
    for stride, (rows, columns) in zip(strides, _cells(size, strides)):
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        cells.append(np.stack((x.ravel(), y.ravel()), axis=1))
        widths.append(np.full((rows * columns, 1), stride))
    return (
        np.concatenate(cells).astype(np.float32), np.concatenate(widths).astype(np.float32))


def _cells(size: InputSize, strides: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(-(-size.height // stride), -(-size.width // stride)) for stride in strides]


def _first(outputs: Outputs) -> Floats:
    return next(iter(outputs.values())).astype(np.float32, copy=False)


def _corners(boxes: Floats) -> Floats:
    """Turn centre and size, (n, 4), into corners."""
    centre, half = boxes[:, :2], boxes[:, 2:4] / 2
    return np.concatenate((centre - half, centre + half), axis=1)


def _whole(size: InputSize) -> Floats:
    return np.array((size.width, size.height) * 2, dtype=np.float32)


def _sigmoid(logits: NDArray[Any]) -> Floats:
    # Clipped: beyond, it is 0 or 1 all the same, and exp would overflow.
    clipped = np.clip(logits.astype(np.float32), -80.0, 80.0)
    return (1.0 / (1.0 + np.exp(-clipped))).astype(np.float32)


def _rows(
    xyxy: NDArray[Any], scores: NDArray[Any], class_ids: NDArray[Any], threshold: float,
) -> Candidates:
    hot = np.flatnonzero(scores >= threshold)
    return Candidates(
        xyxy[hot].astype(np.float32), scores[hot].astype(np.float32),
        class_ids[hot].astype(np.intp))


def _with_objectness(table: Floats, threshold: float) -> Candidates:
    # A score cannot be above its objectness, so most rows need no look at their classes.
    hot = np.flatnonzero(table[:, 4] >= threshold)
    classes = table[hot, 5:]
    class_ids = classes.argmax(axis=1)
    scores = table[hot, 4] * np.take_along_axis(classes, class_ids[:, None], axis=1)[:, 0]
    return _rows(_corners(table[hot, :4]), scores, class_ids, threshold)


def _top_pairs(
    boxes: NDArray[Any], scores: Floats, threshold: float, size: InputSize,
) -> Candidates:
    """Take the best pairs of query and class, as many as there are queries."""
    pairs = np.flatnonzero(scores.ravel() >= threshold)
    order = np.argsort(-scores.ravel()[pairs], kind='stable')[:len(boxes)]
    queries, class_ids = np.divmod(pairs[order], scores.shape[1])
    xyxy = _corners(boxes.astype(np.float32)) * _whole(size)
    return Candidates(
        xyxy[queries].astype(np.float32), scores.ravel()[pairs[order]],
        class_ids.astype(np.intp))
