# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""NanoDet-Plus."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    are_scores, columns_besides, Family, first_table, grid, ProbeResult, strides_of)
from udp_infer_ros.detection.types import (
    Candidates, Floats, IMAGENET_MEAN, IMAGENET_STD, InputSize, Outputs, Preprocessing)

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
    return decode_cells(
        table[:, :-4 * BINS], table[:, -4 * BINS:], min_score, size=size,
        strides=strides_of(len(table), size), offset=0.0)


def decode_cells(
    class_scores: Floats, logits: Floats, min_score: float, *, size: InputSize,
    strides: tuple[int, ...], offset: float,
) -> Candidates:
    """
    Decode the cells of a feature pyramid, finest level first.

    :param class_scores: (n, classes).
    :param logits: (n, 4 * 8), a distribution for the distance to each side, in strides.
    :param offset: from the corner of a cell to the point that distances are measured from, cells.
    """
    best = class_scores.max(axis=1)
    selected = np.flatnonzero(best >= min_score)
    cells, widths = grid(size, strides)
    sides = logits[selected].reshape(-1, 4, BINS)
    weights = np.exp(sides - sides.max(axis=2, keepdims=True))
    bins = np.arange(BINS, dtype=np.float32)
    distances = (weights @ bins) / weights.sum(axis=2) * widths[selected]
    point = (cells[selected] + np.float32(offset)) * widths[selected]
    return Candidates(
        np.hstack((point - distances[:, :2], point + distances[:, 2:])), best[selected],
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
