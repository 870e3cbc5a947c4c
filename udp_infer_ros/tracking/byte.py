# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Tracks: which detection of this frame is the same object as in the frames before.

The association is BYTE: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every
Detection Box", ECCV 2022. Boxes of good score are matched first; boxes of poor score may then
keep a track alive that found none, because a half-hidden object scores low but is still there.

What differs from the paper's code, and why:

* Time comes from stamps, so dropped frames and odd intervals are predicted over, not ignored.
* Matching is gated on the class, as in MMDetection's ByteTracker, so no id changes its class.
* The gate of the first association is the IoU alone. The score only ranks the pairs that passed
  (cost 1 - IoU * score); in the gate it would ask more overlap of a box that is less certain.
* Ids are given at confirmation, so that there are no gaps in them.
* Only a track that has just begun can be a duplicate of another; see `_DUPLICATE_HITS`.

All tracks are columns of one table: the cost of a frame is a few array operations, however many
objects there are, and one assignment problem over the rows that really compete.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
import supervision as sv
from udp_infer_ros.frame import NO_TRACK

__all__ = ['NO_TRACK', 'ByteTracker']

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Mask = NDArray[np.bool_]
_Index = NDArray[np.intp]

_LOW_SCORE_IOU = 0.5
"""Overlap that the second association asks for (the paper's code: distance up to 0.5)."""
_DUPLICATE_IOU = 0.85
"""Two tracks that overlap more may be one object (the paper's code: distance below 0.15)."""
_DUPLICATE_HITS = 5
"""
The younger of them is taken for a duplicate only if it was seen in fewer frames.

The paper's code has no such limit, and kills whoever walks behind another: with it, a synthetic
crowd on four lanes has less than half the id switches, and doubled boxes are still removed.
"""

# Noise is relative to the side of the box along the coordinate, so that near and far objects are
# treated alike. ByteTrack says it per frame at 30 fps: 1/20 of the box for a position, 1/160 for
# a speed. Variances of a random walk grow with time, hence "squared, times 30" per second.
_MEASURED = 1.0 / 20.0
"""Standard deviation of a detected coordinate, in box sides."""
_POSITION_WALK = (1.0 / 20.0) ** 2 * 30.0
"""Position that constant speed does not explain (jitter), 0.075 box sides^2 / s."""
_SPEED_WALK = (30.0 / 160.0) ** 2 * 30.0
"""White acceleration, 1.05 (box sides / s)^2 / s."""
_FIRST_POSITION = 2.0 / 20.0
"""Standard deviation of a new track's coordinates, in box sides."""
_FIRST_SPEED = 10.0 * 30.0 / 160.0
"""Standard deviation of a new track's speed, 1.875 box sides / s."""

_MIN_SIDE_PX = 1e-6
_MAX_PX = 1e9
"""Sides and coordinates outside cannot come from an image, and would under- or overflow."""


