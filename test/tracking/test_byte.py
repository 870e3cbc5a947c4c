# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The contract of the tracker, line by line, in small worlds whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
import warnings

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
import pytest
from scipy.optimize import linear_sum_assignment
import supervision as sv
from udp_infer_ros import tracking
from udp_infer_ros.tracking import ByteTracker, NO_TRACK

SECOND = 1_000_000_000
FRAME = SECOND // 30
START = 1_700_000_000 * SECOND  # stamps of a ROS clock are large; 1 ns must not get lost in them


def detections(
    xyxy: ArrayLike, score: ArrayLike = 0.9, class_id: ArrayLike = 0,
    dtype: DTypeLike = np.float32,
) -> sv.Detections:
    """
    Build detections; also such as supervision itself would refuse to construct.

    :param xyxy: (n, 4) corners, px.
    :param score: one for all, or (n,).
    :param class_id: one for all, or (n,).
    """
    boxes = np.asarray(xyxy, dtype=dtype).reshape(-1, 4)
    found = sv.Detections(
        xyxy=np.zeros_like(boxes),
        confidence=np.broadcast_to(np.asarray(score, dtype=dtype), len(boxes)).copy(),
        class_id=np.broadcast_to(np.asarray(class_id), len(boxes)).copy())
    found.xyxy[:] = boxes
    return found


def at(x: float, y: float = 100.0, w: float = 60.0, h: float = 120.0) -> list[float]:
    """Return the corners of a box around a centre."""
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def ids_of(tracker: ByteTracker, frames: Iterable[sv.Detections]) -> list[list[int]]:
    """Feed frames at 30 fps and return the answers."""
    return [
        tracker.update(frame, START + i * FRAME).tolist() for i, frame in enumerate(frames)]


def still(count: int, x: float = 100.0, score: float = 0.9) -> list[sv.Detections]:
    """Return frames of one object that does not move."""
    return [detections([at(x)], score) for _ in range(count)]


EMPTY = sv.Detections.empty()


