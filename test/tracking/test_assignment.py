# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Optimal assignment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from udp_infer_ros.tracking.assignment import assign


@pytest.mark.parametrize('kind', ['different', 'equal', 'sparse', 'negative', 'all the same'])
def test_the_sum_of_the_gains_is_the_largest(kind: str) -> None:
    random = np.random.default_rng(3)
    for _ in range(300):
        shape = random.integers(1, 25, 2)
        gain = random.random(shape)
        if kind == 'equal':
            gain = np.round(gain * 2.0)
        elif kind == 'sparse':
            gain[random.random(shape) < 0.8] = 0.0
        elif kind == 'negative':
            gain -= 2.0
        elif kind == 'all the same':
            gain[:] = 0.3
        row, column = assign(gain)
        assert len(row) == len(set(row.tolist())) == len(set(column.tolist())) == min(shape)
        assert gain[row, column].sum() == pytest.approx(
            gain[linear_sum_assignment(gain, maximize=True)].sum())
