# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detectors of the TensorFlow Object Detection API."""

from __future__ import annotations

from udp_infer_ros.detection.families.base import Family, input_scale, ProbeResult, select
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs, Preprocessing


def fits_tensorflow(probe: ProbeResult) -> bool:
    """Return whether the outputs have the names of the API."""
    return probe.has_outputs(
        detection_boxes=(1, 'n', 4), detection_scores=(1, 'n'), detection_classes=(1, 'n'))


def decode_tensorflow(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode detection_boxes (1, n, 4) as top, left, bottom, right from 0 to 1.

    The outputs detection_scores and detection_classes are (1, n).

    Source: TensorFlow Object Detection API, SSD and EfficientDet.
    """
    boxes = outputs['detection_boxes'][0][:, (1, 0, 3, 2)] * input_scale(size)
    return select(
        boxes, outputs['detection_scores'][0], outputs['detection_classes'][0], min_score)


TENSORFLOW = Family(
    name='tensorflow', models='TensorFlow SSD, EfficientDet with NMS inside',
    layout='detection_boxes (1, n, 4), detection_scores, detection_classes',
    recognized_by='the names',
    fits=fits_tensorflow, decode=decode_tensorflow,
    preprocessing=Preprocessing(resize='stretch', std=(1.0, 1.0, 1.0)),
    source='TensorFlow Object Detection API')
