# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
BYTE: match high-score detections to tracks first, then low-score ones to the tracks left over.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022.
A partly hidden object has a low score but is still there, so its box keeps its track alive.

Differences from the paper's code, and why:

* Time comes from stamps, so dropped frames and irregular intervals are predicted over.
* Only boxes of the track's class are matched, as in MMDetection's ByteTracker: an id keeps its
  class.
* The first association is gated by the IoU alone. The score only ranks the pairs that pass
  (cost 1 - IoU * score); in the gate, a less certain box would need more overlap.
* Ids are assigned at confirmation, so they have no gaps.
* Only a new track can be a duplicate of another; see `DUPLICATE_HITS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.boxes import center_size_from_corners
from udp_infer_ros.frame import Detections, NO_TRACK
from udp_infer_ros.settings import TrackSettings
from udp_infer_ros.tracking.association import best_pairs, iou
from udp_infer_ros.tracking.motion import Floats, Index, Mask, Tracks

LOW_SCORE_IOU = 0.5
"""Least IoU of the second association (the paper's code: a distance up to 0.5)."""
DUPLICATE_IOU = 0.85
"""Two tracks with a larger IoU may be one object (the paper's code: a distance below 0.15)."""
DUPLICATE_HITS = 5
"""
The younger of two such tracks is a duplicate only if it has fewer hits.

The paper's code has no such limit and removes objects that walk behind others. With it, a
synthetic crowd on four lanes has less than half the id switches, and doubled boxes are still
removed.
"""

_MIN_SIDE_PX = 1e-6
_MAX_PX = 1e9
"""Sides and coordinates outside cannot come from an image, and would under- or overflow."""
_UNMATCHED = -1


@dataclass(kw_only=True)
class Observations:
    """The detections of one frame and the tracks that they are matched to."""

    box: Floats
    """(n, 4) center x, center y, width, height, px."""
    class_id: Index
    """(n,) class index."""
    score: NDArray[np.float32]
    """(n,) in the detector's precision, so that 0.7 from a float32 is not below 0.7."""
    valid: Mask
    """(n,) whether the box is finite and has an area."""
    track: Index
    """(n,) position of the matched track, or -1."""

    @classmethod
    def from_detections(cls, detections: Detections) -> Observations:
        """Convert detections; nothing is matched yet."""
        corners = detections.xyxy.astype(np.float64)
        with np.errstate(invalid='ignore'):
            box = np.asarray(center_size_from_corners(corners), dtype=np.float64)
            valid = np.hstack((np.abs(corners) <= _MAX_PX, box[:, 2:] >= _MIN_SIDE_PX))
        return cls(
            box=box, class_id=detections.class_id, score=detections.score,
            valid=np.asarray(valid.all(axis=1), dtype=np.bool_),
            track=np.full(len(box), _UNMATCHED, dtype=np.intp))

    def unmatched(self, low: float, high: float = np.inf) -> Index:
        """Return the rows without a track whose score is in [low, high)."""
        return np.flatnonzero(
            self.valid & (self.track == _UNMATCHED) & (self.score >= low) & (self.score < high))

    def matched(self) -> Index:
        """Return the rows with a track."""
        return np.flatnonzero(self.track != _UNMATCHED)


class ByteTracker:
    """
    A tracker that gives every detection the id of its track. Instances share nothing.

    One thread at a time. Ids are 1, 2, 3, ... in the order of confirmation and are never used
    twice, not even after `reset`.

    :param rules: the thresholds, explained in `TrackSettings`. Whatever they are, detections
        below `high_threshold` never start a track, and boxes that do not overlap never match.
    """

    def __init__(self, rules: TrackSettings) -> None:
        self._rules = rules
        self._next_id = 1
        self.reset()

    def configure(self, rules: TrackSettings) -> None:
        """Change the thresholds between two frames; tracks and ids continue."""
        self._rules = rules

    def reset(self) -> None:
        """Remove all tracks. The next frame is a first frame; ids continue."""
        self._tracks = Tracks.empty()
        self._stamp_ns: int | None = None

    def update(self, detections: Detections, stamp_ns: int) -> NDArray[np.int64]:
        """
        Match the detections of one frame to tracks.

        :param detections: (n) rows in any order, not modified. Rows that are not finite or have
            no area get no track.
        :param stamp_ns: capture time of the image, ns. A stamp earlier than the previous one (a
            recording that loops) resets the tracker.
        :return: (n,) track id of each row, or NO_TRACK.
        """
        rules, observed = self._rules, Observations.from_detections(detections)
        high, low = rules.high_threshold, rules.low_threshold

        # Step 1: predict the box of every track.
        is_first_frame = self._predict(stamp_ns)
        confirmed = self._tracks.confirmed

        # Step 2: first association, with high-score boxes.
        self._associate(
            confirmed, observed, observed.unmatched(high), rules.match_iou, fuse_score=True)

        # Step 3: second association, with low-score boxes. Only for tracks that were matched in
        # the previous frame: a low score is no evidence for a track that was already lost.
        self._associate(
            confirmed & self._tracks.tracked, observed, observed.unmatched(low, high),
            LOW_SCORE_IOU, fuse_score=False)

        # Step 4: unconfirmed tracks, with the remaining high-score boxes.
        self._associate(
            ~confirmed, observed, observed.unmatched(high), rules.match_iou, fuse_score=True)
        self._update_matched(observed, stamp_ns)

        # Step 5: new tracks, from the remaining high-score boxes.
        self._spawn(observed, stamp_ns)
        self._confirm(at_once=is_first_frame)
        ids = np.full(len(detections), NO_TRACK, dtype=np.int64)
        rows = observed.matched()
        ids[rows] = self._tracks.track_id[observed.track[rows]]

        # Step 6: remove unconfirmed tracks without a match, and duplicates.
        self._remove_unconfirmed()
        self._remove_duplicates()
        return ids

    def _predict(self, stamp_ns: int) -> bool:
        """
        Advance the tracks to a new time; remove those that are lost for longer than `lost_s`.

        :return: whether this is a first frame.
        """
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self.reset()
        previous_ns, self._stamp_ns = self._stamp_ns, stamp_ns
        if previous_ns is None:
            return True
        # In ns, where 0.3 s is a whole number: in seconds it would be slightly more than 0.3.
        self._tracks = self._tracks.select(
            stamp_ns - self._tracks.matched_ns <= self._rules.lost_s * 1e9)
        self._tracks.predict((stamp_ns - previous_ns) * 1e-9)
        return False

    def _associate(
        self, candidates: Mask, observed: Observations, row: Index, min_iou: float, *,
        fuse_score: bool,
    ) -> None:
        """
        Match tracks with rows of their class, for the largest sum of IoU (times score).

        :param candidates: (tracks,) which tracks take part, unless they already have a match.
        :param row: (r,) the rows that take part.
        :param min_iou: least IoU of a pair.
        :param fuse_score: whether the score ranks the pairs too.
        """
        tracks = self._tracks
        free = candidates.copy()
        free[observed.track[observed.matched()]] = False
        track = np.flatnonzero(free)
        if not len(track) or not len(row):
            return
        gain = iou(tracks.box[track], observed.box[row])
        allowed = (gain >= min_iou) & (gain > 0.0)
        allowed &= tracks.class_id[track, np.newaxis] == observed.class_id[row]
        if fuse_score:
            gain *= observed.score[row]
        i, j = best_pairs(gain, allowed)
        observed.track[row[j]] = track[i]

    def _update_matched(self, observed: Observations, stamp_ns: int) -> None:
        """Correct the tracks that have a match."""
        row = observed.matched()
        self._tracks.correct(observed.track[row], observed.box[row], stamp_ns)

    def _spawn(self, observed: Observations, stamp_ns: int) -> None:
        """Start tracks."""
        row = observed.unmatched(max(self._rules.new_threshold, self._rules.high_threshold))
        observed.track[row] = len(self._tracks) + np.arange(len(row))
        self._tracks = self._tracks.joined(
            Tracks.from_boxes(observed.box[row], observed.class_id[row], stamp_ns))

    def _confirm(self, *, at_once: bool) -> None:
        """Assign ids to tracks that have `min_hits` matches, or to all of them at once."""
        tracks = self._tracks
        due = ~tracks.confirmed & tracks.tracked
        if not at_once:
            due &= tracks.hits >= self._rules.min_hits
        count = int(np.count_nonzero(due))
        tracks.track_id[due] = np.arange(self._next_id, self._next_id + count)
        self._next_id += count

    def _remove_unconfirmed(self) -> None:
        """Remove unconfirmed tracks that have no match in this frame."""
        self._tracks = self._tracks.select(self._tracks.tracked | self._tracks.confirmed)

    def _remove_duplicates(self) -> None:
        """
        Remove the younger of a tracked and a lost track at one place, if it is new.

        A doubled box starts such a track; while the lost one lives, it can take detections from
        the other.
        """
        tracks = self._tracks
        tracked = np.flatnonzero(tracks.confirmed & tracks.tracked)
        lost = np.flatnonzero(~tracks.tracked)
        if not len(tracked) or not len(lost):
            return
        same = iou(tracks.box[tracked], tracks.box[lost]) > DUPLICATE_IOU
        same &= tracks.class_id[tracked, np.newaxis] == tracks.class_id[lost]
        i, j = np.nonzero(same)
        younger = np.maximum(tracked[i], lost[j])  # Tracks are in the order of age.
        keep = np.ones(len(tracks), dtype=np.bool_)
        keep[younger[tracks.hits[younger] < DUPLICATE_HITS]] = False
        self._tracks = tracks.select(keep)