@dataclass
class _Tracks:
    """
    The tracks, one row each, the oldest first.

    Each coordinate of a box has its own constant-velocity Kalman filter. Nothing couples them,
    so three numbers per coordinate are the whole covariance.
    """

    track_id: _Ints
    """(n,) NO_TRACK until confirmed."""
    class_id: _Ints
    hits: _Ints
    """(n,) frames with a match."""
    seen_ns: _Ints
    """(n,) stamp of the last match."""
    tracked: _Mask
    """(n,) matched in the latest frame; the others are lost."""
    box: _Floats
    """(n, 4) centre x, centre y, width, height, px."""
    speed: _Floats
    """(n, 4) change of `box`, px/s."""
    var_box: _Floats
    """(n, 4) px^2."""
    cov: _Floats
    """(n, 4) of box and speed, px^2/s."""
    var_speed: _Floats
    """(n, 4) (px/s)^2."""

    @classmethod
    def started(cls, box: _Floats, class_id: _Ints, stamp_ns: int) -> _Tracks:
        """
        Start one unconfirmed track per detection.

        :param box: (n, 4) centre x, centre y, width, height, px.
        :param class_id: (n,).
        """
        n, side = len(box), _sides(box)
        return cls(
            track_id=np.full(n, NO_TRACK, dtype=np.int64), class_id=class_id,
            hits=np.ones(n, dtype=np.int64), seen_ns=np.full(n, stamp_ns, dtype=np.int64),
            tracked=np.ones(n, dtype=np.bool_), box=box, speed=np.zeros((n, 4)),
            var_box=(_FIRST_POSITION * side) ** 2, cov=np.zeros((n, 4)),
            var_speed=(_FIRST_SPEED * side) ** 2)

    @classmethod
    def none(cls) -> _Tracks:
        """Return an empty table."""
        return cls.started(np.empty((0, 4)), np.empty(0, dtype=np.int64), 0)

    def __len__(self) -> int:
        return len(self.track_id)

    @property
    def confirmed(self) -> _Mask:
        """Mask of those that have an id, (n,)."""
        has_id: _Mask = self.track_id != NO_TRACK
        return has_id

    def select(self, keep: _Mask) -> _Tracks:
        """Return the rows where `keep`."""
        if keep.all():
            return self
        columns: dict[str, Any] = {f.name: getattr(self, f.name)[keep] for f in fields(self)}
        return _Tracks(**columns)

    def joined(self, younger: _Tracks) -> _Tracks:
        """Return these rows, then the others."""
        if not len(younger):
            return self
        columns: dict[str, Any] = {
            f.name: np.concatenate((getattr(self, f.name), getattr(younger, f.name)))
            for f in fields(self)}
        return _Tracks(**columns)

    def predict(self, dt_s: float) -> None:
        """
        Move every box to where it should be now.

        :param dt_s: seconds since the latest frame, 0 or more.
        """
        # The change of size of a lost object is a guess that soon explodes or turns negative.
        self.speed[~self.tracked, 2:] = 0.0
        square = _sides(self.box) ** 2
        speed_walk = _SPEED_WALK * square * dt_s
        smallest = self.box[:, 2:] / 2.0
        self.box = self.box + self.speed * dt_s
        self.box[:, 2:] = np.maximum(self.box[:, 2:], smallest)
        self.var_box = (
            self.var_box + 2.0 * dt_s * self.cov + dt_s ** 2 * self.var_speed
            + speed_walk * dt_s ** 2 / 3.0 + _POSITION_WALK * square * dt_s)
        self.cov = self.cov + dt_s * self.var_speed + speed_walk * dt_s / 2.0
        self.var_speed = self.var_speed + speed_walk

    def correct(self, which: _Index, box: _Floats, stamp_ns: int) -> None:
        """
        Pull the matched tracks towards their detections; mark all others as lost.

        :param which: (m,) indices of the matched tracks.
        :param box: (m, 4) their detections: centre x, centre y, width, height, px.
        """
        var_box, cov, var_speed = self.var_box[which], self.cov[which], self.var_speed[which]
        noise = (_MEASURED * _sides(self.box[which])) ** 2
        total = var_box + noise
        residual = box - self.box[which]
        self.box[which] += var_box / total * residual
        self.speed[which] += cov / total * residual
        # Sums of what is not negative: unlike the textbook's differences they cannot turn
        # negative by rounding after hours without a frame.
        determinant = np.maximum(var_box * var_speed - cov ** 2, 0.0)
        self.var_box[which] = var_box * noise / total
        self.cov[which] = cov * noise / total
        self.var_speed[which] = (determinant + var_speed * noise) / total
        self.hits[which] += 1
        self.seen_ns[which] = stamp_ns
        self.tracked[:] = False
        self.tracked[which] = True


