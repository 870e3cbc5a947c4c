# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
BYTE: match high-score detections to tracks first, then low-score ones to the remaining tracks.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022.
The score of a partly occluded object is low, but its box can still continue its track.

Differences from the paper's code, and why:

* The prediction uses stamps, so it is correct for dropped frames and irregular intervals.
* Only boxes of the track's class are matched, as in MMDetection's ByteTracker, so the class of an
  id does not change.
* The gate of the first association is the IoU alone. The score only ranks the pairs that pass
  (cost 1 - IoU * score); with the score in the gate, low-score boxes would need more overlap.
* Ids are assigned at confirmation, so they are consecutive.
* The motion of the camera is compensated, if it is known; see compensation.py.
* Only a new track can be a duplicate of another one; see `DUPLICATE_HITS`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.boxes import center_size_from_corners
from udp_infer_ros.frame import Detections, NO_TRACK
from udp_infer_ros.settings import TrackSettings
from udp_infer_ros.tracking.association import best_pairs, overlapping, Pairs
from udp_infer_ros.tracking.camera_motion import Estimate, IDENTITY
from udp_infer_ros.tracking.compensation import compensate
from udp_infer_ros.tracking.motion import Floats, Index, Mask, Tracks

LOW_SCORE_IOU = 0.5
"""Least IoU in the second association (the paper's code: a distance up to 0.5)."""
DUPLICATE_IOU = 0.85
"""Two tracks with a larger IoU may be one object (the paper's code: a distance below 0.15)."""
DUPLICATE_HITS = 5
"""
The younger of two such tracks is a duplicate only if it has fewer hits.

The paper's code has no such limit, and removes tracks of objects that pass behind others. With
the limit, a synthetic crowd on four lanes has less than half the id switches, and tracks of
duplicate boxes are still removed.
"""

_MIN_SIDE_PX = 1e-6
_MAX_PX = 1e9
"""Sides and coordinates beyond these are not from an image, and would underflow or overflow."""
_UNMATCHED = -1


@dataclass(kw_only=True)
class Observations:
    """The detections of one frame that are finite and have an area, and their tracks."""

    row: Index
    """(n,) position in Detections."""
    box: Floats
    """(n, 4) center x, center y, width, height, px."""
    class_id: Index
    """(n,) class index."""
    score: NDArray[np.float32]
    """(n,) float32 as in Detections: in float64, a float32 of 0.7 would be below 0.7."""
    track: Index
    """(n,) position of the matched track, or -1."""

    @classmethod
    def from_detections(cls, detections: Detections) -> Observations:
        """Convert detections, without matches."""
        corners = detections.xyxy.astype(np.float64)
        with np.errstate(invalid='ignore'):
            box = np.asarray(center_size_from_corners(corners), dtype=np.float64)
            valid = (np.abs(corners) <= _MAX_PX).all(axis=1)
            valid &= (box[:, 2:] >= _MIN_SIDE_PX).all(axis=1)
        valid &= np.isfinite(detections.score)
        row = np.flatnonzero(valid)
        return cls(
            row=row, box=box[row], class_id=detections.class_id[row],
            score=detections.score[row], track=np.full(len(row), _UNMATCHED, dtype=np.intp))


