# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The motion model: prediction, correction and the table of tracks."""

from __future__ import annotations

import numpy as np
import pytest
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.tracking.motion import Tracks

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
COLUMNS = ('box', 'velocity', 'box_var', 'covariance', 'velocity_var')


def start(*boxes: tuple[float, float, float, float]) -> Tracks:
    """Start one track per box of center x, center y, width, height."""
    return Tracks.from_boxes(np.array(boxes), np.arange(len(boxes), dtype=np.intp), START)


def follow(boxes: list[tuple[float, float, float, float]], dt_s: float) -> Tracks:
    """Track one object through boxes at a constant interval."""
    tracks = start(boxes[0])
    for i, box in enumerate(boxes[1:], 1):
        tracks.predict(dt_s)
        tracks.correct(np.array([0]), np.array([box]), START + round(i * dt_s * SECOND))
    return tracks


def test_a_new_track_is_unconfirmed_and_does_not_move() -> None:
    tracks = start((100.0, 200.0, 60.0, 120.0), (300.0, 200.0, 60.0, 120.0))
    box = tracks.box.copy()
    tracks.predict(0.5)
    assert tracks.track_id.tolist() == [NO_TRACK] * 2
    assert not tracks.confirmed.any() and tracks.tracked.all()
    np.testing.assert_array_equal(tracks.box, box)


def test_a_steady_velocity_is_learned_and_extrapolated() -> None:
    tracks = follow([(100.0 + 6.0 * i, 200.0, 60.0, 120.0) for i in range(60)], 0.1)
    assert tracks.velocity[0, :2] == pytest.approx([60.0, 0.0], abs=1.0)
    last_x = tracks.box[0, 0]
    tracks.predict(2.0)
    assert tracks.box[0, 0] == pytest.approx(last_x + 120.0, abs=2.0)


def test_two_predictions_equal_one_over_the_whole_interval() -> None:
    boxes = [(100.0 + 6.0 * i, 200.0, 60.0, 120.0) for i in range(5)]
    once, twice = follow(boxes, 0.1), follow(boxes, 0.1)
    once.predict(0.75)
    twice.predict(0.25)
    twice.predict(0.5)
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(twice, name), getattr(once, name), rtol=1e-12)


def test_near_and_far_objects_are_filtered_alike() -> None:
    boxes = [(100.0 + 6.0 * i, 200.0, 60.0, 120.0) for i in range(5)]
    near = follow([(4 * x, 4 * y, 4 * w, 4 * h) for x, y, w, h in boxes], 0.1)
    far = follow(boxes, 0.1)
    np.testing.assert_allclose(near.box, 4 * far.box)
    np.testing.assert_allclose(near.velocity_var, 16 * far.velocity_var)


def test_a_correction_reduces_the_variance_and_ends_between_prediction_and_measurement() -> None:
    tracks = start((100.0, 200.0, 60.0, 120.0))
    tracks.predict(0.1)
    predicted, box_var = tracks.box.copy(), tracks.box_var.copy()
    measured = predicted + [10.0, -10.0, 4.0, -4.0]
    tracks.correct(np.array([0]), measured, START + SECOND // 10)
    gain = (tracks.box - predicted) / (measured - predicted)
    assert ((gain > 0.0) & (gain < 1.0)).all()
    assert (tracks.box_var < box_var).all()


def test_a_correction_counts_the_match_and_marks_the_other_tracks_as_lost() -> None:
    tracks = start((100.0, 200.0, 60.0, 120.0), (300.0, 200.0, 60.0, 120.0))
    other = tracks.box[0].copy()
    tracks.correct(np.array([1]), np.array([[310.0, 200.0, 60.0, 120.0]]), START + SECOND)
    assert tracks.hits.tolist() == [1, 2]
    assert tracks.matched_ns.tolist() == [START, START + SECOND]
    assert tracks.tracked.tolist() == [False, True]
    np.testing.assert_array_equal(tracks.box[0], other)


def test_the_size_of_a_lost_object_is_not_extrapolated() -> None:
    sides = [200.0 * 0.8 ** i for i in range(10)]  # 27 px at the end
    tracks = follow([(100.0, 100.0, side, side) for side in sides], 1 / 30)
    nothing = np.empty(0, dtype=np.intp)
    for i in range(1, 100):
        tracks.predict(1.0)
        tracks.correct(nothing, np.empty((0, 4)), START + i * SECOND)
        assert (tracks.box[:, 2:] > 10.0).all()


def test_variances_stay_positive_after_gaps_of_hours_and_of_a_nanosecond() -> None:
    tracks = start((100.0, 200.0, 60.0, 120.0))
    for dt_s in (0.0, 0.03, 5 * 3600.0, 1e-9, 0.0, 0.03, 200 * 3600.0, 1e-9, 0.03):
        tracks.predict(dt_s)
        tracks.correct(np.array([0]), np.array([[100.0, 200.0, 60.0, 120.0]]), START)
        assert all(np.isfinite(getattr(tracks, name)).all() for name in COLUMNS)
        assert (tracks.box_var > 0.0).all() and (tracks.velocity_var > 0.0).all()


def test_tracks_are_selected_and_joined_in_order() -> None:
    older = start((100.0, 0.0, 9.0, 9.0), (200.0, 0.0, 9.0, 9.0), (300.0, 0.0, 9.0, 9.0))
    joined = older.select(np.array([True, False, True])).joined(start((400.0, 0.0, 9.0, 9.0)))
    assert len(joined) == 3
    assert joined.box[:, 0].tolist() == [100.0, 300.0, 400.0]
    assert joined.class_id.tolist() == [0, 2, 0]
    assert len(Tracks.empty().joined(older)) == 3