@dataclass
class _Rows:
    """The detections of one frame, and the track that each has found."""

    box: _Floats
    """(n, 4) centre x, centre y, width, height, px."""
    class_id: _Ints
    score: NDArray[Any]
    """(n,) in the detector's own precision, so that 0.7 from a float32 is not below 0.7."""
    usable: _Mask
    """(n,) the box is finite and has an area."""

    @classmethod
    def of(cls, detections: sv.Detections) -> _Rows:
        """
        Copy what matters here out of the detections.

        :raises ValueError: if there are rows, but no scores or no classes.
        """
        columns = {'confidence': detections.confidence, 'class_id': detections.class_id}
        for name, column in columns.items():
            if column is None and len(detections.xyxy):
                raise ValueError(
                    f'detections.{name} = None: the tracker needs one per row; '
                    'take the detections of a detector that gives it')
        if not len(detections.xyxy):
            empty = np.empty(0, dtype=np.int64)
            return cls(np.empty((0, 4)), empty, np.empty(0), empty.astype(np.bool_))
        corners = np.asarray(detections.xyxy, dtype=np.float64)
        score = np.asarray(detections.confidence)
        with np.errstate(invalid='ignore', over='ignore'):
            centre = (corners[:, :2] + corners[:, 2:]) / 2.0
            side = corners[:, 2:] - corners[:, :2]
            sound = np.hstack((np.abs(corners) <= _MAX_PX, side >= _MIN_SIDE_PX))
        usable = np.asarray(sound.all(axis=1), dtype=np.bool_)
        class_id = np.asarray(detections.class_id).astype(np.int64)
        return cls(np.hstack((centre, side)), class_id, score, usable)

    def between(self, low: float, high: float = np.inf) -> _Mask:
        """
        Return the mask of the usable rows with low <= score < high, (n,).

        A score that is not finite is in no such range.
        """
        return self.usable & (self.score >= low) & (self.score < high)


@dataclass(frozen=True)
class _Rules:
    """The thresholds in force; see `ByteTracker`."""

    high_threshold: float
    low_threshold: float
    new_threshold: float
    match_iou: float
    min_hits: int
    lost_s: float


