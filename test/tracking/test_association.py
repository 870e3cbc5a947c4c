# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Overlap and assignment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from udp_infer_ros.tracking.association import best_pairs, iou


def test_iou_is_the_shared_part_of_the_area_of_both_boxes() -> None:
    box = np.array([[100.0, 100.0, 60.0, 120.0]])
    others = np.array([
        [100.0, 100.0, 60.0, 120.0],  # the same
        [130.0, 100.0, 60.0, 120.0],  # half a width to the right: 1/2 of 3/2
        [100.0, 100.0, 30.0, 60.0],   # inside: a quarter
        [160.0, 100.0, 60.0, 120.0],  # adjacent
        [500.0, 500.0, 60.0, 120.0]])
    np.testing.assert_allclose(iou(box, others), [[1.0, 1 / 3, 0.25, 0.0, 0.0]])
    np.testing.assert_allclose(iou(others, box), iou(box, others).T)


def test_iou_of_extreme_boxes_is_from_0_to_1() -> None:
    boxes = np.array([[1e9, 0.0, 1e-6, 1e-6], [1e9, 0.0, 1e9, 1e-6], [0.0, 0.0, 2e9, 2e9]])
    overlap = iou(boxes, boxes)
    assert ((overlap >= 0.0) & (overlap <= 1.0)).all()


def test_no_boxes_have_no_overlap() -> None:
    assert iou(np.empty((0, 4)), np.ones((3, 4))).shape == (0, 3)


@pytest.mark.parametrize('seed', range(30))
def test_the_pairs_have_the_largest_sum_of_gains(seed: int) -> None:
    random = np.random.default_rng(seed)
    center = random.uniform(0, 400, (60, 2))
    boxes = np.hstack((center, random.uniform(30, 80, (60, 2))))
    overlap = iou(boxes[:25], boxes[25:])
    allowed = (overlap >= 0.2) & (random.random(overlap.shape) < 0.5)
    gain = overlap * random.uniform(0.4, 1.0, 35)
    i, j = best_pairs(gain, allowed)
    assert len(set(i.tolist())) == len(i) and len(set(j.tolist())) == len(j)
    assert len(i) and allowed[i, j].all()
    possible = np.where(allowed, gain, 0.0)
    best = possible[linear_sum_assignment(possible, maximize=True)].sum()
    assert gain[i, j].sum() == pytest.approx(best)


def test_a_pair_that_is_not_allowed_is_never_made() -> None:
    i, j = best_pairs(np.ones((3, 2)), np.zeros((3, 2), dtype=np.bool_))
    assert len(i) == len(j) == 0
