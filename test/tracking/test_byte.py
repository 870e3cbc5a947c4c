# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The contract of the tracker, line by line, in small scenes with known objects."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
import pytest
from udp_infer_ros.frame import Detections, NO_TRACK
from udp_infer_ros.settings import TrackSettings
from udp_infer_ros.tracking.byte import ByteTracker

SECOND = 1_000_000_000
FRAME = SECOND // 30
START = 1_700_000_000 * SECOND  # as large as the stamps of a ROS clock, so that 1 ns counts
EMPTY = Detections.empty()


def new_tracker(**rules: Any) -> ByteTracker:
    """Build a tracker with some thresholds changed."""
    return ByteTracker(TrackSettings(**rules))


def detections(xyxy: ArrayLike, score: ArrayLike = 0.9, class_id: ArrayLike = 0) -> Detections:
    """
    Build detections.

    :param xyxy: (n, 4) corners, px.
    :param score: one for all, or (n,).
    :param class_id: one for all, or (n,).
    """
    boxes = np.asarray(xyxy, dtype=np.float32).reshape(-1, 4)
    n = len(boxes)
    return Detections(
        xyxy=boxes, score=np.broadcast_to(np.asarray(score, dtype=np.float32), n).copy(),
        class_id=np.broadcast_to(np.asarray(class_id, dtype=np.intp), n).copy(),
        class_name=np.full(n, 'object'), track_id=np.full(n, NO_TRACK, dtype=np.int64))


def at(x: float, y: float = 100.0, w: float = 60.0, h: float = 120.0) -> list[float]:
    """Return the corners of a box around a center."""
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def ids_of(tracker: ByteTracker, frames: Iterable[Detections]) -> list[list[int]]:
    """Track frames at 30 fps and return the ids of each."""
    return [
        tracker.update(frame, START + i * FRAME).tolist() for i, frame in enumerate(frames)]


def still(count: int, x: float = 100.0, score: float = 0.9) -> list[Detections]:
    """Return frames with one object that does not move."""
    return [detections([at(x)], score) for _ in range(count)]