class ByteTracker:
    """
    Gives every detection the id of its track. Instances share nothing.

    One thread at a time. Ids are 1, 2, 3, ... in the order of confirmation and are never used
    twice, not even after `reset()`.

    :param high_threshold: score from which on a row takes part in the first association. Higher
        leaves more objects to the second one, which finds only what has hardly moved.
    :param low_threshold: score below which a row is ignored. Lower bridges deeper dips of the
        score, and lets more false boxes keep a track alive.
    :param new_threshold: score from which on an unmatched row starts a track. Rows below
        `high_threshold` never start one, even if this is lower.
    :param match_iou: least overlap, 0 to 1, of a detection and the place where its track is
        expected. Lower follows faster objects, and confuses close ones sooner. Boxes that do not
        touch are never matched.
    :param min_hits: frames in a row in which an object is seen before it gets an id. Higher
        suppresses flicker, and gives ids later. The first frame gives its ids at once.
    :param lost_s: how long a track outlives its last match, seconds between stamps. If frames
        are further apart than this, no track lives to see a second one.
    """

    def __init__(
        self, *, high_threshold: float = 0.4, low_threshold: float = 0.1,
        new_threshold: float = 0.4, match_iou: float = 0.2, min_hits: int = 2,
        lost_s: float = 1.0,
    ) -> None:
        self._rules = _Rules(
            high_threshold, low_threshold, new_threshold, match_iou, min_hits, lost_s)
        self._next_id = 1
        self.reset()

    @property
    def active_count(self) -> int:
        """Count the confirmed tracks: seen in the latest frame, or lost not long ago."""
        return int(np.count_nonzero(self._tracks.confirmed))

    def configure(
        self, *, high_threshold: float | None = None, low_threshold: float | None = None,
        new_threshold: float | None = None, match_iou: float | None = None,
        min_hits: int | None = None, lost_s: float | None = None,
    ) -> None:
        """
        Change thresholds between two frames; tracks and ids survive.

        The parameters are those of the class. What is not given stays as it is.
        """
        asked: dict[str, Any] = {
            'high_threshold': high_threshold, 'low_threshold': low_threshold,
            'new_threshold': new_threshold, 'match_iou': match_iou, 'min_hits': min_hits,
            'lost_s': lost_s}
        given = {name: value for name, value in asked.items() if value is not None}
        self._rules = replace(self._rules, **given)

    def reset(self) -> None:
        """Forget all tracks. The next frame is a first one; ids go on where they were."""
        self._tracks = _Tracks.none()
        self._stamp_ns: int | None = None

    def update(self, detections: sv.Detections, stamp_ns: int) -> NDArray[np.int64]:
        """
        Take one frame, empty or not, and say which track each of its rows belongs to.

        :param detections: `xyxy` (n, 4) px, `confidence` (n,), `class_id` (n,); not modified.
            Rows that are not finite or have no area stay without a track. Without rows,
            `confidence` and `class_id` are not asked for.
        :param stamp_ns: when the image was captured, nanoseconds, 64 bit. If it is earlier than
            the stamp before, time has begun anew (a looped recording) and so do the tracks.
        :return: (n,) track ids in the order of the rows, NO_TRACK where there is none.
        :raises ValueError: if there are rows, but no scores or no classes; nothing has changed.
        """
        rows = _Rows.of(detections)
        first = self._advance(stamp_ns)
        row_of = self._associate(rows)
        free = rows.usable.copy()
        free[row_of[row_of >= 0]] = False
        row_of = self._settle(rows, row_of, stamp_ns)
        row_of = self._start(rows, free, row_of, stamp_ns)
        self._confirm(at_once=first)
        answer = np.full(len(rows.box), NO_TRACK, dtype=np.int64)
        found = row_of >= 0
        answer[row_of[found]] = self._tracks.track_id[found]
        self._drop_duplicates()
        return answer

    def _advance(self, stamp_ns: int) -> bool:
        """
        Bring the tracks to a new time, without those that have been lost for too long.

        :return: whether this is a first frame.
        """
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self.reset()
        before_ns, self._stamp_ns = self._stamp_ns, stamp_ns
        if before_ns is None:
            return True
        # In ns, where 0.3 s is a whole number: in seconds it would be a little more than 0.3.
        self._tracks = self._tracks.select(
            stamp_ns - self._tracks.seen_ns <= self._rules.lost_s * 1e9)
        self._tracks.predict((stamp_ns - before_ns) * 1e-9)
        return False

    def _associate(self, rows: _Rows) -> _Index:
        """
        Find the row of each track, in three rounds over what is still free.

        :return: (tracks,) row indices, -1 for a track that found none.
        """
        rules, tracks = self._rules, self._tracks
        row_of = np.full(len(tracks), -1, dtype=np.intp)
        high = rows.between(max(rules.high_threshold, rules.low_threshold))
        low = rows.between(rules.low_threshold, rules.high_threshold)

        def match(of: _Mask, to: _Mask, min_iou: float, *, fuse: bool) -> None:
            track, row = np.flatnonzero(of & (row_of < 0)), np.flatnonzero(to)
            if len(track) and len(row):
                i, j = _best_pairs(tracks, track, rows, row, min_iou, fuse=fuse)
                row_of[track[i]] = row[j]
                to[row[j]] = False

        match(tracks.confirmed, high, rules.match_iou, fuse=True)
        # Only what was there a moment ago: a poor box is no evidence for a track lost before.
        match(tracks.confirmed & tracks.tracked, low, _LOW_SCORE_IOU, fuse=False)
        match(~tracks.confirmed, high, rules.match_iou, fuse=True)
        return row_of

    def _settle(self, rows: _Rows, row_of: _Index, stamp_ns: int) -> _Index:
        """
        Update the matched tracks and drop the unconfirmed ones that missed this frame.

        :return: `row_of` of the tracks that remain.
        """
        matched = np.flatnonzero(row_of >= 0)
        self._tracks.correct(matched, rows.box[row_of[matched]], stamp_ns)
        keep = self._tracks.tracked | self._tracks.confirmed
        self._tracks = self._tracks.select(keep)
        return row_of[keep]

    def _start(self, rows: _Rows, free: _Mask, row_of: _Index, stamp_ns: int) -> _Index:
        """
        Start tracks from the good rows that nobody wanted.

        :return: `row_of`, with the rows of the new tracks at its end.
        """
        rules = self._rules
        good = rows.between(max(rules.new_threshold, rules.high_threshold, rules.low_threshold))
        row = np.flatnonzero(free & good)
        self._tracks = self._tracks.joined(
            _Tracks.started(rows.box[row], rows.class_id[row], stamp_ns))
        return np.concatenate((row_of, row))

    def _confirm(self, *, at_once: bool) -> None:
        """Give ids to the tracks that have been seen often enough."""
        due = ~self._tracks.confirmed
        if not at_once:
            due &= self._tracks.hits >= self._rules.min_hits
        count = int(np.count_nonzero(due))
        self._tracks.track_id[due] = np.arange(self._next_id, self._next_id + count)
        self._next_id += count

    def _drop_duplicates(self) -> None:
        """
        Drop the younger of a tracked and a lost track in one place, if it has just begun.

        A doubled box starts such a track; while the lost one lives, it may steal detections.
        """
        tracks = self._tracks
        here = np.flatnonzero(tracks.confirmed & tracks.tracked)
        lost = np.flatnonzero(~tracks.tracked)
        if not len(here) or not len(lost):
            return
        same = _iou(tracks.box[here], tracks.box[lost]) > _DUPLICATE_IOU
        same &= tracks.class_id[here, np.newaxis] == tracks.class_id[lost]
        i, j = np.nonzero(same)
        younger = np.maximum(here[i], lost[j])  # rows are in the order of age
        keep = np.ones(len(tracks), dtype=np.bool_)
        keep[younger[tracks.hits[younger] < _DUPLICATE_HITS]] = False
        self._tracks = tracks.select(keep)


