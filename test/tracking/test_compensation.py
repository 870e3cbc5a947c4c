# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Tracks of objects at rest, in front of a camera that moves."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from udp_infer_ros.frame import Detections
from udp_infer_ros.settings import TrackSettings
from udp_infer_ros.tracking.byte import ByteTracker
from udp_infer_ros.tracking.camera_motion import Estimate, IDENTITY
from udp_infer_ros.tracking.compensation import overlap, vote
from udp_infer_ros.tracking.motion import Tracks

STEP_NS = 100_000_000
CENTERS = np.array([(300, 200), (500, 260), (760, 220), (400, 480), (900, 500), (640, 380)])
SIZES = np.array([(40, 90), (50, 100), (36, 80), (60, 110), (44, 96), (30, 70)])
UNKNOWN = Estimate(outcome='few_inliers')


def detect(view):
    """Return the detections of the objects in a view, (2, 3)."""
    scale = np.sqrt(abs(np.linalg.det(view[:, :2])))
    centers, half = CENTERS @ view[:, :2].T + view[:, 2], SIZES * scale / 2
    n = len(centers)
    return Detections(
        xyxy=np.hstack((centers - half, centers + half)).astype(np.float32),
        score=np.linspace(0.9, 0.8, n, dtype=np.float32), class_id=np.zeros(n, dtype=np.intp),
        class_name=np.full(n, 'person'), track_id=np.full(n, -1))


def shifts(*offsets):
    """Return views that are shifted, px."""
    return [np.column_stack((np.eye(2), offset)) for offset in offsets]


def between(before, after):
    """Return the transform from one view to the next."""
    def full(matrix):
        return np.vstack((matrix, (0, 0, 1)))
    return (full(after) @ np.linalg.inv(full(before)))[:2]


def track(views, estimate=None, rows=None):
    """
    Track through views.

    :param estimate: called with the number of the frame and the true motion.
    :param rows: called with the number of the frame; the detected objects.
    :return: the ids of each frame, and the outcomes.
    """
    tracker, ids, outcomes = ByteTracker(TrackSettings()), [], []
    for i, view in enumerate(views):
        detections = detect(view)
        if rows is not None:
            detections = detections[np.array(rows(i))]
        motion = Estimate(outcome='first') if i == 0 else Estimate(
            outcome='moving', matrix=between(views[i - 1], view))
        if estimate is not None:
            motion = estimate(i, motion)
        ids.append(tracker.update(detections, i * STEP_NS, motion).tolist())
        outcomes.append(tracker.camera_motion.outcome if tracker.camera_motion else None)
    return ids, outcomes


JITTER = shifts(*np.random.default_rng(0).normal(0, 40, (30, 2)))
ONE_TO_SIX = [1, 2, 3, 4, 5, 6]


def test_with_the_motion_of_the_camera_ids_stay():
    ids, outcomes = track(JITTER)
    assert ids == [ONE_TO_SIX] * 30
    assert set(outcomes[1:]) == {'moving'}


def test_without_compensation_they_do_not():
    ids, outcomes = track(JITTER, lambda i, motion: None)
    assert max(map(max, ids)) > 6 and set(outcomes) == {None}


def test_a_rotation_and_a_zoom_are_followed():
    views = [cv2.getRotationMatrix2D((640, 360), 10.0 * np.sin(i), 1 + 0.1 * np.cos(i))
             for i in range(30)]
    assert track(views)[0] == [ONE_TO_SIX] * 30


def test_a_wrong_estimate_is_not_used_where_two_tracks_cannot_vote():
    still = shifts(*[(0, 0)] * 8)
    wrong = Estimate(outcome='moving', matrix=shifts((60, 0))[0])
    ids, outcomes = track(
        still, lambda i, motion: wrong if i == 4 else motion, rows=lambda i: [0, 1])
    assert ids == [[1, 2]] * 8
    assert outcomes[4] == 'less_overlap'


def test_boxes_of_another_class_neither_vote_nor_overlap():
    boxes = np.hstack((CENTERS, SIZES)).astype(float)
    person, car = np.zeros(6, dtype=np.intp), np.ones(6, dtype=np.intp)
    tracks = Tracks.from_boxes(boxes, person, 0)
    moved = boxes + (80.0, 0.0, 0.0, 0.0)
    assert overlap(boxes, person, boxes, person) == 6.0
    assert overlap(boxes, person, boxes, car) == 0.0
    assert vote(tracks, moved, person).tolist() == [[1.0, 0.0, 80.0], [0.0, 1.0, 0.0]]
    assert vote(tracks, moved, car) is None


def test_a_vote_needs_most_of_the_tracks_and_a_gain():
    jump = shifts((0, 0), (0, 0), (80, 0))

    def outcome(change):
        tracker = ByteTracker(TrackSettings())
        for i, view in enumerate(jump):
            found = detect(view)
            tracker.update(
                change(found) if i == 2 else found, i * STEP_NS, UNKNOWN if i == 2 else Estimate(
                    outcome='moving', matrix=motion_of_a_moving_camera))
        return tracker.camera_motion.outcome
    motion_of_a_moving_camera = np.array([[1.0, 0.0, 0.001], [0.0, 1.0, 0.0]])
    assert outcome(lambda found: found) == 'voted'

    def scattered(found):
        offset = np.zeros((6, 4), dtype=np.float32)
        offset[3:] = np.tile([[35, 90], [-70, 60], [40, -90]], 2)
        return replace(found, xyxy=found.xyxy + offset)
    assert outcome(scattered) != 'voted', 'half of the tracks agree'

    def enlarged(found):
        size = np.tile((found.xyxy[:, 2:] - found.xyxy[:, :2]) * 0.22, 2)
        return replace(found, xyxy=found.xyxy - [[80, 0, 80, 0]] + size * [-1, -1, 1, 1])
    assert outcome(enlarged) != 'voted', 'a shift does not raise the overlap'