class Scene:
    """Objects at constant velocity with seeded noise, sampled at any time."""

    def __init__(self, n: int, seed: int, *, max_speed: float, columns: int) -> None:
        self._random = np.random.default_rng(seed)
        cell = np.array([160.0, 200.0])
        index = np.arange(n)
        self._start = np.stack((index % columns, index // columns), axis=1) * cell + cell
        self._velocity = self._random.uniform(-max_speed, max_speed, (n, 2))
        self._size = self._random.uniform(50.0, 90.0, (n, 2))

    def sample(self, t_s: float, miss_rate: float) -> tuple[NDArray[np.intp], Detections]:
        """
        Return which objects are detected, in random order, and their detections.

        :param t_s: seconds since the start of the scene.
        :param miss_rate: share of the objects that are not detected.
        """
        center = self._start + self._velocity * t_s
        boxes = np.hstack((center - self._size / 2, center + self._size / 2))
        boxes += self._random.normal(0.0, 0.7, boxes.shape)
        found = np.flatnonzero(self._random.random(len(boxes)) >= miss_rate)
        self._random.shuffle(found)
        return found, detections(boxes[found], self._random.uniform(0.5, 0.95, len(found)))


def ids_per_object(scene: Scene, times_s: Iterable[float]) -> list[set[int]]:
    """Track a scene and return the ids that each object gets."""
    tracker, ids = new_tracker(), dict[int, set[int]]()
    for t_s in times_s:
        objects, found = scene.sample(t_s, miss_rate=0.03)
        track_ids = tracker.update(found, START + round(t_s * SECOND))
        for thing, track in zip(objects.tolist(), track_ids.tolist()):
            ids.setdefault(thing, set()).update({track} - {NO_TRACK})
    return [ids[thing] for thing in sorted(ids)]


# Rows in, ids out


def test_every_row_gets_its_id_in_the_order_of_the_rows() -> None:
    tracker = new_tracker()
    boxes = [at(100), at(300), at(500)]
    first = tracker.update(detections(boxes), START)
    reversed_rows = tracker.update(detections(boxes[::-1]), START + FRAME)
    assert first.tolist() == [1, 2, 3]
    assert reversed_rows.tolist() == [3, 2, 1]
    assert first.dtype == np.int64


def test_a_frame_without_detections_has_no_ids() -> None:
    ids = new_tracker().update(EMPTY, START)
    assert ids.shape == (0,) and ids.dtype == np.int64


def test_the_detections_are_not_modified() -> None:
    tracker = new_tracker()
    for i in range(4):
        frame = detections([at(100 + i), at(300), at(5, w=0)], [0.9, 0.2, 0.9])
        before = deepcopy(vars(frame))
        tracker.update(frame, START + i * FRAME)
        for name, column in before.items():
            np.testing.assert_array_equal(getattr(frame, name), column)


def test_returned_ids_do_not_change_afterwards() -> None:
    tracker = new_tracker()
    ids = tracker.update(still(1)[0], START)
    ids_of(tracker, [EMPTY, *still(3)])
    assert ids.tolist() == [1]


# Ids


def test_ids_start_at_1_and_removed_unconfirmed_tracks_leave_no_gaps() -> None:
    flicker = [detections([at(100), at(400 + 200 * i)]) for i in range(10)]
    steady = [detections([at(100), at(300)])] * 3
    ids = ids_of(new_tracker(), [*still(1), *flicker, *steady])
    assert ids[0] == [1]
    assert all(row == [1, NO_TRACK] for row in ids[1:12])
    assert ids[-1] == [1, 2]


def test_instances_share_no_ids() -> None:
    one, other = new_tracker(), new_tracker()
    assert one.update(detections([at(100), at(300)]), START).tolist() == [1, 2]
    assert other.update(still(1)[0], START).tolist() == [1]
    one.reset()
    assert other.update(still(1)[0], START + FRAME).tolist() == [1]


def test_ids_are_not_reused_after_reset() -> None:
    tracker = new_tracker()
    assert ids_of(tracker, still(2)) == [[1], [1]]
    tracker.reset()
    assert ids_of(tracker, still(2)) == [[2], [2]]


def test_a_track_keeps_its_class() -> None:
    tracker = new_tracker()
    tracker.update(detections([at(100)], class_id=0), START)
    other = [
        tracker.update(detections([at(100)], class_id=7), START + i * FRAME).tolist()
        for i in (1, 2)]
    again = tracker.update(detections([at(100)], class_id=0), START + 3 * FRAME)
    assert other == [[NO_TRACK], [2]]
    assert again.tolist() == [1]


def test_a_low_score_box_of_another_class_does_not_keep_a_track_alive() -> None:
    frames = [detections([at(100)], class_id=0), detections([at(100)], 0.2, class_id=1)]
    assert ids_of(new_tracker(), frames)[1] == [NO_TRACK]


# Confirmation


def test_the_first_frame_is_confirmed_at_once() -> None:
    tracker = new_tracker(min_hits=5)
    assert ids_of(tracker, still(1)) == [[1]]
    tracker.reset()
    assert ids_of(tracker, still(1)) == [[2]]


def test_an_empty_first_frame_is_a_first_frame() -> None:
    assert ids_of(new_tracker(), [EMPTY, *still(2)])[1:] == [[NO_TRACK], [1]]


@pytest.mark.parametrize('min_hits', [1, 2, 3, 5])
def test_a_later_track_is_confirmed_at_its_nth_consecutive_match(min_hits: int) -> None:
    ids = ids_of(new_tracker(min_hits=min_hits), [EMPTY, *still(6)])
    assert ids[1:] == [[NO_TRACK]] * (min_hits - 1) + [[1]] * (7 - min_hits)


def test_an_unconfirmed_track_without_a_match_is_removed() -> None:
    tracker = new_tracker(min_hits=3)
    ids = ids_of(tracker, [EMPTY, *still(2), EMPTY, *still(3)])
    assert ids[4:] == [[NO_TRACK], [NO_TRACK], [1]]


def test_a_low_score_box_does_not_confirm_a_track() -> None:
    frames = [EMPTY, *still(1), *still(1, score=0.3), *still(2)]
    assert ids_of(new_tracker(), frames)[1:] == [[NO_TRACK], [NO_TRACK], [NO_TRACK], [1]]


# Scores


def test_rows_below_the_low_threshold_are_ignored() -> None:
    assert ids_of(new_tracker(), [*still(1), *still(1, score=0.09)]) == [[1], [NO_TRACK]]


def test_a_dip_of_the_score_keeps_the_id() -> None:
    scores = [0.9, 0.9, 0.35, 0.2, 0.12, 0.3, 0.9]
    frames = [detections([at(100 + 4 * i)], score) for i, score in enumerate(scores)]
    assert ids_of(new_tracker(), frames) == [[1]] * len(scores)


def test_a_low_score_box_never_starts_a_track_even_if_new_threshold_is_lower() -> None:
    tracker = new_tracker(new_threshold=0.0)
    assert ids_of(tracker, still(5, score=0.39)) == [[NO_TRACK]] * 5


def test_a_low_score_box_is_not_matched_to_a_track_that_was_already_lost() -> None:
    ids = ids_of(new_tracker(), [*still(3), EMPTY, *still(1, score=0.3), *still(1)])
    assert ids[-2:] == [[NO_TRACK], [1]]


def test_a_low_score_box_needs_an_iou_of_a_half() -> None:
    for shift, expected in ((15, 1), (25, NO_TRACK)):  # IoU 0.6 and 0.41 of boxes 60 wide
        frames = [*still(3), detections([at(100 + shift)], 0.3)]
        assert ids_of(new_tracker(), frames)[-1] == [expected]


def test_a_high_score_box_is_preferred_to_a_low_score_box_with_more_overlap() -> None:
    frames = [*still(3), detections([at(100), at(110)], [0.3, 0.9])]
    assert ids_of(new_tracker(), frames)[-1] == [NO_TRACK, 1]


def test_of_two_high_score_boxes_the_one_with_the_larger_iou_times_score_is_matched() -> None:
    frames = [*still(3), detections([at(105), at(103)], [0.95, 0.5])]
    assert ids_of(new_tracker(), frames)[-1] == [1, NO_TRACK]


def test_a_new_track_needs_a_score_of_new_threshold() -> None:
    tracker = new_tracker(new_threshold=0.7, min_hits=1)
    frames = [EMPTY, *still(2, score=0.6), *still(1, score=0.7), *still(1, score=0.6)]
    assert ids_of(tracker, frames)[1:] == [[NO_TRACK], [NO_TRACK], [1], [1]]


def test_a_float32_score_equal_to_a_threshold_is_not_below_it() -> None:
    assert float(np.float32(0.7)) < 0.7
    tracker = new_tracker(high_threshold=0.7, new_threshold=0.7)
    assert tracker.update(detections([at(100)], 0.7), START).tolist() == [1]


# Overlap


def test_a_high_score_box_is_matched_from_match_iou_on_whatever_its_score() -> None:
    # Boxes 60 wide, 36 px apart: 24 / 96 = 0.25.
    for match_iou, expected in ((0.24, 1), (0.26, NO_TRACK)):
        tracker = new_tracker(match_iou=match_iou)
        assert ids_of(tracker, [*still(1), detections([at(136)], 0.45)])[-1] == [expected]


def test_boxes_that_do_not_overlap_are_never_matched() -> None:
    tracker = new_tracker(match_iou=0.0)
    assert ids_of(tracker, [*still(1), *still(1, x=500.0)])[-1] == [NO_TRACK]


# Invalid rows


INVALID_BOXES: list[list[float]] = [
    [np.nan, 0, 10, 10], [0, 0, np.inf, 10], [-np.inf, 0, 10, 10], [10, 10, 10, 20],
    [10, 10, 20, 10], [20, 10, 10, 20], [0, 0, 0, 0], [-3e38, 0, 3e38, 10],
]


def test_boxes_that_are_not_finite_or_have_no_area_get_no_track() -> None:
    tracker = new_tracker()
    for i in range(5):
        frame = detections([*INVALID_BOXES[:4], at(100 + 3 * i), *INVALID_BOXES[4:]])
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            ids = tracker.update(frame, START + i * FRAME)
        assert ids.tolist() == [NO_TRACK] * 4 + [1] + [NO_TRACK] * 4


def test_scores_that_are_not_finite_get_no_track() -> None:
    frame = detections([at(100), at(102), at(104)], [np.nan, 0.9, np.inf])
    assert ids_of(new_tracker(), [frame] * 3) == [[NO_TRACK, 1, NO_TRACK]] * 3


# Time


def test_a_track_is_kept_for_lost_s_after_its_last_match() -> None:
    for gap_ns, expected in ((300_000_000, 1), (300_000_001, NO_TRACK)):
        tracker = new_tracker(lost_s=0.3)
        tracker.update(still(1)[0], START)
        assert tracker.update(still(1)[0], START + gap_ns).tolist() == [expected]


@pytest.mark.parametrize('frames_between', [0, 1, 7, 200])
def test_empty_frames_do_not_change_how_long_a_track_is_kept(frames_between: int) -> None:
    for gap_s, expected in ((0.9, 1), (1.1, NO_TRACK)):
        tracker = new_tracker()
        tracker.update(still(1)[0], START)
        for i in range(frames_between):
            tracker.update(EMPTY, START + int(gap_s * SECOND * (i + 1) / (frames_between + 1)))
        last = START + int(gap_s * SECOND)
        assert tracker.update(still(1)[0], last).tolist() == [expected]


def test_a_gap_longer_than_lost_s_ends_all_tracks() -> None:
    tracker = new_tracker()
    boxes = [at(100), at(300), at(500)]
    tracker.update(detections(boxes), START)
    gone = tracker.update(detections(boxes), START + 2 * SECOND)
    back = tracker.update(detections(boxes), START + 2 * SECOND + FRAME)
    assert gone.tolist() == [NO_TRACK] * 3
    assert back.tolist() == [4, 5, 6]


@pytest.mark.parametrize('seconds_hidden, kept', [(0.7, True), (1.4, False)])
def test_a_moving_object_keeps_its_id_through_a_short_occlusion_only(
    seconds_hidden: float, kept: bool,
) -> None:
    random = np.random.default_rng(3)
    tracker, ids = new_tracker(), list[int]()
    for i in range(120):
        hidden = 60 <= i < 60 + 30 * seconds_hidden
        box = np.array(at(100 + 5.0 * i)) + random.normal(0, 0.7, 4)  # 150 px/s, 2.5 sides/s
        frame = EMPTY if hidden else detections([box])
        ids += tracker.update(frame, START + i * FRAME).tolist()
    assert ids[0] == 1
    assert ids[-1] == (1 if kept else 2)


def test_a_track_is_predicted_with_its_velocity_and_the_true_interval() -> None:
    tracker = new_tracker()
    for i in range(30):
        tracker.update(detections([at(100 + 6.0 * i)]), START + i * FRAME)
    # 0.5 s without a frame: 90 px farther, one and a half sides away.
    later = START + 29 * FRAME + SECOND // 2
    assert tracker.update(detections([at(100 + 6.0 * 44)]), later).tolist() == [1]


@pytest.mark.parametrize('rate', ['30 fps', '10 fps', 'irregular'])
def test_objects_keep_their_ids_at_any_frame_rate(rate: str) -> None:
    times = {
        '30 fps': np.arange(120) / 30, '10 fps': np.arange(40) / 10,
        'irregular': np.cumsum(np.random.default_rng(1).uniform(0.005, 0.25, 32)),
    }[rate]
    ids = ids_per_object(Scene(12, seed=5, max_speed=18.0, columns=4), times)
    assert [len(own) for own in ids] == [1] * 12
    assert len(set.union(*ids)) == 12


def test_frames_with_equal_stamps_keep_their_ids() -> None:
    tracker = new_tracker()
    ids = [tracker.update(detections([at(100 + i)]), START).tolist() for i in range(5)]
    ids += [
        tracker.update(detections([at(105 + i)]), START + i * FRAME).tolist() for i in range(5)]
    assert ids == [[1]] * 10


def test_an_earlier_stamp_resets_the_tracker() -> None:
    tracker = new_tracker()
    ids_of(tracker, still(5))
    # The loop begins with a first frame, so its ids are assigned at once, and they are new.
    assert ids_of(tracker, [detections([at(100), at(300)])] * 2) == [[2, 3], [2, 3]]


def test_a_track_continues_after_gaps_of_hours_and_of_a_nanosecond() -> None:
    tracker = new_tracker(lost_s=1e6)
    stamp = START
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for gap_ns in [0, FRAME, 5 * 3600 * SECOND, 1, 0, FRAME, 200 * 3600 * SECOND, 1, FRAME]:
            stamp += gap_ns
            assert tracker.update(still(1)[0], stamp).tolist() == [1]
    assert [
        tracker.update(detections([at(100 + 5 * i)]), stamp + i * FRAME).tolist()
        for i in range(20)] == [[1]] * 20


# Scenes


def test_objects_of_two_classes_cross_and_keep_their_ids() -> None:
    random = np.random.default_rng(11)
    tracker = new_tracker()
    for i in range(100):
        boxes = np.array([at(100 + 4 * i), at(500 - 4 * i)]) + random.normal(0, 0.7, (2, 4))
        order = random.permutation(2)
        ids = tracker.update(detections(boxes[order], class_id=order), START + i * FRAME)
        assert ids.tolist() == (order + 1).tolist()


def test_an_object_walks_behind_another_of_its_class_and_both_keep_their_ids() -> None:
    tracker = new_tracker()
    ids = []
    for i in range(90):
        x = 100 + 4.0 * i
        hidden = abs(x - 300) < 25  # as after non-maximum suppression
        boxes = [at(x)] if hidden else [at(x), at(300, y=108)]
        ids.append(tracker.update(detections(boxes), START + i * FRAME).tolist())
    assert [1] in ids
    assert all(row in ([1], [1, 2]) for row in ids)


def test_the_track_of_a_briefly_doubled_box_is_removed() -> None:
    tracker = new_tracker()
    doubled = detections([at(100), at(101)], [0.9, 0.8])
    ids = ids_of(tracker, [*still(5), doubled, doubled, *still(1), doubled])
    assert ids[-3:] == [[1, 2], [1], [1, NO_TRACK]]


def test_an_older_track_at_the_same_place_is_not_removed() -> None:
    tracker = new_tracker()
    doubled = detections([at(100), at(101)], [0.9, 0.8])
    ids = ids_of(tracker, [*[doubled] * 5, *still(1), doubled])
    assert ids[-2:] == [[1], [1, 2]]


def test_objects_of_two_classes_at_one_place_are_not_duplicates() -> None:
    both = detections([at(100), at(101)], class_id=[0, 1])
    assert ids_of(new_tracker(), [both, both, *still(3), both]) == [
        [1, 2], [1, 2], [1], [1], [1], [1, 2]]


def test_three_hundred_objects_keep_their_ids() -> None:
    ids = ids_per_object(Scene(300, seed=2, max_speed=12.0, columns=20), np.arange(60) / 30)
    assert [len(own) for own in ids] == [1] * 300
    assert set.union(*ids) == set(range(1, 301))


# Thresholds


def test_thresholds_change_between_frames_and_tracks_continue() -> None:
    tracker = new_tracker()
    ids_of(tracker, still(3))
    tracker.configure(TrackSettings(
        high_threshold=0.6, low_threshold=0.5, new_threshold=0.95, match_iou=0.3, min_hits=1,
        lost_s=3.0))
    stamp = START + 3 * FRAME
    low = detections([at(100), at(300)], [0.45, 0.9])
    assert tracker.update(low, stamp).tolist() == [NO_TRACK, NO_TRACK]
    high = detections([at(100), at(300)], [0.9, 0.96])
    assert tracker.update(high, stamp + 2 * SECOND).tolist() == [1, 2]


def test_a_lower_min_hits_confirms_no_track_without_a_match() -> None:
    tracker = new_tracker(min_hits=5)
    ids_of(tracker, [EMPTY, *still(2)])
    tracker.configure(TrackSettings(min_hits=1))
    tracker.update(EMPTY, START + 3 * FRAME)
    assert tracker.update(still(1)[0], START + 4 * FRAME).tolist() == [1]


# Random input


def random_frame(random: np.random.Generator) -> Detections:
    """Return up to 30 boxes in a small area, one in four of them invalid."""
    n = int(random.integers(0, 31))
    corner = random.integers(0, 6, (n, 2)) * 40.0 + random.normal(0, 2, (n, 2))
    boxes = np.hstack((corner, corner + random.uniform(20, 60, (n, 2))))
    invalid = np.flatnonzero(random.random(n) < 0.25)
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -50.0, 1e12, -3e38])
    boxes[invalid, random.integers(0, 4, len(invalid))] = random.choice(values, len(invalid))
    score = random.uniform(0, 1, n)
    score[random.random(n) < 0.03] = np.nan
    return detections(boxes, score, random.integers(0, 3, n))


