# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detectors of OpenMMLab, exported by mmdeploy."""

from __future__ import annotations

from udp_infer_ros.detection.families.base import Family, ProbeResult, select
from udp_infer_ros.detection.types import (
    Candidates, IMAGENET_MEAN, IMAGENET_STD, InputSize, Outputs, Preprocessing)


def fits_mmdeploy(probe: ProbeResult) -> bool:
    """Return whether there are boxes of five numbers named dets, and labels."""
    return probe.has_outputs(dets=(1, 'n', 5), labels=(1, 'n'))


def decode_mmdeploy(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode dets (1, n, 5), corners and score, and labels (1, n).

    Source: open-mmlab/mmdeploy, detectors with NMS inside.
    """
    table = outputs['dets'][0]
    return select(table[:, :4], table[:, 4], outputs['labels'][0], min_score)


MMDEPLOY = Family(
    name='mmdeploy', models='mmdetection, mmyolo by mmdeploy',
    layout='dets (1, n, 5), labels (1, n)',
    recognized_by='the names dets and labels, boxes of five numbers',
    fits=fits_mmdeploy, decode=decode_mmdeploy,
    preprocessing=Preprocessing(resize='letterbox_top_left', mean=IMAGENET_MEAN, std=IMAGENET_STD),
    source='open-mmlab/mmdeploy')