def test_a_lost_track_moves_with_the_image():
    turn = shifts(*[(40 * i, 0) for i in range(12)])

    def rows(i):
        return [k for k in range(6) if k != 2 or not 4 <= i < 10]
    ids, _ = track(turn, rows=rows)
    assert ids[-1] == ONE_TO_SIX
    ids, _ = track(turn, lambda i, motion: UNKNOWN if i else motion, rows=rows)
    assert ids[-1] == ONE_TO_SIX, 'a voted shift applies to lost tracks, too'


@pytest.mark.parametrize('views', [JITTER, shifts(*[(0, 0)] * 30)])
def test_a_wrong_estimate_changes_no_id(views):
    random = np.random.default_rng(1)

    def wrong(i, motion):
        if i == 0 or i % 3:
            return motion
        angle = random.uniform(0, 2 * np.pi)
        shift = np.column_stack((np.zeros((2, 2)), 60 * np.array((np.cos(angle), np.sin(angle)))))
        return Estimate(outcome='moving', matrix=motion.matrix + shift)
    ids, outcomes = track(views, wrong)
    assert ids == [ONE_TO_SIX] * 30
    assert {'voted', 'less_overlap'} & set(outcomes)


def test_without_an_estimate_the_boxes_vote_for_a_shift():
    ids, outcomes = track(JITTER, lambda i, motion: UNKNOWN if i and i % 2 == 0 else motion)
    assert ids == [ONE_TO_SIX] * 30
    assert outcomes[2::2].count('voted') >= 11


def test_without_an_estimate_the_previous_motion_is_repeated_if_it_fits():
    zoom = [cv2.getRotationMatrix2D((640, 360), 0.0, 1.1 ** (i % 12)) for i in range(12)]
    ids, outcomes = track(zoom, lambda i, motion: UNKNOWN if i > 1 and i % 2 == 0 else motion)
    assert ids == [ONE_TO_SIX] * 12
    assert outcomes[2::2] == ['repeated'] * 5
    stop = zoom[:3] + [zoom[2]] * 3
    _, outcomes = track(stop, lambda i, motion: UNKNOWN if i == 3 else motion)
    assert outcomes[3] == 'few_inliers', 'the camera stopped'


def test_a_change_of_the_size_is_not_repeated():
    views = shifts(*[(0, 0)] * 2) + [np.hstack((0.8 * np.eye(2), np.zeros((2, 1))))] * 2
    _, outcomes = track(views, lambda i, motion: UNKNOWN if i == 3 else motion if i != 2 else (
        Estimate(outcome='resized', matrix=motion.matrix)))
    assert outcomes[2:] == ['resized', 'few_inliers']


def test_behind_a_still_camera_only_a_clear_vote_counts():
    views = shifts((0, 0), (0, 0), (14, 0), (14, 0), (80, 0))
    _, outcomes = track(views, lambda i, motion: UNKNOWN)
    assert outcomes[2] == 'few_inliers', 'the boxes still overlap'
    assert outcomes[4] == 'voted'


def test_two_tracks_do_not_vote():
    ids, outcomes = track(
        JITTER, lambda i, motion: UNKNOWN if i else motion, rows=lambda i: [0, 1])
    assert 'voted' not in outcomes


def test_objects_that_cross_do_not_vote_for_a_shift():
    random = np.random.default_rng(2)
    tracker = ByteTracker(TrackSettings())
    for i in range(20):
        moved = detect(shifts((0, 0))[0])
        offset = np.tile(random.normal(0, 3, (6, 2)), 2).astype(np.float32)
        tracker.update(
            Detections(
                xyxy=moved.xyxy + offset, score=moved.score, class_id=moved.class_id,
                class_name=moved.class_name, track_id=moved.track_id),
            i * STEP_NS, UNKNOWN)
        assert tracker.camera_motion is UNKNOWN


@pytest.mark.parametrize('outcome', ['still', 'first'])
def test_a_still_camera_gives_exactly_the_ids_without_compensation(outcome):
    estimate = Estimate(outcome=outcome, matrix=IDENTITY if outcome == 'still' else None)
    assert track(JITTER, lambda i, motion: estimate)[0] == track(JITTER, lambda i, motion: None)[0]


def test_an_image_of_another_size_keeps_the_ids():
    views = shifts(*[(0, 0)] * 3) + [np.hstack((0.5 * np.eye(2), np.zeros((2, 1))))] * 3
    ids, _ = track(views, lambda i, motion: motion if i != 3 else Estimate(
        outcome='resized', matrix=motion.matrix))
    assert ids == [ONE_TO_SIX] * 6


def test_center_and_velocity_follow_the_transform_and_sizes_its_scale():
    tracks = Tracks.from_boxes(
        np.array([[100.0, 50.0, 20.0, 40.0]]), np.zeros(1, dtype=np.intp), 0)
    tracks.velocity[:] = (10.0, 0.0, 2.0, 4.0)
    before = tracks.box_var.copy()
    moved = tracks.moved(np.array([[0.0, -2.0, 7.0], [2.0, 0.0, 1.0]]))  # 90 degrees, twice
    assert moved.box.tolist() == [[-93.0, 201.0, 40.0, 80.0]]
    assert moved.velocity.tolist() == [[0.0, 20.0, 4.0, 8.0]]
    assert moved.box_var.tolist() == (4 * before[:, [1, 0, 2, 3]]).tolist()
    assert tracks.box.tolist() == [[100.0, 50.0, 20.0, 40.0]], 'the tracks are not modified'