def random_step_ns(random: np.random.Generator) -> int:
    """Return a time step: mostly one frame, sometimes none, a long one, or a negative one."""
    steps = [FRAME, FRAME // 7, 0, 1, SECOND, 3 * SECOND, 7200 * SECOND, -1, -SECOND]
    share = [0.62, 0.1, 0.1, 0.04, 0.06, 0.03, 0.02, 0.01, 0.02]
    return int(random.choice(steps, p=share))


def trackable(frame: Detections) -> NDArray[np.bool_]:
    """Return which rows may get a track."""
    with np.errstate(invalid='ignore', over='ignore'):
        xyxy = frame.xyxy.astype(np.float64)
        area = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
        rows: NDArray[np.bool_] = np.isfinite(xyxy).all(axis=1) & area & (frame.score >= 0.1)
    return rows


@pytest.mark.parametrize('seed', range(4))
def test_the_contract_holds_for_random_input(seed: int) -> None:
    random = np.random.default_rng(seed)
    tracker, clean = new_tracker(), new_tracker()
    stamp, before, class_of = START, set[int](), dict[int, int]()
    for _ in range(250):
        frame, step = random_frame(random), random_step_ns(random)
        stamp += step
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            ids = tracker.update(frame, stamp)
        assert ids.shape == (len(frame),) and ids.dtype == np.int64
        tracked = ids != NO_TRACK
        rows = trackable(frame)
        assert not (tracked & ~rows).any()

        used = ids[tracked].tolist()
        assert len(set(used)) == len(used)
        known = len(class_of)
        for track, class_id in zip(used, frame.class_id[tracked].tolist()):
            assert class_of.setdefault(track, class_id) == class_id
        assert set(class_of) == set(range(1, len(class_of) + 1))
        low = tracked & (frame.score < 0.4)
        assert set(ids[low].tolist()) <= before
        if step < 0 or step > SECOND:
            assert all(track > known for track in used)
        before = set(used)

        # Rows that may not get a track have no effect: without them the ids are the same.
        assert clean.update(frame[rows], stamp).tolist() == ids[rows].tolist()
    assert len(class_of) > 50
