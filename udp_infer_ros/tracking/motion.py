# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Motion model: a constant-velocity Kalman filter for all tracks at once.

Noise is relative to the side of the box along the coordinate, so it does not depend on the
distance of the object. The values are those of ByteTrack, per frame at 30 fps:
`_std_weight_position` = 1/20 side and `_std_weight_velocity` = 1/160 side per frame. The variance
of a random walk is proportional to time, so its value per second is 30 times that per frame.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.frame import NO_TRACK

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

MEASUREMENT_STD = 1.0 / 20.0
"""Standard deviation of a detected coordinate, sides."""
POSITION_NOISE = (1.0 / 20.0) ** 2 * 30.0
"""Random walk of a coordinate (jitter), 0.075 sides^2 / s."""
VELOCITY_NOISE = (30.0 / 160.0) ** 2 * 30.0
"""Random walk of a velocity (white acceleration), 1.05 (sides / s)^2 / s."""
INITIAL_POSITION_STD = 2.0 / 20.0
"""Standard deviation of a coordinate of a new track, sides."""
INITIAL_VELOCITY_STD = 10.0 * 30.0 / 160.0
"""Standard deviation of the velocity of a new track, 1.875 sides / s."""


@dataclass(kw_only=True)
class Tracks:
    """
    The tracks of one tracker, as columns of a table; rows are sorted, oldest first.

    Each coordinate of a box has its own Kalman filter with the state (box, velocity). The
    coordinates are independent, so a coordinate has a covariance matrix of three values.
    """

    track_id: NDArray[np.int64]
    """(n,) number from 1, or NO_TRACK until the track is confirmed."""
    class_id: Index
    """(n,) class index."""
    hits: NDArray[np.int64]
    """(n,) number of frames with a match."""
    matched_ns: NDArray[np.int64]
    """(n,) stamp of the last match."""
    tracked: Mask
    """(n,) whether the track was matched in the latest frame; otherwise it is lost."""
    box: Floats
    """(n, 4) center x, center y, width, height, px."""
    velocity: Floats
    """(n, 4) change of `box`, px/s."""
    box_var: Floats
    """(n, 4) variance of `box`, px^2."""
    covariance: Floats
    """(n, 4) covariance of `box` and `velocity`, px^2/s."""
    velocity_var: Floats
    """(n, 4) variance of `velocity`, (px/s)^2."""

    @classmethod
    def from_boxes(cls, box: Floats, class_id: Index, stamp_ns: int) -> Tracks:
        """
        Return one new, unconfirmed track per box.

        :param box: (n, 4) center x, center y, width, height, px.
        :param class_id: (n,) class index.
        :param stamp_ns: stamp of the frame, ns.
        """
        n, side = len(box), _sides(box)
        return cls(
            track_id=np.full(n, NO_TRACK, dtype=np.int64), class_id=class_id,
            hits=np.ones(n, dtype=np.int64), matched_ns=np.full(n, stamp_ns, dtype=np.int64),
            tracked=np.ones(n, dtype=np.bool_), box=box, velocity=np.zeros((n, 4)),
            box_var=(INITIAL_POSITION_STD * side) ** 2, covariance=np.zeros((n, 4)),
            velocity_var=(INITIAL_VELOCITY_STD * side) ** 2)

    @classmethod
    def empty(cls) -> Tracks:
        """Return tracks without rows."""
        return cls.from_boxes(np.empty((0, 4)), np.empty(0, dtype=np.intp), 0)

    def __len__(self) -> int:
        return len(self.track_id)

    @property
    def confirmed(self) -> Mask:
        """Return the mask (n,) of the tracks that have an id."""
        has_id: Mask = self.track_id != NO_TRACK
        return has_id

    def select(self, keep: Mask) -> Tracks:
        """
        Return the selected tracks.

        :param keep: (n,) mask.
        """
        if keep.all():
            return self
        columns: dict[str, Any] = {f.name: getattr(self, f.name)[keep] for f in fields(self)}
        return Tracks(**columns)

    def joined(self, younger: Tracks) -> Tracks:
        """Return these tracks followed by younger ones."""
        columns: dict[str, Any] = {
            f.name: np.concatenate((getattr(self, f.name), getattr(younger, f.name)))
            for f in fields(self)}
        return Tracks(**columns)

    def predict(self, dt_s: float) -> None:
        """
        Advance every track in time (Kalman prediction).

        :param dt_s: seconds since the previous frame, 0 or more.
        """
        # Without measurements, an extrapolated size soon becomes very large or negative.
        self.velocity[~self.tracked, 2:] = 0.0
        square = _sides(self.box) ** 2
        velocity_noise = VELOCITY_NOISE * square * dt_s
        smallest = self.box[:, 2:] / 2.0
        self.box = self.box + self.velocity * dt_s
        self.box[:, 2:] = np.maximum(self.box[:, 2:], smallest)
        self.box_var = (
            self.box_var + 2.0 * dt_s * self.covariance + dt_s ** 2 * self.velocity_var
            + velocity_noise * dt_s ** 2 / 3.0 + POSITION_NOISE * square * dt_s)
        self.covariance = (
            self.covariance + dt_s * self.velocity_var + velocity_noise * dt_s / 2.0)
        self.velocity_var = self.velocity_var + velocity_noise

    def moved(self, matrix: Floats) -> Tracks:
        """
        Return the tracks in the pixels of an image whose camera has moved.

        Centers and their velocities follow the transform, sizes follow its scale. BoT-SORT
        applies the 2 x 2 matrix to every pair of coordinates; under a rotation, that mixes width
        and height.

        :param matrix: (2, 3) transform of points, px.
        """
        linear = matrix[:, :2]
        scale = float(np.sqrt(abs(np.linalg.det(linear))))
        square = linear ** 2  # The diagonal of A P A^T, for independent coordinates.
        return replace(
            self, box=moved_boxes(self.box, matrix),
            velocity=_transform(self.velocity, linear, scale),
            box_var=_transform(self.box_var, square, scale ** 2),
            covariance=_transform(self.covariance, square, scale ** 2),
            velocity_var=_transform(self.velocity_var, square, scale ** 2))

    def correct(self, track: Index, box: Floats, stamp_ns: int) -> None:
        """
        Update the matched tracks with their detections (Kalman update); mark the others as lost.

        :param track: (m,) positions of the matched tracks.
        :param box: (m, 4) their detections: center x, center y, width, height, px.
        :param stamp_ns: stamp of the frame, ns.
        """
        box_var, covariance = self.box_var[track], self.covariance[track]
        velocity_var = self.velocity_var[track]
        noise = (MEASUREMENT_STD * _sides(self.box[track])) ** 2
        total = box_var + noise
        residual = box - self.box[track]
        self.box[track] += box_var / total * residual
        self.velocity[track] += covariance / total * residual
        # Sums of terms >= 0: the usual form with differences can become negative by rounding
        # after hours without a frame.
        determinant = np.maximum(box_var * velocity_var - covariance ** 2, 0.0)
        self.box_var[track] = box_var * noise / total
        self.covariance[track] = covariance * noise / total
        self.velocity_var[track] = (determinant + velocity_var * noise) / total
        self.hits[track] += 1
        self.matched_ns[track] = stamp_ns
        self.tracked[:] = False
        self.tracked[track] = True


def moved_boxes(box: Floats, matrix: Floats) -> Floats:
    """
    Return boxes in the pixels of an image whose camera has moved.

    :param box: (n, 4) center x, center y, width, height, px.
    :param matrix: (2, 3) transform of points, px.
    """
    linear = matrix[:, :2]
    scale = float(np.sqrt(abs(np.linalg.det(linear))))
    moved: Floats = _transform(box, linear, scale) + np.append(matrix[:, 2], (0.0, 0.0))
    return moved


def _transform(values: Floats, linear: Floats, scale: float) -> Floats:
    """Transform (n, 4) values of boxes: the center by a matrix (2, 2), the size by a factor."""
    return np.concatenate((values[:, :2] @ linear.T, values[:, 2:] * scale), axis=1)


def _sides(box: Floats) -> Floats:
    """Return the side along each coordinate: (n, 4) width, height, width, height."""
    return np.concatenate((box[:, 2:], box[:, 2:]), axis=1)
