# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""DETR from Hugging Face."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    corners_from_fractions, Family, ProbeResult, select)
from udp_infer_ros.detection.types import (
    Candidates, IMAGENET_MEAN, IMAGENET_STD, InputSize, Outputs, Preprocessing)


def fits_logits(probe: ProbeResult) -> bool:
    """Return whether there are logits and boxes with the names of Hugging Face."""
    return probe.has_outputs(logits=(1, 'n', 'c'), pred_boxes=(1, 'n', 4)) and (
        probe.outputs['logits'].shape[-1] > 1)


def is_detr(probe: ProbeResult) -> bool:
    """Return whether there is one logit more than class names."""
    return probe.class_count in (None, probe.outputs['logits'].shape[-1] - 1)


def decode_detr(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode pred_boxes (1, n, 4), center and size from 0 to 1, and logits (1, n, classes + 1).

    Softmax; the last class is 'no object'.

    Source: huggingface/transformers, `DetrImageProcessor.post_process_object_detection`.
    """
    logits = outputs['logits'][0].astype(np.float32)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (weights / weights.sum(axis=1, keepdims=True))[:, :-1]
    boxes = corners_from_fractions(outputs['pred_boxes'][0].astype(np.float32), size)
    return select(boxes, scores.max(axis=1), scores.argmax(axis=1), min_score)


DETR = Family(
    name='detr', models='DETR from Hugging Face',
    layout='logits (1, n, classes + 1), pred_boxes (1, n, 4)',
    recognized_by='the names, and one logit more than class names',
    fits=fits_logits, matches=is_detr, decode=decode_detr,
    preprocessing=Preprocessing(resize='letterbox', mean=IMAGENET_MEAN, std=IMAGENET_STD),
    source='huggingface/transformers',
    count_classes=lambda probe: probe.outputs['logits'].shape[-1] - 1)
