# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Data association: overlap of boxes, and optimal one-to-one assignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.tracking.assignment import assign

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows of two tables of boxes."""

    a: Index
    """(k,) rows of the first table, ascending."""
    b: Index
    """(k,) rows of the second table."""
    gain: Floats
    """(k,) overlap of the pair, 0 to 1, perhaps multiplied by a score."""

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, keep: NDArray[np.bool_]) -> Pairs:
        return Pairs(self.a[keep], self.b[keep], self.gain[keep])


def iou(a: Floats, b: Floats) -> Floats:
    """
    Return the intersection over union of boxes.

    :param a: (..., 4) center x, center y, width, height, px; sides above 0.
    :param b: (..., 4) in the same layout; the shapes are broadcast.
    :return: (...) from 0 to 1.
    """
    a_half, b_half = a[..., 2:] / 2.0, b[..., 2:] / 2.0
    extent = np.minimum(a[..., :2] + a_half, b[..., :2] + b_half)
    extent -= np.maximum(a[..., :2] - a_half, b[..., :2] - b_half)
    np.maximum(extent, 0.0, out=extent)
    intersection = extent[..., 0] * extent[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - intersection
    # Rounding can make the intersection of very thin boxes larger than their areas.
    ratio: Floats = np.minimum(
        intersection / np.maximum(union, np.finfo(np.float64).tiny), 1.0)
    return ratio


def overlapping(a: Floats, a_class: Index, b: Floats, b_class: Index) -> Pairs:
    """
    Return the pairs of boxes of one class that overlap, with their IoU.

    Only boxes that overlap along x are compared (sweep and prune, Cohen et al., "I-COLLIDE",
    I3D 1995), because few of all pairs do.

    :param a: (n, 4) center x, center y, width, height, px; sides above 0.
    :param a_class: (n,) class index.
    :param b: (m, 4) in the same layout.
    :param b_class: (m,) class index.
    """
    if not len(a) or not len(b):
        return Pairs(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), np.empty(0))
    a_half, b_half = a[:, 2] / 2.0, b[:, 2] / 2.0
    left, right = b[:, 0] - b_half, b[:, 0] + b_half
    order = left.argsort()
    # In this order, all boxes before `begin` end, and all from `end` on begin, beside the box.
    begin = np.maximum.accumulate(right[order]).searchsorted(a[:, 0] - a_half, side='right')
    end = left[order].searchsorted(a[:, 0] + a_half)
    count = np.maximum(end - begin, 0)
    row = np.arange(len(a)).repeat(count)
    column = order[np.arange(len(row)) + (begin - count.cumsum() + count).repeat(count)]
    same = a_class[row] == b_class[column]
    row, column = row[same], column[same]
    found = Pairs(row, column, iou(a[row], b[column]))
    return found[found.gain > 0.0]


def best_pairs(possible: Pairs) -> Pairs:
    """
    Select pairs so that each row occurs at most once, and the sum of the gains is largest.

    This minimizes the cost 1 - gain, where a pair that is not possible costs 1.
    """
    # Most pairs share no row with another one. They are assigned directly, with the same result,
    # because the time of `assign` is cubic.
    shared = (np.bincount(possible.a)[possible.a] > 1) | (np.bincount(possible.b)[possible.b] > 1)
    if not shared.any():
        return possible
    rival = np.flatnonzero(shared)
    a, row = np.unique(possible.a[rival], return_inverse=True)
    b, column = np.unique(possible.b[rival], return_inverse=True)
    gain = np.zeros((len(a), len(b)))
    gain[row, column] = possible.gain[rival]
    pair = np.full(gain.shape, -1)
    pair[row, column] = rival
    chosen = pair[assign(gain)]
    keep = ~shared
    keep[chosen[chosen >= 0]] = True
    return possible[keep]
