# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""YOLOv6 with batched NMS inside."""

from __future__ import annotations

from udp_infer_ros.detection.families.base import Family, LETTERBOX, ProbeResult, select
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def fits_batched_nms(probe: ProbeResult) -> bool:
    """Return whether the outputs have the names of TensorRT's batched NMS."""
    return probe.has_outputs(
        det_boxes=(1, 'n', 4), det_scores=(1, 'n'), det_classes=(1, 'n'))


def decode_batched_nms(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode det_boxes (1, n, 4) as corners, det_scores (1, n), det_classes (1, n), -1 if unused.

    Source: meituan/YOLOv6, `deploy/ONNX/export_onnx.py --end2end --ort`.
    """
    return select(
        outputs['det_boxes'][0], outputs['det_scores'][0], outputs['det_classes'][0], min_score)


BATCHED_NMS = Family(
    name='batched_nms', models='YOLOv6 with --end2end --ort',
    layout='num_dets, det_boxes (1, n, 4), det_scores, det_classes', recognized_by='the names',
    fits=fits_batched_nms, decode=decode_batched_nms, preprocessing=LETTERBOX,
    source='meituan/YOLOv6')
