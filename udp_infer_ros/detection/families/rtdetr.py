# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""RT-DETR and its relatives, from their own repositories, Ultralytics and Hugging Face."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from udp_infer_ros.detection.families.base import (
    are_fractions, are_scores, columns_besides, corners_from_fractions, Family,
    first_table, ProbeResult, select, select_pairs, share_of_corners, STRETCH)
from udp_infer_ros.detection.families.detr import fits_logits
from udp_infer_ros.detection.families.end2end import fits_six_columns, has_score_and_class
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def fits_rtdetr(probe: ProbeResult) -> bool:
    """Return whether there are labels, boxes and scores."""
    return probe.has_outputs(labels=(1, 'n'), boxes=(1, 'n', 4), scores=(1, 'n'))


def is_rtdetr(probe: ProbeResult) -> bool:
    """Return whether the size of the image is an input."""
    return 'orig_target_sizes' in probe.inputs


def decode_rtdetr(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode labels (1, n), boxes (1, n, 4) as corners, scores (1, n).

    The boxes are in the unit of the input `orig_target_sizes`, which is set to the size of the
    network's input.

    Source: lyuwenyu/RT-DETR `export_onnx.py`; D-FINE and DEIM export the same.
    """
    return select(outputs['boxes'][0], outputs['scores'][0], outputs['labels'][0], min_score)


def names_rtdetr_head(probe: ProbeResult) -> bool:
    """Return whether the metadata names the RT-DETR head, as Ultralytics writes it from 8.4."""
    return probe.metadata.get('head') == 'RTDETRDecoder'


def is_ultralytics_rtdetr(probe: ProbeResult) -> bool:
    """Return whether a list of boxes is in fractions, or the head is named."""
    return probe.box_list is not None and has_score_and_class(probe.box_list) and (
        names_rtdetr_head(probe) or are_center_fractions(probe.box_list[:, :4]))


def are_center_fractions(boxes: NDArray[Any]) -> bool:
    """Return whether boxes (n, 4) are centers and sizes as fractions of the image."""
    return are_fractions(boxes) and (share_of_corners(boxes) or 0.0) < 1.0


def decode_ultralytics_rtdetr(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 6): center x, center y, width, height from 0 to 1, score, class.

    Source: ultralytics, `RTDETRDecoder.postprocess`.
    """
    table = first_table(outputs)
    boxes = corners_from_fractions(table[:, :4], size)
    return select(boxes, table[:, 4], table[:, 5], min_score)


def fits_ultralytics_rtdetr_scores(probe: ProbeResult) -> bool:
    """Return whether there is a table with boxes in rows."""
    return probe.has_boxes_in_rows(columns=5)


def is_ultralytics_rtdetr_scores(probe: ProbeResult) -> bool:
    """Return whether a list of boxes in fractions has a column for every class name."""
    boxes = probe.box_list
    return (
        boxes is not None and not names_rtdetr_head(probe) and not has_score_and_class(boxes)
        and probe.class_count == boxes.shape[1] - 4 and are_center_fractions(boxes[:, :4])
        and are_scores(boxes[:, 4:]))


def decode_ultralytics_rtdetr_scores(
    outputs: Outputs, min_score: float, size: InputSize,
) -> Candidates:
    """
    Decode (1, n, 4 + classes): center x, center y, width, height from 0 to 1, class scores.

    Source: ultralytics before 8.4, `RTDETRDecoder.forward`.
    """
    table = first_table(outputs)
    boxes = corners_from_fractions(table[:, :4], size)
    return select(boxes, table[:, 4:].max(axis=1), table[:, 4:].argmax(axis=1), min_score)


def is_hf_rtdetr(probe: ProbeResult) -> bool:
    """Return whether there is a logit for every class name, and no mask."""
    return 'pixel_mask' not in probe.inputs and (
        probe.class_count in (None, probe.outputs['logits'].shape[-1]))


def decode_hf_rtdetr(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode pred_boxes (1, n, 4), center and size from 0 to 1, and logits (1, n, classes).

    Source: huggingface/transformers, `RTDetrImageProcessor.post_process_object_detection`.
    """
    return select_pairs(outputs['pred_boxes'][0], outputs['logits'][0], min_score, size)


RTDETR = Family(
    name='rtdetr', models='RT-DETR, RT-DETRv2, D-FINE, DEIM',
    layout='labels (1, n), boxes (1, n, 4), scores (1, n)',
    recognized_by='an input orig_target_sizes',
    fits=fits_rtdetr, matches=is_rtdetr, decode=decode_rtdetr, preprocessing=STRETCH,
    source='lyuwenyu/RT-DETR, Peterande/D-FINE')
ULTRALYTICS_RTDETR = Family(
    name='ultralytics_rtdetr', models='RT-DETR from Ultralytics 8.4',
    layout='(1, n, 6), fractions of the image',
    recognized_by='the head in the metadata, or the shape and boxes from 0 to 1',
    fits=fits_six_columns, matches=is_ultralytics_rtdetr, decode=decode_ultralytics_rtdetr,
    preprocessing=STRETCH,
    source='ultralytics')
ULTRALYTICS_RTDETR_SCORES = Family(
    name='ultralytics_rtdetr_scores', models='RT-DETR from older Ultralytics',
    layout='(1, n, 4 + classes), fractions of the image',
    recognized_by='the shape, the number of class names and boxes from 0 to 1',
    fits=fits_ultralytics_rtdetr_scores, matches=is_ultralytics_rtdetr_scores,
    decode=decode_ultralytics_rtdetr_scores,
    preprocessing=STRETCH, source='ultralytics', count_classes=columns_besides(4))
HF_RTDETR = Family(
    name='hf_rtdetr', models='RT-DETR, D-FINE from Hugging Face',
    layout='logits (1, n, classes), pred_boxes (1, n, 4)',
    recognized_by='the names, and as many logits as class names',
    fits=fits_logits, matches=is_hf_rtdetr, decode=decode_hf_rtdetr, preprocessing=STRETCH,
    source='huggingface/transformers',
    count_classes=lambda probe: probe.outputs['logits'].shape[-1])
