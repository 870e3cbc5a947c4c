# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""NanoDet-Plus."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    are_scores, columns_besides, Family, first_table, grid, ProbeResult, strides_of)
from udp_infer_ros.detection.types import (
    Candidates, IMAGENET_MEAN, IMAGENET_STD, InputSize, Outputs, Preprocessing)

BINS = 8
"""`reg_max + 1`: the distance to each side of a box is a distribution over this many bins."""


def fits_nanodet(probe: ProbeResult) -> bool:
    """Return whether there is a row for every cell, with more columns than the distances."""
    table = probe.dense_table()
    return table is not None and table.shape[1] > 4 * BINS


def is_nanodet(probe: ProbeResult) -> bool:
    """Return whether there are cells of four strides, with class scores first."""
    table = first_table(probe.outputs)
    scores = table[:, :-4 * BINS]
    return len(strides_of(len(table), probe.size)) == 4 and are_scores(scores) and (
        probe.class_count in (None, scores.shape[1]))


def decode_nanodet(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, classes + 4 * 8): class scores, then a distribution for each side's distance.

    The distance is the mean of the distribution, in strides from the cell.

    Source: RangiLyu/nanodet, `NanoDetPlusHead` (generalized focal loss, Li et al. 2020).
    """
    table = first_table(outputs)
    class_scores = table[:, :-4 * BINS]
    best = class_scores.max(axis=1)
    selected = np.flatnonzero(best >= min_score)
    cells, strides = grid(size, strides_of(len(table), size))
    logits = table[selected, -4 * BINS:].reshape(-1, 4, BINS)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    bins = np.arange(BINS, dtype=np.float32)
    distances = (weights @ bins) / weights.sum(axis=2) * strides[selected]
    center = cells[selected] * strides[selected]
    return Candidates(
        np.hstack((center - distances[:, :2], center + distances[:, 2:])), best[selected],
        class_scores[selected].argmax(axis=1))


NANODET = Family(
    name='nanodet', models='NanoDet-Plus',
    layout='(1, n, classes + 32)',
    recognized_by='a row for every cell of four strides, scores first',
    fits=fits_nanodet, matches=is_nanodet, decode=decode_nanodet,
    preprocessing=Preprocessing(
        resize='stretch', color='bgr', mean=IMAGENET_MEAN[::-1], std=IMAGENET_STD[::-1]),
    source='RangiLyu/nanodet',
    needs_nms=True, count_classes=columns_besides(4 * BINS))
