# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The families of detectors that people export, and how a file is told to be one of them.

A new family is one function in decoders.py and one row in FAMILIES; the README's table is made
from these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection import decoders
from udp_infer_ros.detection.decoders import Decoder, InputSize, NANODET_BINS, Outputs, strides_of
from udp_infer_ros.errors import ModelError

Triple = tuple[float, float, float]
ZERO: Triple = (0.0, 0.0, 0.0)
IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)
NORMALISED = 1.5
"""Boxes whose largest number is below this are fractions of the image, not pixels."""


@dataclass(frozen=True)
class Preprocessing:
    """What the trainers of a family did to an image."""

    resize: str
    """letterbox, letterbox_top_left (pads right and below), or stretch."""
    color: str = 'rgb'
    mean: Triple = ZERO
    """Subtracted from the pixels, 0..255, in the order of `color`."""
    std: Triple = (255.0, 255.0, 255.0)
    """What the rest is divided by."""
    round_down: bool = False
    """Whole pixels of the resized image: rounded down, or to the nearest."""

    def __str__(self) -> str:
        numbers = {
            (ZERO, (255.0, 255.0, 255.0)): '0..1', (ZERO, (1.0, 1.0, 1.0)): '0..255',
            (IMAGENET_MEAN, IMAGENET_STD): 'ImageNet mean and std'}.get(
                (self.mean, self.std), f'(pixel - {self.mean}) / {self.std}')
        return f'{self.color.upper()} {numbers}, {self.resize}'