def _best_pairs(
    tracks: _Tracks, track: _Index, rows: _Rows, row: _Index, min_iou: float, *, fuse: bool,
) -> tuple[_Index, _Index]:
    """
    Pair tracks and rows of one class so that the sum of IoU (times score) is largest.

    This is the least sum of the cost 1 - IoU * score, a pair that is not allowed costing 1.

    :param track: (t,) indices of the tracks that take part.
    :param row: (r,) indices of the rows that take part.
    :param fuse: whether the score counts.
    :return: positions in `track` and in `row` of the pairs.
    """
    gain = _iou(tracks.box[track], rows.box[row])
    allowed = (gain >= min_iou) & (gain > 0.0)
    allowed &= tracks.class_id[track, np.newaxis] == rows.class_id[row]
    if fuse:
        gain *= rows.score[row]
    # Most pairs have no rival. Taking them out first gives the same answer, and leaves to the
    # assignment, which is cubic, a small problem.
    rivals = (allowed.sum(axis=1)[:, np.newaxis] > 1) | (allowed.sum(axis=0) > 1)
    easy_i, easy_j = np.nonzero(allowed & ~rivals)
    allowed &= rivals
    i, j = np.flatnonzero(allowed.any(axis=1)), np.flatnonzero(allowed.any(axis=0))
    if len(i):
        grid = np.ix_(i, j)
        a, b = linear_sum_assignment(np.where(allowed[grid], gain[grid], 0.0), maximize=True)
        paired = allowed[i[a], j[b]]
        i, j = i[a[paired]], j[b[paired]]
    return np.concatenate((easy_i, i)), np.concatenate((easy_j, j))


def _iou(a: _Floats, b: _Floats) -> _Floats:
    """
    Return the intersection over union of every box of `a` with every box of `b`.

    :param a: (n, 4) centre x, centre y, width, height, sides > 0.
    :param b: (m, 4) likewise.
    :return: (n, m) from 0 to 1.
    """
    overlap = np.ones((len(a), len(b)))
    for axis in (0, 1):
        a_low, a_high = a[:, axis] - a[:, axis + 2] / 2.0, a[:, axis] + a[:, axis + 2] / 2.0
        b_low, b_high = b[:, axis] - b[:, axis + 2] / 2.0, b[:, axis] + b[:, axis + 2] / 2.0
        extent = np.minimum(a_high[:, np.newaxis], b_high)
        extent -= np.maximum(a_low[:, np.newaxis], b_low)
        overlap *= np.maximum(extent, 0.0, out=extent)
    union = (a[:, 2] * a[:, 3])[:, np.newaxis] + b[:, 2] * b[:, 3]
    union -= overlap
    # Rounding may make the overlap of two slivers larger than their areas.
    iou: _Floats = np.minimum(overlap / np.maximum(union, np.finfo(np.float64).tiny), 1.0)
    return iou


def _sides(box: _Floats) -> _Floats:
    """Return the side along each coordinate: (n, 4) width, height, width, height."""
    return np.tile(box[:, 2:], 2)
