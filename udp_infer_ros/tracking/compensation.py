# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Compensation of camera motion: predicted tracks are moved with the image, if the boxes agree.

BoT-SORT (Aharon et al., 2022) applies every estimate. An estimate can be wrong without a sign of
it in the flow: a large moving object that is not detected has more corners than the background.
So an estimate that lowers the overlap of tracks and boxes is rejected. Where there is none, the
previous motion is repeated if this raises the overlap, or the offsets between tracks and boxes
vote for a shift, as in a generalized Hough transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from udp_infer_ros.tracking.association import overlapping
from udp_infer_ros.tracking.camera_motion import Affine, Estimate, IDENTITY
from udp_infer_ros.tracking.motion import Floats, Index, moved_boxes, Tracks

MIN_VOTES = 3
VOTE_SHARE = 0.6
"""Least share of the tracks that must vote for a shift."""
VOTE_CELL = 0.25
"""Size of a cell of the votes, median sides of the tracks."""
SIZE_RATIO = 1.5
"""A box whose side differs by a larger factor from that of a track does not vote."""


@dataclass(frozen=True, kw_only=True)
class VoteRule:
    """When a voted shift is applied."""

    below: float
    """Only if the mean IoU of tracks and boxes is lower than this without the shift."""
    gain: float
    """Only if the shift raises the IoU by this factor."""


MOVING_CAMERA = VoteRule(below=0.5, gain=1.5)
"""The latest known motion was not zero."""
STILL_CAMERA = VoteRule(below=0.25, gain=2.0)
"""Inexact boxes in front of a still camera must not move the tracks."""


def compensate(
    tracks: Tracks, box: Floats, class_id: Index, estimate: Estimate, previous: Affine,
) -> tuple[Tracks, Estimate]:
    """
    Move predicted tracks with the image.

    :param tracks: all tracks, predicted for this frame.
    :param box: (m, 4) high-score boxes of this frame: center x, center y, width, height, px.
    :param class_id: (m,) their class index.
    :param estimate: motion of the camera since the previous frame.
    :param previous: the latest known motion; IDENTITY if the camera was still.
    :return: the moved tracks, and the motion that was applied to them. Its outcome is `repeated`
        or `voted` if it is not the estimate, and `less_overlap` if there is none because the
        boxes contradict the estimate.
    """
    if estimate.outcome in ('still', 'first'):
        return tracks, estimate
    known = tracks.select(tracks.confirmed & tracks.tracked)

    def score(matrix: Affine) -> float:
        return overlap(moved_boxes(known.box, matrix), known.class_id, box, class_id)
    best, chosen = overlap(known.box, known.class_id, box, class_id), estimate
    if estimate.matrix is not None:
        with_estimate = score(estimate.matrix)
        if with_estimate >= best:
            best = with_estimate
        else:
            chosen = Estimate(outcome='less_overlap')
    moving = previous is not IDENTITY
    if chosen.matrix is None and moving and (with_previous := score(previous)) > best:
        best, chosen = with_previous, Estimate(outcome='repeated', matrix=previous)
    rule = MOVING_CAMERA if moving else STILL_CAMERA
    if best < rule.below * min(len(known), len(box)):
        voted = vote(known, box, class_id)
        if voted is not None and score(voted) > rule.gain * best:
            chosen = Estimate(outcome='voted', matrix=voted)
    return (tracks if chosen.matrix is None else tracks.moved(chosen.matrix)), chosen


def overlap(track_box: Floats, track_class: Index, box: Floats, class_id: Index) -> float:
    """Return the sum over the tracks of the largest IoU with a box of their class."""
    pairs = overlapping(track_box, track_class, box, class_id)
    largest = np.zeros(len(track_box))
    np.maximum.at(largest, pairs.a, pairs.gain)
    return float(largest.sum())


def vote(tracks: Tracks, box: Floats, class_id: Index) -> Affine | None:
    """
    Return the shift that the offsets between tracks and boxes of their class agree on.

    :return: a transform that is a shift, or None if too few tracks agree.
    """
    if len(tracks) < MIN_VOTES or len(box) < MIN_VOTES:
        return None
    ratio = box[np.newaxis, :, 2:] / tracks.box[:, np.newaxis, 2:]
    possible = (np.abs(np.log(ratio)) < np.log(SIZE_RATIO)).all(axis=2)
    possible &= tracks.class_id[:, np.newaxis] == class_id
    track, row = np.nonzero(possible)
    offset = box[row, :2] - tracks.box[track, :2]
    cell = np.floor(offset / (VOTE_CELL * np.median(tracks.box[:, 2:]))).astype(int)
    # A shift on the border of two cells has votes in both: sum 2 x 2 cells.
    votes = np.unique(np.concatenate([
        np.column_stack((cell - shift, track)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]), axis=0)
    if not len(votes):
        return None
    corner, count = np.unique(votes[:, :2], axis=0, return_counts=True)
    best = int(count.argmax())
    if count[best] < max(MIN_VOTES, VOTE_SHARE * len(tracks)):
        return None
    inside = ((cell - corner[best] >= 0) & (cell - corner[best] <= 1)).all(axis=1)
    return np.column_stack((np.eye(2), np.median(offset[inside], axis=0)))