YOLO = Preprocessing('letterbox')
YOLOX = Preprocessing('letterbox_top_left', 'bgr', std=(1.0, 1.0, 1.0), round_down=True)
STRETCHED = Preprocessing('stretch')
IMAGENET = Preprocessing('stretch', mean=IMAGENET_MEAN, std=IMAGENET_STD)


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network showed when it was run once, on noise."""

    inputs: tuple[str, ...]
    outputs: Outputs
    metadata: Mapping[str, str]
    class_count: int | None
    """How many class names there are, if there are any."""
    size: InputSize

    def only(self, rank: int) -> NDArray[Any] | None:
        """Give the one output, if it is one and has so many dimensions."""
        if len(self.outputs) != 1:
            return None
        output = next(iter(self.outputs.values()))
        return output if output.ndim == rank and (rank != 3 or len(output) == 1) else None

    def has(self, *names: str) -> bool:
        """Tell whether there are outputs of these names."""
        return set(names) <= self.outputs.keys()

    @property
    def from_rtdetr(self) -> bool:
        """Tell whether the file says that its head is that of Ultralytics' RT-DETR."""
        return self.metadata.get('head') == 'RTDETRDecoder'

    def dense(self, *, anchors: int = 1) -> NDArray[Any] | None:
        """Give (n, columns) of an output (1, n, columns) that has a row for every cell."""
        output = self.only(3)
        if output is None or len(output[0]) % anchors:
            return None
        table: NDArray[Any] = output[0]
        return table if strides_of(len(table) // anchors, self.size) else None


@dataclass(frozen=True)
class Family:
    """Detectors that are decoded and fed alike."""

    name: str
    """As in `model.family`."""
    models: str
    """Whose exports these are."""
    layout: str
    """The shape of the outputs, for people."""
    recognised: str
    """By what a file is told to be one, for people."""
    matches: Callable[[Seen], bool]
    decode: Decoder
    preprocessing: Preprocessing
    source: str
    """Where the preprocessing and the layout are defined."""
    needs_nms: bool = False
    classes: Callable[[Seen], int | None] = lambda seen: None
    """How many classes the outputs have room for, if their shape says so."""
    spare_class: bool = False
    """The last class may be the background, which has no name."""


def _yolo(seen: Seen) -> bool:
    table = seen.only(3)
    if table is None or table.shape[1] <= 4 or table.shape[2] == 6:
        return False
    rows, columns = table.shape[1:]
    if seen.class_count is not None and rows == 4 + seen.class_count:
        return columns != 5 + seen.class_count or not strides_of(rows, seen.size)
    return bool(strides_of(columns, seen.size)) and not strides_of(rows, seen.size)


def _yolov5(seen: Seen) -> bool:
    table = seen.dense(anchors=3)
    return table is not None and table.shape[1] > 5


def _with_objectness(seen: Seen) -> NDArray[Any] | None:
    """Give (n, 5 + classes) of one row a cell, with scores, unless the names say otherwise."""
    table = seen.dense()
    if table is None or table.shape[1] <= 5 or _nanodet(seen):
        return None
    # NanoDet has logits there.
    if (table[:, 4:] < 0).any() or (table[:, 4:] > 1).any():
        return None
    if seen.class_count is not None and table.shape[1] == 4 + seen.class_count:
        return None
    return table


def _yolov6(seen: Seen) -> bool:
    table = _with_objectness(seen)
    return table is not None and bool((table[:, 4] == 1.0).all())


def _decoded(table: NDArray[Any], size: InputSize) -> bool:
    """Tell whether boxes are in pixels: they have a size, and centres all over the input."""
    return bool((table[:, 2:4] > 0).all() and np.ptp(table[:, 0]) > size.width / 2)


def _yolox(seen: Seen) -> bool:
    table = _with_objectness(seen)
    return table is not None and not _yolov6(seen) and not _decoded(table, seen.size)


def _yolox_decoded(seen: Seen) -> bool:
    table = _with_objectness(seen)
    return table is not None and not _yolov6(seen) and _decoded(table, seen.size)


def _nanodet(seen: Seen) -> bool:
    table = seen.dense()
    if table is None or len(strides_of(len(table), seen.size)) != 4:
        return False
    scores = table[:, :-4 * NANODET_BINS]
    if not scores.shape[1] or (scores < 0).any() or (scores > 1).any():
        return False
    return seen.class_count in (None, scores.shape[1]) and not (table[:, 4] == 1.0).all()


def _sparse(seen: Seen) -> NDArray[Any] | None:
    """Give (n, columns) of an output (1, n, columns) that has no row for every cell."""
    output = seen.only(3)
    if output is None or seen.dense() is not None or seen.dense(anchors=3) is not None:
        return None
    table: NDArray[Any] = output[0]
    return table


def _normalised(boxes: NDArray[Any]) -> bool:
    # Rows of zeros are unused, and only exports in pixels have them.
    return bool(boxes.size and 0.0 < np.abs(boxes).max() <= NORMALISED)


def _end2end(seen: Seen) -> bool:
    table = _sparse(seen)
    return (
        table is not None and table.shape[1] == 6 and not seen.from_rtdetr
        and not _paddle(seen) and not _normalised(table[:, :4]))


def _ultralytics_rtdetr(seen: Seen) -> bool:
    table = _sparse(seen)
    return table is not None and table.shape[1] == 6 and (
        seen.from_rtdetr or (
            seen.class_count != 2 and not _paddle(seen) and _normalised(table[:, :4])))


def _ultralytics_rtdetr_scores(seen: Seen) -> bool:
    table = _sparse(seen)
    return (
        table is not None and table.shape[1] > 4 and not seen.from_rtdetr
        and seen.class_count == table.shape[1] - 4 and _normalised(table[:, :4])
        and not _yolo(seen))


def _yolov7_end2end(seen: Seen) -> bool:
    # YOLO-NAS has seven columns too, in another order; its input has another name.
    table = seen.only(2)
    return table is not None and table.shape[1] == 7 and seen.inputs == ('images',)


def _paddle(seen: Seen) -> bool:
    return bool({'scale_factor', 'im_shape'} & set(seen.inputs)) and any(
        output.ndim in (2, 3) and output.shape[-1] == 6 for output in seen.outputs.values())


def _columns(seen: Seen, besides: int) -> int | None:
    table = seen.only(3)
    return None if table is None else table.shape[2] - besides


ROWS = (
    Family(
        'yolo', 'YOLOv8, 9, 11, 12; YOLOv10 and YOLO26 with external NMS', '(1, 4 + classes, n)',
        'the shape, with a column for every cell', _yolo, decoders.yolo, YOLO,
        'ultralytics', needs_nms=True,
        classes=lambda seen: next(iter(seen.outputs.values())).shape[1] - 4),
    Family(
        'yolov5', 'YOLOv5; YOLOv7 with --grid', '(1, 3 n, 5 + classes)',
        'three rows for every cell', _yolov5, decoders.yolov5, YOLO,
        'ultralytics/yolov5, WongKinYiu/yolov7', needs_nms=True,
        classes=lambda seen: _columns(seen, 5)),
    Family(
        'yolov6', 'YOLOv6', '(1, n, 5 + classes)',
        'a row for every cell, objectness 1 everywhere', _yolov6, decoders.yolov6, YOLO,
        'meituan/YOLOv6', needs_nms=True, classes=lambda seen: _columns(seen, 5)),
    Family(
        'yolox', 'YOLOX', '(1, n, 5 + classes), relative to the grid',
        'a row for every cell, boxes not in pixels', _yolox, decoders.yolox,
        YOLOX, 'Megvii-BaseDetection/YOLOX', needs_nms=True,
        classes=lambda seen: _columns(seen, 5)),
    Family(
        'yolox_decoded', 'YOLOX with --decode_in_inference', '(1, n, 5 + classes)',
        'a row for every cell, boxes in pixels', _yolox_decoded, decoders.yolov6,
        YOLOX,
        'Megvii-BaseDetection/YOLOX', needs_nms=True, classes=lambda seen: _columns(seen, 5)),
    Family(
        'nanodet', 'NanoDet-Plus', '(1, n, classes + 32)',
        'a row for every cell of four strides, scores first', _nanodet, decoders.nanodet,
        Preprocessing('stretch', 'bgr', IMAGENET_MEAN[::-1], IMAGENET_STD[::-1]),
        'RangiLyu/nanodet', needs_nms=True,
        classes=lambda seen: _columns(seen, 4 * NANODET_BINS)),
    Family(
        'end2end', 'YOLOv10 and YOLO26 without NMS; exports with NMS inside', '(1, n, 6)',
        'the shape, boxes in pixels', _end2end, decoders.end2end, YOLO, 'ultralytics'),
    Family(
        'yolov7_end2end', 'YOLOv7 with --end2end --max-wh', '(n, 7)',
        'the shape, and an input named images',
        _yolov7_end2end, decoders.yolov7_end2end, YOLO, 'WongKinYiu/yolov7'),
    Family(
        'rtdetr', 'RT-DETR, RT-DETRv2, D-FINE, DEIM',
        'labels (1, n), boxes (1, n, 4), scores (1, n)',
        'an input orig_target_sizes',
        lambda seen: 'orig_target_sizes' in seen.inputs and seen.has('labels', 'boxes', 'scores'),
        decoders.rtdetr, STRETCHED, 'lyuwenyu/RT-DETR, Peterande/D-FINE'),
    Family(
        'ultralytics_rtdetr', 'RT-DETR from Ultralytics 8.4', '(1, n, 6), fractions of the image',
        'the head in the metadata, or the shape and boxes from 0 to 1', _ultralytics_rtdetr,
        decoders.ultralytics_rtdetr, STRETCHED, 'ultralytics'),
    Family(
        'ultralytics_rtdetr_scores', 'RT-DETR from older Ultralytics',
        '(1, n, 4 + classes), fractions of the image',
        'the shape, the number of class names and boxes from 0 to 1',
        _ultralytics_rtdetr_scores, decoders.ultralytics_rtdetr_scores, STRETCHED, 'ultralytics',
        classes=lambda seen: _columns(seen, 4)),
    Family(
        'rfdetr', 'RF-DETR', 'dets (1, n, 4), labels (1, n, classes)',
        'the names dets and labels, boxes of four numbers',
        lambda seen: seen.has('dets', 'labels') and seen.outputs['dets'].shape[-1] == 4
        and seen.outputs['labels'].ndim == 3,
        decoders.rfdetr, IMAGENET, 'roboflow/rf-detr',
        classes=lambda seen: seen.outputs['labels'].shape[-1], spare_class=True),
    Family(
        'hf_rtdetr', 'RT-DETR, D-FINE from Hugging Face',
        'logits (1, n, classes), pred_boxes (1, n, 4)',
        'the names, and as many logits as class names',
        lambda seen: seen.has('logits', 'pred_boxes') and seen.class_count in (
            None, seen.outputs['logits'].shape[-1]) and 'pixel_mask' not in seen.inputs,
        decoders.hf_rtdetr, STRETCHED, 'huggingface/transformers',
        classes=lambda seen: seen.outputs['logits'].shape[-1]),
    Family(
        'detr', 'DETR from Hugging Face', 'logits (1, n, classes + 1), pred_boxes (1, n, 4)',
        'the names, and one logit more than class names',
        lambda seen: seen.has('logits', 'pred_boxes') and seen.class_count in (
            None, seen.outputs['logits'].shape[-1] - 1),
        decoders.detr, Preprocessing('letterbox', mean=IMAGENET_MEAN, std=IMAGENET_STD),
        'huggingface/transformers',
        classes=lambda seen: seen.outputs['logits'].shape[-1] - 1),
    Family(
        'paddle', 'PP-YOLOE, PicoDet with post-processing', '(n, 6), class first',
        'an input scale_factor or im_shape', _paddle, decoders.paddle, IMAGENET,
        'PaddlePaddle/PaddleDetection'),
    Family(
        'batched_nms', 'YOLOv6 with --end2end --ort',
        'num_dets, det_boxes (1, n, 4), det_scores, det_classes', 'the names',
        lambda seen: seen.has('det_boxes', 'det_scores', 'det_classes'),
        decoders.batched_nms, YOLO, 'meituan/YOLOv6'),
    Family(
        'mmdeploy', 'mmdetection, mmyolo by mmdeploy', 'dets (1, n, 5), labels (1, n)',
        'the names dets and labels, boxes of five numbers',
        lambda seen: seen.has('dets', 'labels') and seen.outputs['dets'].shape[-1] == 5,
        decoders.mmdeploy,
        Preprocessing('letterbox_top_left', mean=IMAGENET_MEAN, std=IMAGENET_STD),
        'open-mmlab/mmdeploy'),
    Family(
        'torchvision', 'torchvision SSD, RetinaNet, Faster R-CNN',
        'boxes (n, 4), labels (n), scores (n)', 'the names, boxes without a batch',
        lambda seen: seen.has('boxes', 'labels', 'scores') and seen.outputs['boxes'].ndim == 2
        and len(seen.inputs) == 1,
        decoders.torchvision, YOLO, 'pytorch/vision'),
    Family(
        'tensorflow', 'TensorFlow SSD, EfficientDet with NMS inside',
        'detection_boxes (1, n, 4), detection_scores, detection_classes', 'the names',
        lambda seen: seen.has('detection_boxes', 'detection_scores', 'detection_classes'),
        decoders.tensorflow, Preprocessing('stretch', std=(1.0, 1.0, 1.0)),
        'TensorFlow Object Detection API'),
)
FAMILIES: Mapping[str, Family] = {family.name: family for family in ROWS}
"""Every family that this package can decode, by name."""


def recognise(seen: Seen, name: str, wanted: str) -> tuple[Family, str]:
    """
    Tell which family a network belongs to.

    :param name: `model.id`, for the error.
    :param wanted: `model.family`: auto, or the answer.
    :return: the family, and why.
    :raises ModelError: if it could be several, or none that is known. Nothing is guessed.
    """
    if wanted != 'auto':
        return FAMILIES[wanted], 'set by model.family'
    found = [family for family in FAMILIES.values() if family.matches(seen)]
    if len(found) == 1:
        return found[0], found[0].recognised
    shapes = ', '.join(f'{key} {tuple(value.shape)}' for key, value in seen.outputs.items())
    if found:
        raise ModelError(
            'model.id', name, f'has outputs that could be of several families: {shapes}',
            'set model.family to one of ' + ', '.join(family.name for family in found)
            + ', or name the classes in model.labels')
    known = '; '.join(f'{family.name} {family.layout}' for family in FAMILIES.values())
    raise ModelError(
        'model.id', name, f'has outputs of an unknown layout: {shapes}',
        f'set model.family if it is one of these: {known}')
