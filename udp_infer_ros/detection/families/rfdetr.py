# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""RF-DETR."""

from __future__ import annotations

from udp_infer_ros.detection.families.base import (
    Family, ProbeResult, select_pairs, STRETCH_IMAGENET)
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def fits_rfdetr(probe: ProbeResult) -> bool:
    """Return whether there are boxes of four numbers named dets, and labels as logits."""
    return probe.has_outputs(dets=(1, 'n', 4), labels=(1, 'n', 'c'))


def decode_rfdetr(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode dets (1, n, 4), center and size from 0 to 1, and labels (1, n, classes) as logits.

    The best pairs of query and class are detections, so a query may have two classes.

    Source: roboflow/rf-detr, `export/_onnx/inference.py`.
    """
    return select_pairs(outputs['dets'][0], outputs['labels'][0], min_score, size)


RFDETR = Family(
    name='rfdetr', models='RF-DETR',
    layout='dets (1, n, 4), labels (1, n, classes)',
    recognized_by='the names dets and labels, boxes of four numbers',
    fits=fits_rfdetr, decode=decode_rfdetr, preprocessing=STRETCH_IMAGENET,
    source='roboflow/rf-detr', count_classes=lambda probe: probe.outputs['labels'].shape[-1],
    has_background=True)
