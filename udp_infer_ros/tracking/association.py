# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Data association: overlap of boxes, and optimal one-to-one assignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the intersection over union of every box of `a` with every box of `b`.

    :param a: (n, 4) center x, center y, width, height, px; sides above 0.
    :param b: (m, 4) in the same layout.
    :return: (n, m) from 0 to 1.
    """
    intersection = np.ones((len(a), len(b)))
    for axis in (0, 1):
        a_low, a_high = a[:, axis] - a[:, axis + 2] / 2.0, a[:, axis] + a[:, axis + 2] / 2.0
        b_low, b_high = b[:, axis] - b[:, axis + 2] / 2.0, b[:, axis] + b[:, axis + 2] / 2.0
        extent = np.minimum(a_high[:, np.newaxis], b_high)
        extent -= np.maximum(a_low[:, np.newaxis], b_low)
        intersection *= np.maximum(extent, 0.0, out=extent)
    union = (a[:, 2] * a[:, 3])[:, np.newaxis] + b[:, 2] * b[:, 3]
    union -= intersection
    # Rounding can make the intersection of very thin boxes larger than their areas.
    ratio: NDArray[np.float64] = np.minimum(
        intersection / np.maximum(union, np.finfo(np.float64).tiny), 1.0)
    return ratio


def best_pairs(
    gain: NDArray[np.float64], allowed: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Assign rows to columns so that the sum of the gains is largest.

    This minimizes the cost 1 - gain, where a pair that is not allowed costs 1.

    :param gain: (n, m) gain of each pair, 0 to 1.
    :param allowed: (n, m) which pairs are possible.
    :return: (k,) rows and (k,) columns of the pairs; each occurs at most once.
    """
    # Most allowed pairs share no row or column with another one. They are assigned directly, with
    # the same result, because the time of linear_sum_assignment is cubic.
    shared = (allowed.sum(axis=1)[:, np.newaxis] > 1) | (allowed.sum(axis=0) > 1)
    single_row, single_column = np.nonzero(allowed & ~shared)
    ambiguous = allowed & shared
    row, column = np.flatnonzero(ambiguous.any(axis=1)), np.flatnonzero(ambiguous.any(axis=0))
    if len(row):
        grid = np.ix_(row, column)
        i, j = linear_sum_assignment(np.where(ambiguous[grid], gain[grid], 0.0), maximize=True)
        valid = ambiguous[row[i], column[j]]
        row, column = row[i[valid]], column[j[valid]]
    return np.concatenate((single_row, row)), np.concatenate((single_column, column))
