# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detectors of torchvision."""

from __future__ import annotations

from udp_infer_ros.detection.families.base import Family, LETTERBOX, ProbeResult, select
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def fits_torchvision(probe: ProbeResult) -> bool:
    """Return whether boxes, labels and scores have no batch."""
    return probe.has_outputs(boxes=('n', 4), labels=('n',), scores=('n',))


def is_torchvision(probe: ProbeResult) -> bool:
    """Return whether the image is the only input."""
    return len(probe.inputs) == 1


def decode_torchvision(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode boxes (n, 4) as corners, labels (n,), scores (n,).

    Source: pytorch/vision, `torchvision.models.detection` (class 0 is the background).
    """
    return select(outputs['boxes'], outputs['scores'], outputs['labels'], min_score)


TORCHVISION = Family(
    name='torchvision', models='torchvision SSD, RetinaNet, Faster R-CNN',
    layout='boxes (n, 4), labels (n), scores (n)',
    recognized_by='the names, boxes without a batch',
    fits=fits_torchvision, matches=is_torchvision, decode=decode_torchvision,
    preprocessing=LETTERBOX,
    source='pytorch/vision')
