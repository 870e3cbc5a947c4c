# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Overlap and assignment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from udp_infer_ros.tracking.association import best_pairs, iou, overlapping, Pairs


def random_boxes(random: np.random.Generator, count: int, span: float) -> np.ndarray:
    """Return boxes of 30 to 80 px, whose centers are within a span, px."""
    return np.hstack((random.uniform(0, span, (count, 2)), random.uniform(30, 80, (count, 2))))


def test_iou_is_the_shared_part_of_the_area_of_both_boxes() -> None:
    box = np.array([100.0, 100.0, 60.0, 120.0])
    others = np.array([
        [100.0, 100.0, 60.0, 120.0],  # the same
        [130.0, 100.0, 60.0, 120.0],  # half a width to the right: 1/2 of 3/2
        [100.0, 100.0, 30.0, 60.0],   # inside: a quarter
        [160.0, 100.0, 60.0, 120.0],  # adjacent
        [500.0, 500.0, 60.0, 120.0]])
    np.testing.assert_allclose(iou(box, others), [1.0, 1 / 3, 0.25, 0.0, 0.0])
    np.testing.assert_allclose(iou(others, box), iou(box, others))


def test_iou_of_extreme_boxes_is_from_0_to_1() -> None:
    boxes = np.array([[1e9, 0.0, 1e-6, 1e-6], [1e9, 0.0, 1e9, 1e-6], [0.0, 0.0, 2e9, 2e9]])
    overlap = iou(boxes[:, np.newaxis], boxes)
    assert ((overlap >= 0.0) & (overlap <= 1.0)).all()


@pytest.mark.parametrize('seed', range(10))
@pytest.mark.parametrize('span', [100.0, 1000.0])
def test_every_pair_of_a_class_that_overlaps_is_found_once(seed: int, span: float) -> None:
    random = np.random.default_rng(seed)
    # Whole pixels: some boxes have the same edges, or only touch.
    a, b = (np.round(random_boxes(random, count, span)) for count in (40, 60))
    a[0] = (span / 2, span / 2, span, span)
    a_class, b_class = random.integers(0, 2, 40), random.integers(0, 2, 60)
    pairs = overlapping(a, a_class, b, b_class)
    found = np.zeros((40, 60))
    np.add.at(found, (pairs.a, pairs.b), pairs.gain)
    expected = np.where(
        a_class[:, np.newaxis] == b_class, iou(a[:, np.newaxis], b), 0.0)
    np.testing.assert_array_equal(found, expected)


def test_no_boxes_have_no_overlap() -> None:
    nothing, boxes = np.empty((0, 4)), np.ones((3, 4))
    no_class, classes = np.empty(0, dtype=np.intp), np.zeros(3, dtype=np.intp)
    assert len(overlapping(nothing, no_class, boxes, classes)) == 0
    assert len(overlapping(boxes, classes, nothing, no_class)) == 0


@pytest.mark.parametrize('seed', range(30))
def test_the_pairs_have_the_largest_sum_of_gains(seed: int) -> None:
    random = np.random.default_rng(seed)
    boxes = random_boxes(random, 60, 400.0)
    overlap = iou(boxes[:25, np.newaxis], boxes[25:])
    allowed = (overlap >= 0.2) & (random.random(overlap.shape) < 0.5)
    gain = overlap * random.uniform(0.4, 1.0, 35)
    best = best_pairs(Pairs(*np.nonzero(allowed), gain[allowed]))
    assert len(set(best.a.tolist())) == len(best) and len(set(best.b.tolist())) == len(best)
    assert len(best) and allowed[best.a, best.b].all()
    np.testing.assert_array_equal(best.gain, gain[best.a, best.b])
    possible = np.where(allowed, gain, 0.0)
    largest = possible[linear_sum_assignment(possible, maximize=True)].sum()
    assert best.gain.sum() == pytest.approx(largest)


def test_a_pair_that_is_not_possible_is_never_made() -> None:
    # The first two rows share the only column that is possible for them.
    possible = Pairs(np.array([0, 1, 3]), np.array([0, 0, 2]), np.array([0.5, 0.6, 0.0]))
    best = best_pairs(possible)
    assert best.a.tolist() == [1, 3] and best.b.tolist() == [0, 2]
