# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Non-maximum suppression equals the greedy algorithm of textbooks."""

import numpy as np
import pytest
from udp_infer_ros.detection.nms import non_max_suppression


def textbook(xyxy, scores, class_ids, iou, class_agnostic):
    """Suppress greedily, one pair at a time."""
    def overlap(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        shared = max(width, 0) * max(height, 0)
        area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
        return shared / (area - shared)
    kept = []
    for i in np.argsort(-scores, kind='stable'):
        rivals = [j for j in kept if class_agnostic or class_ids[i] == class_ids[j]]
        if all(overlap(xyxy[i], xyxy[j]) <= iou for j in rivals):
            kept.append(int(i))
    return kept


@pytest.mark.parametrize('class_agnostic', [False, True])
@pytest.mark.parametrize('iou', [0.0, 0.3, 0.45, 0.7, 1.0])
def test_the_same_boxes_are_kept_as_by_the_greedy_algorithm(iou, class_agnostic):
    random = np.random.default_rng(11)
    for count in (0, 1, 2, 50, 200):
        corners = random.uniform(-50, 600, (count, 2))
        xyxy = np.hstack((corners, corners + random.uniform(5, 200, (count, 2))))
        scores = random.permutation(np.linspace(0.1, 0.99, count))
        class_ids = random.integers(0, 4, count)
        kept = non_max_suppression(
            xyxy.astype(np.float32), scores, class_ids, iou=iou, class_agnostic=class_agnostic)
        assert kept.tolist() == textbook(
            xyxy.astype(np.float32), scores, class_ids, iou, class_agnostic)


def test_boxes_of_a_thousand_classes_do_not_suppress_each_other():
    xyxy = np.tile(np.array([[10, 10, 50, 50]], dtype=np.float32), (1000, 1))
    kept = non_max_suppression(
        xyxy, np.linspace(0.9, 0.5, 1000), np.arange(1000), iou=0.1, class_agnostic=False)
    assert len(kept) == 1000
