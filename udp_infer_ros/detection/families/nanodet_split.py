# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""NanoDet before NanoDet-Plus: class scores and distances of each stride are two outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.families.base import are_scores, cell_counts, Family, ProbeResult
from udp_infer_ros.detection.families.nanodet import BINS, decode_cells
from udp_infer_ros.detection.types import (
    Candidates, IMAGENET_MEAN, IMAGENET_STD, InputSize, Outputs, Preprocessing)

STRIDES = (8, 16, 32)
CELL_CENTER = 0.5

Pair = tuple[NDArray[Any], NDArray[Any]]


def fits_nanodet_split(probe: ProbeResult) -> bool:
    """Return whether there are scores and distances for each stride, and nothing else."""
    pairs = _pairs(probe.outputs, probe.size)
    return len(pairs) == len(STRIDES) and len({scores.shape[1] for scores, _ in pairs}) == 1


def is_nanodet_split(probe: ProbeResult) -> bool:
    """Return whether the class scores are from 0 to 1, and as many as there are names."""
    pairs = _pairs(probe.outputs, probe.size)
    return all(are_scores(scores) for scores, _ in pairs) and (
        probe.class_count in (None, _count_classes(probe)))


def decode_nanodet_split(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode, for each stride, class scores (1, n, classes) and distances (1, n, 4 * 8).

    Source: RangiLyu/nanodet, `GFLHead` and `NanoDetHead.forward_single` for ONNX. Distances are
    measured from the center of a cell; those of NanoDet-Plus, from its corner.
    """
    pairs = _pairs(outputs, size)
    return decode_cells(
        np.concatenate([scores for scores, _ in pairs]).astype(np.float32, copy=False),
        np.concatenate([logits for _, logits in pairs]).astype(np.float32, copy=False),
        min_score, size=size, strides=STRIDES, offset=CELL_CENTER)


def _pairs(outputs: Outputs, size: InputSize) -> list[Pair]:
    """
    Return the class scores and the distances of each stride, finest first.

    Exporters write the outputs in different orders, so the shapes identify them.

    :return: empty if an output is missing or has no place. With 32 classes, scores and distances
        have the same shape, so there is no result either.
    """
    by_shape = {
        output.shape[1:]: output[0] for output in outputs.values()
        if output.ndim == 3 and len(output) == 1}
    if len(outputs) != 2 * len(STRIDES) or len(by_shape) != len(outputs):
        return []
    pairs = []
    for count in cell_counts(size, STRIDES):
        scores = [
            table for (rows, columns), table in by_shape.items()
            if rows == count and 0 < columns != 4 * BINS]
        logits = by_shape.get((count, 4 * BINS))
        if len(scores) != 1 or logits is None:
            return []
        pairs.append((scores[0], logits))
    return pairs


def _count_classes(probe: ProbeResult) -> int | None:
    return int(_pairs(probe.outputs, probe.size)[0][0].shape[1])


NANODET_SPLIT = Family(
    name='nanodet_split', models='NanoDet before Plus, e.g. of opencv_zoo',
    layout='for each of three strides (1, n, classes) and (1, n, 32)',
    recognized_by='scores and distances for every cell of each stride',
    fits=fits_nanodet_split, matches=is_nanodet_split, decode=decode_nanodet_split,
    preprocessing=Preprocessing(
        resize='letterbox', color='bgr', mean=IMAGENET_MEAN[::-1], std=IMAGENET_STD[::-1], pad=0),
    source='RangiLyu/nanodet',
    needs_nms=True, count_classes=_count_classes)