class ByteTracker:
    """
    A tracker that assigns a track id to each detection. Not thread-safe.

    Ids are 1, 2, 3, ... in the order of confirmation. An instance uses each id once, also after
    `reset`.

    :param rules: the thresholds, see `TrackSettings`. With any of them, detections below
        `high_threshold` start no tracks, and boxes that do not overlap are not matched.
    """

    def __init__(self, rules: TrackSettings) -> None:
        self._rules = rules
        self._next_id = 1
        self.camera_motion: Estimate | None = None
        """The motion that the latest `update` applied, see `compensate`."""
        self._known_motion = IDENTITY
        self.reset()

    def configure(self, rules: TrackSettings) -> None:
        """Change the thresholds between two frames; tracks and ids continue."""
        self._rules = rules

    def reset(self) -> None:
        """Remove all tracks. The next frame counts as the first one; ids continue."""
        self._tracks = Tracks.empty()
        self._stamp_ns: int | None = None

    def update(
        self, detections: Detections, stamp_ns: int, estimate: Estimate | None = None,
    ) -> NDArray[np.int64]:
        """
        Match the detections of one frame to tracks.

        :param detections: (n) rows in any order, not modified. Rows that are not finite or have
            no area get no track.
        :param stamp_ns: capture time of the image, ns. A stamp earlier than the previous one (a
            recording that loops) resets the tracker.
        :param estimate: motion of the camera since the previous call; None: do not compensate.
        :return: (n,) track id of each row, or NO_TRACK.
        """
        rules, observed = self._rules, Observations.from_detections(detections)
        high = observed.score >= rules.high_threshold
        low = ~high & (observed.score >= rules.low_threshold)

        # Step 1: predict the box of every track, and move it with the image.
        is_first_frame = self._predict(stamp_ns)
        self.camera_motion = estimate
        if estimate is not None:
            self._tracks, self.camera_motion = compensate(
                self._tracks, observed.box[high], observed.class_id[high], estimate,
                self._known_motion)
            if self.camera_motion.matrix is not None:
                self._known_motion = self.camera_motion.matrix
        tracks = self._tracks
        pairs = overlapping(tracks.box, tracks.class_id, observed.box, observed.class_id)

        # Step 2: first association, with high-score boxes.
        pairs = self._associate(
            pairs, tracks.confirmed, observed, high, rules.match_iou, fuse_score=True)

        # Step 3: second association, with low-score boxes. Only for tracks that were matched in
        # the previous frame: a low score is not sufficient to find a lost track again.
        pairs = self._associate(
            pairs, tracks.confirmed & tracks.tracked, observed, low, LOW_SCORE_IOU,
            fuse_score=False)

        # Step 4: unconfirmed tracks, with the remaining high-score boxes.
        self._associate(
            pairs, ~tracks.confirmed, observed, high, rules.match_iou, fuse_score=True)
        self._update_matched(observed, stamp_ns)

        # Step 5: new tracks, from the remaining high-score boxes.
        self._spawn(observed, stamp_ns)
        self._confirm(at_once=is_first_frame)
        matched = observed.track != _UNMATCHED
        ids = np.full(len(detections), NO_TRACK, dtype=np.int64)
        ids[observed.row[matched]] = self._tracks.track_id[observed.track[matched]]

        # Step 6: remove unconfirmed tracks without a match, and duplicates.
        self._remove_unconfirmed()
        self._remove_duplicates()
        return ids

    def _predict(self, stamp_ns: int) -> bool:
        """
        Advance the tracks to a new time; remove those that are lost for longer than `lost_s`.

        :return: whether this is the first frame, also after a reset.
        """
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self.reset()
        previous_ns, self._stamp_ns = self._stamp_ns, stamp_ns
        if previous_ns is None:
            return True
        # In integer ns: a difference of 0.3 s, computed in seconds, can be slightly above 0.3.
        self._tracks = self._tracks.select(
            stamp_ns - self._tracks.matched_ns <= self._rules.lost_s * 1e9)
        self._tracks.predict((stamp_ns - previous_ns) * 1e-9)
        return False

    def _associate(
        self, pairs: Pairs, candidates: Mask, observed: Observations, rows: Mask, min_iou: float,
        *, fuse_score: bool,
    ) -> Pairs:
        """
        Match tracks to boxes so that the sum of IoU (times score) is largest.

        :param pairs: the tracks and boxes without a match that overlap.
        :param candidates: (tracks,) which tracks take part.
        :param rows: (n,) which boxes take part.
        :param min_iou: least IoU of a pair.
        :param fuse_score: whether to multiply the IoU by the score.
        :return: the pairs whose track and box are still without a match.
        """
        possible = pairs[candidates[pairs.a] & rows[pairs.b] & (pairs.gain >= min_iou)]
        if not len(possible):
            return pairs
        if fuse_score:
            possible = replace(possible, gain=possible.gain * observed.score[possible.b])
        best = best_pairs(possible)
        observed.track[best.b] = best.a
        free = np.ones(len(candidates), dtype=np.bool_)
        free[best.a] = False
        return pairs[free[pairs.a] & (observed.track[pairs.b] == _UNMATCHED)]

    def _update_matched(self, observed: Observations, stamp_ns: int) -> None:
        """Update the tracks that have a match; mark the others as lost."""
        row = np.flatnonzero(observed.track != _UNMATCHED)
        self._tracks.correct(observed.track[row], observed.box[row], stamp_ns)

    def _spawn(self, observed: Observations, stamp_ns: int) -> None:
        """Start a track for each remaining high-score row."""
        least = max(self._rules.new_threshold, self._rules.high_threshold)
        row = np.flatnonzero((observed.track == _UNMATCHED) & (observed.score >= least))
        if len(row):
            observed.track[row] = len(self._tracks) + np.arange(len(row))
            self._tracks = self._tracks.joined(
                Tracks.from_boxes(observed.box[row], observed.class_id[row], stamp_ns))

    def _confirm(self, *, at_once: bool) -> None:
        """Assign ids to new tracks: those with `min_hits` matches, or all if `at_once`."""
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
        Remove duplicates: if a tracked and a lost track overlap, the younger one if it is new.

        A second box on an object starts such a track. While the lost track exists, it can be
        matched to detections of the other one.
        """
        tracks = self._tracks
        tracked = np.flatnonzero(tracks.confirmed & tracks.tracked)
        lost = np.flatnonzero(~tracks.tracked)
        if not len(tracked) or not len(lost):
            return
        pairs = overlapping(
            tracks.box[tracked], tracks.class_id[tracked], tracks.box[lost], tracks.class_id[lost])
        same = pairs[pairs.gain > DUPLICATE_IOU]
        younger = np.maximum(tracked[same.a], lost[same.b])  # Tracks are sorted, oldest first.
        keep = np.ones(len(tracks), dtype=np.bool_)
        keep[younger[tracks.hits[younger] < DUPLICATE_HITS]] = False
        self._tracks = tracks.select(keep)