class World:
    """Objects at constant speed with seeded noise, sampled at any time."""

    def __init__(self, n: int, seed: int, *, speed: float, columns: int) -> None:
        draw = np.random.default_rng(seed)
        self._draw = draw
        cell = np.array([160.0, 200.0])
        index = np.arange(n)
        self._start = np.stack((index % columns, index // columns), axis=1) * cell + cell
        self._speed = draw.uniform(-speed, speed, (n, 2))
        self._side = draw.uniform(50.0, 90.0, (n, 2))

    def look(self, t_s: float, miss: float = 0.0) -> tuple[NDArray[np.intp], sv.Detections]:
        """
        Return which objects are seen, in random order, and their detections.

        :param t_s: time since the start of the world, s.
        :param miss: share of the objects that go unseen.
        """
        centre = self._start + self._speed * t_s
        boxes = np.hstack((centre - self._side / 2, centre + self._side / 2))
        boxes += self._draw.normal(0.0, 0.7, boxes.shape)
        seen = np.flatnonzero(self._draw.random(len(boxes)) >= miss)
        self._draw.shuffle(seen)
        return seen, detections(boxes[seen], self._draw.uniform(0.5, 0.95, len(seen)))


def follow(world: World, times_s: Iterable[float], miss: float = 0.0) -> list[set[int]]:
    """Track a world and return the ids that each object was given."""
    tracker, ids = ByteTracker(), dict[int, set[int]]()
    for t_s in times_s:
        seen, found = world.look(t_s, miss)
        answer = tracker.update(found, START + round(t_s * SECOND))
        for thing, track in zip(seen.tolist(), answer.tolist()):
            ids.setdefault(thing, set()).update({track} - {NO_TRACK})
    return [ids[thing] for thing in sorted(ids)]


# Rows in, answers out


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_every_row_gets_one_answer_in_its_place(dtype: DTypeLike) -> None:
    tracker = ByteTracker()
    boxes = [at(100), at(300), at(500)]
    first = tracker.update(detections(boxes, dtype=dtype), START)
    turned = tracker.update(detections(boxes[::-1], dtype=dtype), START + FRAME)
    assert first.tolist() == [1, 2, 3]
    assert turned.tolist() == [3, 2, 1]
    assert first.dtype == np.int64


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_a_frame_without_rows_is_answered_without_rows(dtype: DTypeLike) -> None:
    tracker = ByteTracker()
    zero_rows = sv.Detections(
        xyxy=np.empty((0, 4), dtype=dtype), confidence=np.empty(0, dtype=dtype),
        class_id=np.empty(0, dtype=int))
    for frame in (EMPTY, zero_rows, sv.Detections(xyxy=np.empty((0, 4)))):
        answer = tracker.update(frame, START)
        assert answer.shape == (0,) and answer.dtype == np.int64


def test_the_detections_are_not_modified() -> None:
    tracker = ByteTracker()
    for i in range(4):
        frame = detections([at(100 + i), at(300), at(5, w=0)], [0.9, 0.2, 0.9])
        before = deepcopy(frame)
        tracker.update(frame, START + i * FRAME)
        np.testing.assert_array_equal(frame.xyxy, before.xyxy)
        np.testing.assert_array_equal(frame.confidence, before.confidence)
        np.testing.assert_array_equal(frame.class_id, before.class_id)
        assert frame.tracker_id is None


def test_an_answer_does_not_change_afterwards() -> None:
    tracker = ByteTracker()
    answer = tracker.update(still(1)[0], START)
    ids_of(tracker, [EMPTY, *still(3)])
    assert answer.tolist() == [1]


@pytest.mark.parametrize('missing', ['confidence', 'class_id'])
def test_rows_without_scores_or_classes_are_refused_and_nothing_changes(missing: str) -> None:
    tracker = ByteTracker()
    tracker.update(still(1)[0], START)
    frame = still(1)[0]
    setattr(frame, missing, None)
    with pytest.raises(ValueError, match=rf'^detections\.{missing} = None: .* one per row; take'):
        tracker.update(frame, START + 10 * SECOND)
    assert tracker.update(still(1)[0], START + FRAME).tolist() == [1]


# Ids


def test_ids_start_at_one_and_have_no_gaps_although_candidates_die() -> None:
    flicker = [detections([at(100), at(400 + 200 * i)]) for i in range(10)]
    answers = ids_of(ByteTracker(), [*still(1), *flicker, *([detections([at(100), at(300)])] * 3)])
    assert answers[0] == [1]
    assert all(answer == [1, NO_TRACK] for answer in answers[1:12])
    assert answers[-1] == [1, 2]


def test_ids_belong_to_one_instance() -> None:
    one, other = ByteTracker(), ByteTracker()
    assert one.update(detections([at(100), at(300)]), START).tolist() == [1, 2]
    assert other.update(still(1)[0], START).tolist() == [1]
    one.reset()
    assert other.update(still(1)[0], START + FRAME).tolist() == [1]
    assert other.active_count == 1 and one.active_count == 0


def test_ids_are_never_used_twice_not_even_after_reset() -> None:
    tracker = ByteTracker()
    assert ids_of(tracker, still(2)) == [[1], [1]]
    tracker.reset()
    assert ids_of(tracker, still(2)) == [[2], [2]]


def test_a_track_keeps_its_class() -> None:
    tracker = ByteTracker()
    tracker.update(detections([at(100)], class_id=0), START)
    other = [
        tracker.update(detections([at(100)], class_id=7), START + i * FRAME).tolist()
        for i in (1, 2)]
    again = tracker.update(detections([at(100)], class_id=0), START + 3 * FRAME)
    assert other == [[NO_TRACK], [2]]
    assert again.tolist() == [1]


def test_a_poor_box_of_another_class_does_not_keep_a_track_alive() -> None:
    frames = [detections([at(100)], class_id=0), detections([at(100)], 0.2, class_id=1)]
    assert ids_of(ByteTracker(), frames)[1] == [NO_TRACK]


# Confirmation


def test_the_first_frame_is_confirmed_at_once() -> None:
    tracker = ByteTracker(min_hits=5)
    assert ids_of(tracker, still(1)) == [[1]]
    tracker.reset()
    assert ids_of(tracker, still(1)) == [[2]]


def test_an_empty_first_frame_is_a_first_frame() -> None:
    assert ids_of(ByteTracker(), [EMPTY, *still(2)])[1:] == [[NO_TRACK], [1]]


@pytest.mark.parametrize('min_hits', [1, 2, 3, 5])
def test_a_later_track_is_confirmed_at_its_nth_consecutive_hit(min_hits: int) -> None:
    answers = ids_of(ByteTracker(min_hits=min_hits), [EMPTY, *still(6)])
    assert answers[1:] == [[NO_TRACK]] * (min_hits - 1) + [[1]] * (7 - min_hits)


def test_an_unconfirmed_track_that_misses_a_frame_begins_anew() -> None:
    tracker = ByteTracker(min_hits=3)
    answers = ids_of(tracker, [EMPTY, *still(2), EMPTY, *still(3)])
    assert answers[4:] == [[NO_TRACK], [NO_TRACK], [1]]


def test_a_poor_box_does_not_confirm_a_track() -> None:
    frames = [EMPTY, *still(1), *still(1, score=0.3), *still(2)]
    assert ids_of(ByteTracker(), frames)[1:] == [[NO_TRACK], [NO_TRACK], [NO_TRACK], [1]]


def test_only_confirmed_tracks_count_as_active() -> None:
    tracker = ByteTracker()
    ids_of(tracker, [EMPTY, *still(1)])
    assert tracker.active_count == 0
    tracker.update(still(1)[0], START + 2 * FRAME)
    assert tracker.active_count == 1
    tracker.update(EMPTY, START + 3 * FRAME)
    assert tracker.active_count == 1


# Scores


def test_rows_below_the_low_threshold_are_ignored() -> None:
    assert ids_of(ByteTracker(), [*still(1), *still(1, score=0.09)]) == [[1], [NO_TRACK]]


def test_a_dip_of_the_score_keeps_the_id() -> None:
    scores = [0.9, 0.9, 0.35, 0.2, 0.12, 0.3, 0.9]
    frames = [detections([at(100 + 4 * i)], score) for i, score in enumerate(scores)]
    assert ids_of(ByteTracker(), frames) == [[1]] * len(scores)


def test_a_poor_box_never_starts_a_track_even_if_the_threshold_for_new_ones_is_lower() -> None:
    tracker = ByteTracker(new_threshold=0.0)
    assert ids_of(tracker, still(5, score=0.39)) == [[NO_TRACK]] * 5


def test_a_poor_box_does_not_find_a_track_that_was_lost_before() -> None:
    answers = ids_of(ByteTracker(), [*still(3), EMPTY, *still(1, score=0.3), *still(1)])
    assert answers[-2:] == [[NO_TRACK], [1]]


def test_a_poor_box_needs_half_overlap() -> None:
    for shift, expected in ((15, 1), (25, NO_TRACK)):  # IoU 0.6 and 0.41 of boxes 60 wide
        frames = [*still(3), detections([at(100 + shift)], 0.3)]
        assert ids_of(ByteTracker(), frames)[-1] == [expected]


def test_a_good_box_is_preferred_to_a_poor_one_in_a_better_place() -> None:
    frames = [*still(3), detections([at(100), at(110)], [0.3, 0.9])]
    assert ids_of(ByteTracker(), frames)[-1] == [NO_TRACK, 1]


def test_of_two_good_boxes_the_one_of_larger_iou_times_score_is_taken() -> None:
    frames = [*still(3), detections([at(105), at(103)], [0.95, 0.5])]
    assert ids_of(ByteTracker(), frames)[-1] == [1, NO_TRACK]


def test_a_new_track_needs_the_score_for_new_ones() -> None:
    tracker = ByteTracker(new_threshold=0.7, min_hits=1)
    frames = [EMPTY, *still(2, score=0.6), *still(1, score=0.7), *still(1, score=0.6)]
    assert ids_of(tracker, frames)[1:] == [[NO_TRACK], [NO_TRACK], [1], [1]]


def test_a_score_is_compared_in_its_own_precision() -> None:
    assert float(np.float32(0.7)) < 0.7
    tracker = ByteTracker(high_threshold=0.7, new_threshold=0.7)
    assert tracker.update(detections([at(100)], 0.7), START).tolist() == [1]


# Overlap


def test_a_good_box_is_matched_from_the_given_iou_on_whatever_its_score() -> None:
    # Boxes 60 wide, 36 px apart: 24 / 96 = 0.25.
    for gate, expected in ((0.24, 1), (0.26, NO_TRACK)):
        tracker = ByteTracker(match_iou=gate)
        assert ids_of(tracker, [*still(1), detections([at(136)], 0.45)])[-1] == [expected]


def test_boxes_that_do_not_touch_are_never_matched() -> None:
    tracker = ByteTracker(match_iou=0.0)
    assert ids_of(tracker, [*still(1), *still(1, x=500.0)])[-1] == [NO_TRACK]


def test_settling_the_easy_pairs_first_gives_the_answer_of_the_whole_problem() -> None:
    draw = np.random.default_rng(7)
    for _ in range(30):
        centre = draw.uniform(0, 400, (60, 2))
        box = np.hstack((centre, draw.uniform(30, 80, (60, 2))))
        class_id = draw.integers(0, 2, 60)
        tracks = tracking._Tracks.started(box[:25], class_id[:25], START)
        rows = tracking._Rows(box[25:], class_id[25:], draw.uniform(0.4, 1, 35), np.ones(35, bool))
        iou = tracking._iou(tracks.box, rows.box)
        gain = np.where(
            (iou >= 0.2) & (tracks.class_id[:, None] == rows.class_id), iou * rows.score, 0.0)
        i, j = tracking._best_pairs(
            tracks, np.arange(25), rows, np.arange(35), 0.2, fuse=True)
        assert len(set(i.tolist())) == len(i) and len(set(j.tolist())) == len(j)
        assert (gain[i, j] > 0.0).all()
        best = gain[linear_sum_assignment(gain, maximize=True)].sum()
        assert gain[i, j].sum() == pytest.approx(best)


# Bad rows


BAD_BOXES: list[list[float]] = [
    [np.nan, 0, 10, 10], [0, 0, np.inf, 10], [-np.inf, 0, 10, 10], [10, 10, 10, 20],
    [10, 10, 20, 10], [20, 10, 10, 20], [0, 0, 0, 0], [-3e38, 0, 3e38, 10],
]


def test_rows_without_a_finite_box_of_some_area_get_no_track_and_disturb_nothing() -> None:
    tracker = ByteTracker()
    for i in range(5):
        frame = detections([*BAD_BOXES[:4], at(100 + 3 * i), *BAD_BOXES[4:]])
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            answer = tracker.update(frame, START + i * FRAME)
        assert answer.tolist() == [NO_TRACK] * 4 + [1] + [NO_TRACK] * 4


def test_rows_without_a_finite_score_get_no_track_and_disturb_nothing() -> None:
    frame = detections([at(100), at(102), at(104)], [np.nan, 0.9, np.inf])
    assert ids_of(ByteTracker(), [frame] * 3) == [[NO_TRACK, 1, NO_TRACK]] * 3


# Time


def test_a_track_lives_as_long_as_it_was_not_lost_for_more_than_lost_s() -> None:
    for gap_ns, expected in ((300_000_000, 1), (300_000_001, NO_TRACK)):
        tracker = ByteTracker(lost_s=0.3)
        tracker.update(still(1)[0], START)
        assert tracker.update(still(1)[0], START + gap_ns).tolist() == [expected]


@pytest.mark.parametrize('frames_between', [0, 1, 7, 200])
def test_the_number_of_frames_in_between_does_not_matter(frames_between: int) -> None:
    for gap_s, expected in ((0.9, 1), (1.1, NO_TRACK)):
        tracker = ByteTracker()
        tracker.update(still(1)[0], START)
        for i in range(frames_between):
            tracker.update(EMPTY, START + int(gap_s * SECOND * (i + 1) / (frames_between + 1)))
        last = START + int(gap_s * SECOND)
        assert tracker.update(still(1)[0], last).tolist() == [expected]


def test_empty_frames_age_tracks() -> None:
    tracker = ByteTracker(lost_s=0.5)
    tracker.update(detections([at(100), at(300)]), START)
    alive = []
    for ms in (100, 500, 501):
        tracker.update(EMPTY, START + ms * 1_000_000)
        alive.append(tracker.active_count)
    assert alive == [2, 2, 0]


def test_after_a_gap_longer_than_lost_s_all_tracks_are_gone() -> None:
    tracker = ByteTracker()
    boxes = [at(100), at(300), at(500)]
    tracker.update(detections(boxes), START)
    gone = tracker.update(detections(boxes), START + 2 * SECOND)
    back = tracker.update(detections(boxes), START + 2 * SECOND + FRAME)
    assert gone.tolist() == [NO_TRACK] * 3
    assert back.tolist() == [4, 5, 6]


@pytest.mark.parametrize('seconds_hidden, kept', [(0.7, True), (1.4, False)])
def test_a_moving_object_keeps_its_id_behind_a_short_occlusion_only(
    seconds_hidden: float, kept: bool,
) -> None:
    draw = np.random.default_rng(3)
    tracker, ids = ByteTracker(), []
    for i in range(120):
        hidden = 60 <= i < 60 + 30 * seconds_hidden
        box = np.array(at(100 + 5.0 * i)) + draw.normal(0, 0.7, 4)  # 150 px/s, 2.5 sides/s
        answer = tracker.update(EMPTY if hidden else detections([box]), START + i * FRAME)
        ids += answer.tolist()
    assert ids[0] == 1
    assert ids[-1] == (1 if kept else 2)


def test_a_track_is_looked_for_where_its_speed_and_the_true_interval_put_it() -> None:
    tracker = ByteTracker()
    for i in range(30):
        tracker.update(detections([at(100 + 6.0 * i)]), START + i * FRAME)
    # 0.5 s without a frame: 90 px further, one and a half sides away.
    later = START + 29 * FRAME + SECOND // 2
    assert tracker.update(detections([at(100 + 6.0 * 44)]), later).tolist() == [1]


@pytest.mark.parametrize('rate', ['30 fps', '10 fps', 'irregular'])
def test_the_same_world_keeps_its_ids_at_any_frame_rate(rate: str) -> None:
    times = {
        '30 fps': np.arange(120) / 30, '10 fps': np.arange(40) / 10,
        'irregular': np.cumsum(np.random.default_rng(1).uniform(0.005, 0.25, 32)),
    }[rate]
    ids = follow(World(12, seed=5, speed=18.0, columns=4), times, miss=0.03)
    assert [len(own) for own in ids] == [1] * 12
    assert len(set.union(*ids)) == 12


def test_equal_stamps_break_nothing() -> None:
    tracker = ByteTracker()
    answers = [tracker.update(detections([at(100 + i)]), START).tolist() for i in range(5)]
    answers += [
        tracker.update(detections([at(105 + i)]), START + i * FRAME).tolist() for i in range(5)]
    assert answers == [[1]] * 10


def test_a_stamp_that_runs_backwards_resets_the_tracks() -> None:
    tracker = ByteTracker()
    ids_of(tracker, still(5))
    # The loop begins with a first frame, so its ids come at once, and they are new.
    assert ids_of(tracker, [detections([at(100), at(300)])] * 2) == [[2, 3], [2, 3]]
    assert tracker.active_count == 2


def test_a_gap_of_hours_and_one_of_a_nanosecond_are_survived() -> None:
    tracker = ByteTracker(lost_s=1e6)
    stamp = START
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for gap_ns in [0, FRAME, 5 * 3600 * SECOND, 1, 0, FRAME, 200 * 3600 * SECOND, 1, FRAME]:
            stamp += gap_ns
            assert tracker.update(still(1)[0], stamp).tolist() == [1]
            columns = vars(tracker._tracks)
            assert all(np.isfinite(column).all() for column in columns.values())
            assert (tracker._tracks.var_box > 0).all() and (tracker._tracks.var_speed > 0).all()
    assert [
        tracker.update(detections([at(100 + 5 * i)]), stamp + i * FRAME).tolist()
        for i in range(20)] == [[1]] * 20


def test_an_object_that_shrinks_and_is_lost_is_still_a_box() -> None:
    tracker = ByteTracker(lost_s=1000.0)
    for i in range(10):
        side = 200.0 * 0.8 ** i  # 27 px in the end
        tracker.update(detections([at(100, w=side, h=side)]), START + i * FRAME)
    for i in range(1, 100):
        tracker.update(EMPTY, START + i * SECOND)
        assert (tracker._tracks.box[:, 2:] > 10.0).all()
    assert tracker.active_count == 1


# Scenes


def test_objects_of_two_classes_cross_and_keep_their_ids() -> None:
    draw = np.random.default_rng(11)
    tracker = ByteTracker()
    for i in range(100):
        boxes = np.array([at(100 + 4 * i), at(500 - 4 * i)]) + draw.normal(0, 0.7, (2, 4))
        order = draw.permutation(2)
        answer = tracker.update(detections(boxes[order], class_id=order), START + i * FRAME)
        assert answer.tolist() == (order + 1).tolist()


def test_an_object_walks_behind_another_of_its_class_and_both_keep_their_ids() -> None:
    tracker = ByteTracker()
    answers = []
    for i in range(90):
        x = 100 + 4.0 * i
        hidden = abs(x - 300) < 25  # as non-maximum suppression would have it
        boxes = [at(x)] if hidden else [at(x), at(300, y=108)]
        answers.append(tracker.update(detections(boxes), START + i * FRAME).tolist())
    assert [1] in answers
    assert all(answer in ([1], [1, 2]) for answer in answers)


def test_a_box_that_was_doubled_for_a_moment_leaves_no_second_track() -> None:
    tracker = ByteTracker()
    ids_of(tracker, [*still(5), *([detections([at(100), at(101)], [0.9, 0.8])] * 2)])
    assert tracker.active_count == 2
    assert tracker.update(still(1)[0], START + 7 * FRAME).tolist() == [1]
    assert tracker.active_count == 1


def test_two_classes_in_one_place_are_no_duplicates() -> None:
    tracker = ByteTracker()
    both = detections([at(100), at(101)], class_id=[0, 1])
    assert ids_of(tracker, [both, both, *still(3), both]) == [
        [1, 2], [1, 2], [1], [1], [1], [1, 2]]


def test_three_hundred_objects_keep_their_ids() -> None:
    world = World(300, seed=2, speed=12.0, columns=20)
    ids = follow(world, np.arange(60) / 30, miss=0.03)
    assert [len(own) for own in ids] == [1] * 300
    assert set.union(*ids) == set(range(1, 301))


# Thresholds change while tracks live


def test_thresholds_change_between_frames_and_tracks_survive() -> None:
    tracker = ByteTracker()
    ids_of(tracker, still(3))
    tracker.configure(
        high_threshold=0.6, low_threshold=0.5, new_threshold=0.95, match_iou=0.3, min_hits=1,
        lost_s=3.0)
    stamp = START + 3 * FRAME
    poor = detections([at(100), at(300)], [0.45, 0.9])
    assert tracker.update(poor, stamp).tolist() == [NO_TRACK, NO_TRACK]
    good = detections([at(100), at(300)], [0.9, 0.96])
    assert tracker.update(good, stamp + 2 * SECOND).tolist() == [1, 2]


def test_a_threshold_that_is_not_given_stays_as_it_is() -> None:
    tracker = ByteTracker(lost_s=5.0)
    tracker.update(still(1)[0], START)
    tracker.configure(high_threshold=0.6)
    assert tracker.update(still(1)[0], START + 4 * SECOND).tolist() == [1]


def test_a_low_threshold_above_the_high_one_still_means_ignored_below() -> None:
    tracker = ByteTracker(low_threshold=0.8, high_threshold=0.4)
    assert ids_of(tracker, [*still(1), *still(1, score=0.7), *still(1)]) == [
        [1], [NO_TRACK], [1]]


# Anything at all


def random_frame(draw: np.random.Generator) -> sv.Detections:
    """Return up to 30 boxes on a small place, one in four of them hopeless."""
    n = int(draw.integers(0, 31))
    corner = draw.integers(0, 6, (n, 2)) * 40.0 + draw.normal(0, 2, (n, 2))
    boxes = np.hstack((corner, corner + draw.uniform(20, 60, (n, 2))))
    bad = np.flatnonzero(draw.random(n) < 0.25)
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -50.0, 1e12, -3e38])
    boxes[bad, draw.integers(0, 4, len(bad))] = draw.choice(values, len(bad))
    score = draw.uniform(0, 1, n)
    score[draw.random(n) < 0.03] = np.nan
    dtype = np.float32 if draw.random() < 0.5 else np.float64
    return detections(boxes, score, draw.integers(0, 3, n), dtype)


def random_step_ns(draw: np.random.Generator) -> int:
    """Return a step of time: mostly a frame, sometimes none, a leap, or one backwards."""
    steps = [FRAME, FRAME // 7, 0, 1, SECOND, 3 * SECOND, 7200 * SECOND, -1, -SECOND]
    share = [0.62, 0.1, 0.1, 0.04, 0.06, 0.03, 0.02, 0.01, 0.02]
    return int(draw.choice(steps, p=share))


def hopeful(frame: sv.Detections) -> NDArray[np.bool_]:
    """Tell which rows a track may have."""
    assert frame.confidence is not None
    with np.errstate(invalid='ignore', over='ignore'):
        xyxy = frame.xyxy.astype(np.float64)
        area = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
        rows: NDArray[np.bool_] = (
            np.isfinite(xyxy).all(axis=1) & area & (frame.confidence >= 0.1))
    return rows


@pytest.mark.parametrize('seed', range(4))
def test_the_contract_holds_for_anything(seed: int) -> None:
    draw = np.random.default_rng(seed)
    tracker, clean = ByteTracker(), ByteTracker()
    stamp, before, class_of = START, set[int](), dict[int, int]()
    for _ in range(250):
        frame, step = random_frame(draw), random_step_ns(draw)
        stamp += step
        copy = deepcopy(frame)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            answer = tracker.update(frame, stamp)
        np.testing.assert_array_equal(frame.xyxy, copy.xyxy)
        assert answer.shape == (len(frame),) and answer.dtype == np.int64
        tracked = answer != NO_TRACK
        assert not (tracked & ~hopeful(frame)).any()

        ids = answer[tracked].tolist()
        assert len(set(ids)) == len(ids)
        known = len(class_of)
        assert frame.confidence is not None and frame.class_id is not None
        for track, kind in zip(ids, frame.class_id[tracked].tolist()):
            assert class_of.setdefault(track, kind) == kind
        assert set(class_of) == set(range(1, len(class_of) + 1))
        poor = tracked & (frame.confidence < 0.4)
        assert set(answer[poor].tolist()) <= before
        if step < 0 or step > SECOND:
            assert all(track > known for track in ids)
        before = set(ids)

        # What no track may have leaves no trace: without it the answers are the same.
        rows = hopeful(frame)
        kept = detections(
            frame.xyxy[rows], frame.confidence[rows], frame.class_id[rows], frame.xyxy.dtype)
        assert clean.update(kept, stamp).tolist() == answer[rows].tolist()
    assert len(class_of) > 50
