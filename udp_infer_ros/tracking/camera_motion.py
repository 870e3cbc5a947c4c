# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Camera motion: the transform of the background from one frame to the next, from the images.

Corners (Shi and Tomasi, "Good Features to Track", CVPR 1994) outside the detections of the
previous frame are followed into this one by sparse optical flow (Bouguet, "Pyramidal
Implementation of the Lucas Kanade Feature Tracker", Intel 2000). A similarity transform is fitted
to them with RANSAC, as in BoT-SORT (Aharon et al., 2022). Sparse flow is the most precise of the
methods compared in docs/tracking.md, and the fastest that follows a rotation or a large shift.

A test in front of it skips all this while the camera is still: one Gauss-Newton step of image
registration (Lucas and Kanade, IJCAI 1981) for a similarity transform, on a picture of 80 columns.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
import threading
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.boxes import Boxes
from udp_infer_ros.frame import Detections

Gray = NDArray[np.uint8]
Affine = NDArray[np.float64]
"""(2, 3) matrix; maps a point of the previous frame to this frame, px of the input image."""

Outcome = Literal[
    'still', 'moving', 'first', 'resized', 'featureless', 'few_points', 'few_inliers',
    'implausible', 'less_overlap', 'repeated', 'voted']
"""
Result of an estimate. `still`, `moving` and `resized` have a transform.

`less_overlap`, `repeated` and `voted` are decisions of the tracker, see compensation.py.
"""

KNOWN: tuple[Outcome, ...] = ('still', 'moving', 'resized', 'repeated', 'voted')
"""The outcomes with a transform."""
IDENTITY: Affine = np.eye(2, 3)
DEADBAND = 0.6 / 1280.0
"""Smaller motions are none (RMS over the image, image widths): noise would shake the tracks."""
MAX_SCALE = 1.18
MAX_ANGLE_RAD = np.deg2rad(15.0)
MIN_POINTS = 12
MIN_INLIERS = 0.5
"""Least share of the followed points that agree with the transform."""
MAX_POINTS = 120
MIN_CONTRAST = 2.0
"""Least standard deviation of the gray values; a dark or blank image has no texture to follow."""
MASK_SCORE = 0.25
"""Detections from this score on are left out."""
MASK_MARGIN = 0.05
"""The boxes of the detections are enlarged by this on each side, sides."""
STILL_COLUMNS = 80
CORNER_COLUMNS = 160
"""Corners are found in an image of this width, which takes less time and has less noise."""
FLOW_WINDOW = (17, 17)
FLOW_LEVELS = 4
FLOW_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.03)
RANSAC_PX = 1.5
"""Largest error of an inlier, px of the gray image."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """The motion of the camera between two frames."""

    outcome: Outcome
    matrix: Affine | None = None
    """Transform from the previous frame to this one, or None if it is unknown."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _View:
    """What one frame leaves for the next: the gray image, reduced copies, and boxes."""

    gray: Gray
    tiny: Gray
    image_size: tuple[int, int]
    """(width, height) of the input image, px."""


class CameraMotion:
    """
    Estimates the motion of the camera from frame to frame. Not thread-safe.

    Call `estimate` for each frame, then `accept` with its detections. Without `accept`, the next
    estimate starts from the frame before.
    """

    def __init__(self) -> None:
        self._previous: _View | None = None
        self._latest: _View | None = None
        self._boxes: Boxes = np.empty((0, 4))

    def reset(self) -> None:
        """Forget the previous frame."""
        self._previous = self._latest = None

    def accept(self, detections: Detections) -> None:
        """
        Make the latest frame the one that the next estimate starts from.

        :param detections: its parts that may move on their own.
        """
        self._previous = self._latest
        self._boxes = detections.xyxy[detections.score >= MASK_SCORE]

    def estimate(self, gray: Gray, image_size: tuple[int, int]) -> Estimate:
        """
        Estimate the transform from the previous frame to this one.

        :param gray: (height, width), the whole frame at any size; not modified later.
        :param image_size: (width, height) of the input image, px, to which the result refers.
        """
        height = max(round(STILL_COLUMNS * gray.shape[0] / gray.shape[1]), 1)
        tiny = _resize(gray, (STILL_COLUMNS, height))
        previous = self._previous
        view = self._latest = _View(gray=gray, tiny=tiny, image_size=image_size)
        if previous is None:
            return Estimate(outcome='first')
        if previous.image_size != image_size or previous.gray.shape != gray.shape:
            return Estimate(
                outcome='resized', matrix=_scaling(previous.image_size, image_size))
        if self._is_still(previous, view):
            return Estimate(outcome='still', matrix=IDENTITY)
        return self._follow(previous, view)

    def _is_still(self, previous: _View, view: _View) -> bool:
        """
        Test for a motion within the deadband.

        A difference that one step does not explain (a larger motion, a cut) fails the test.
        """
        a, b = previous.tiny, view.tiny
        mask = self._mask(a.shape, previous.image_size).astype(np.float32) / 255.0
        dx = cv2.Sobel(a, cv2.CV_32F, 1, 0, ksize=3, scale=1.0 / 8.0) * mask
        dy = cv2.Sobel(a, cv2.CV_32F, 0, 1, ksize=3, scale=1.0 / 8.0) * mask
        height, width = a.shape
        x = np.arange(width, dtype=np.float32) - (width - 1) / 2.0
        y = (np.arange(height, dtype=np.float32) - (height - 1) / 2.0)[:, np.newaxis]
        # Columns: shift in x and y, scale, rotation, brightness; then the difference.
        rows = np.stack((
            dx, dy, dx * x + dy * y, dy * x - dx * y, mask,
            cv2.subtract(b, a, dtype=cv2.CV_32F) * mask)).reshape(6, -1)
        products = cv2.mulTransposed(rows, False, dtype=cv2.CV_64F)
        texture = products[0, 0] + products[1, 1]
        brightness = products[4, 5] ** 2 / max(products[4, 4], 1.0)
        # A mean square of the difference above a quarter of that of the gradient: half a pixel.
        if texture <= 0.0 or products[5, 5] - brightness > 0.25 * texture:
            return bool(products[5, 5] == 0.0 and mask.any())
        step = np.linalg.solve(
            products[:5, :5] + 1e-3 * np.eye(5), -products[:5, 5])
        spread = (width ** 2 + height ** 2) / 5.0  # mean over the corners and the center
        rms = np.sqrt(np.sum(step[:2] ** 2) + np.sum(step[2:4] ** 2) * spread)
        return bool(rms < DEADBAND * width)

    def _follow(self, previous: _View, view: _View) -> Estimate:
        """Follow corners of the previous frame into this one, and fit a transform."""
        (mean, std), (mean_now, std_now) = _contrast(previous.tiny), _contrast(view.tiny)
        if min(std, std_now) < MIN_CONTRAST:
            return Estimate(outcome='featureless')
        gray = view.gray
        if abs(mean - mean_now) > 2.0 or abs(std / std_now - 1.0) > 0.05:
            # Flow assumes constant brightness; a new exposure would break it.
            gray = np.asarray(cv2.convertScaleAbs(
                gray, alpha=std / std_now, beta=mean - mean_now * std / std_now), dtype=np.uint8)
        begin = self._corners(previous)
        if len(begin) < MIN_POINTS:
            return Estimate(outcome='few_points')
        end, found, _ = cv2.calcOpticalFlowPyrLK(
            previous.gray, gray, begin, np.empty_like(begin), winSize=FLOW_WINDOW,
            maxLevel=FLOW_LEVELS, criteria=FLOW_CRITERIA)
        followed = found[:, 0] == 1
        if np.count_nonzero(followed) < MIN_POINTS:
            return Estimate(outcome='few_points')
        scale = np.array(view.image_size) / np.array(gray.shape[::-1])
        begin, end = (
            (points[followed] + 0.5) * scale - 0.5 for points in (begin, end))
        return _fit(begin, end, RANSAC_PX * float(scale.max()), view.image_size)

    def _corners(self, view: _View) -> NDArray[np.float32]:
        """Return (n, 2) corners outside the detections, px of the gray image."""
        height, width = view.gray.shape
        size = (CORNER_COLUMNS, max(round(CORNER_COLUMNS * height / width), 1))
        small = _resize(view.gray, size)
        points = cv2.goodFeaturesToTrack(
            small, MAX_POINTS, 0.01, size[0] / 32.0, mask=self._mask(small.shape, view.image_size),
            blockSize=3)
        if points is None:
            return np.empty((0, 2), dtype=np.float32)
        scale = np.array((width, height)) / np.array(size)
        corners: NDArray[np.float32] = (
            (points.reshape(-1, 2) + 0.5) * scale - 0.5).astype(np.float32)
        return corners

    def _mask(self, shape: tuple[int, ...], image_size: tuple[int, int]) -> Gray:
        """Return 255 outside the detections, for a reduced image of a shape."""
        mask = np.full(shape, 255, dtype=np.uint8)
        if not len(self._boxes):
            return mask
        scale = np.tile(np.array(shape[::-1]) / np.array(image_size), 2)
        boxes = self._boxes * scale
        margin = np.tile((boxes[:, 2:] - boxes[:, :2]) * MASK_MARGIN, 2)
        low = np.maximum(np.floor(boxes - margin), 0).astype(int)
        high = np.maximum(np.ceil(boxes + margin), 0).astype(int)
        for (x1, y1), (x2, y2) in zip(low[:, :2].tolist(), high[:, 2:].tolist()):
            mask[y1:y2, x1:x2] = 0
        return mask


class MotionCounts:
    """Counts of estimates by outcome, and the sizes of the latest motions. Thread-safe."""

    def __init__(self, window: int = 256) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._motions_px: deque[float] = deque(maxlen=window)

    def add(self, estimate: Estimate, image_size: tuple[int, int]) -> None:
        """Count the motion that was applied to one frame."""
        with self._lock:
            self._counts[estimate.outcome] += 1
            if estimate.matrix is not None:
                self._motions_px.append(rms_px(estimate.matrix, image_size))

    def values(self) -> Mapping[str, object]:
        """Return the share of frames with a transform, counts by outcome, and motions in px."""
        with self._lock:
            counts, motions_px = dict(self._counts), list(self._motions_px)
        total = sum(counts.values())
        if not total:
            return {}
        known = sum(counts.get(name, 0) for name in KNOWN)
        values: dict[str, object] = {'motion_known_percent': round(100.0 * known / total, 1)}
        values.update({f'motion_{name}': count for name, count in sorted(counts.items())})
        if motions_px:
            values['motion_median_px'] = round(float(np.median(motions_px)), 2)
            values['motion_max_px'] = round(max(motions_px), 2)
        return values


def rms_px(matrix: Affine, image_size: tuple[int, int]) -> float:
    """
    Return the size of a motion: the root mean square over the corners and the center, px.

    :param image_size: (width, height), px.
    """
    width, height = image_size
    points = np.array(
        ((0, 0), (width, 0), (0, height), (width, height), (width / 2, height / 2)), dtype=float)
    moved = points @ matrix[:, :2].T + matrix[:, 2] - points
    return float(np.sqrt(np.mean(np.sum(moved ** 2, axis=1))))


def _fit(
    begin: NDArray[np.float64], end: NDArray[np.float64], tolerance_px: float,
    image_size: tuple[int, int],
) -> Estimate:
    """Fit a similarity transform to pairs of points (n, 2), px of the input image."""
    fitted, inliers = cv2.estimateAffinePartial2D(
        begin, end, method=cv2.RANSAC, ransacReprojThreshold=tolerance_px, maxIters=500,
        confidence=0.99)
    if fitted is None or not np.isfinite(fitted).all():
        return Estimate(outcome='few_inliers')
    if np.count_nonzero(inliers) < max(MIN_POINTS, MIN_INLIERS * len(begin)):
        return Estimate(outcome='few_inliers')
    matrix = np.asarray(fitted, dtype=np.float64)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    angle_rad = abs(float(np.arctan2(matrix[1, 0], matrix[0, 0])))
    if not 1.0 / MAX_SCALE <= scale <= MAX_SCALE or angle_rad > MAX_ANGLE_RAD:
        return Estimate(outcome='implausible')
    if rms_px(matrix, image_size) < DEADBAND * image_size[0]:
        return Estimate(outcome='still', matrix=IDENTITY)
    return Estimate(outcome='moving', matrix=matrix)


def _scaling(before: tuple[int, int], after: tuple[int, int]) -> Affine:
    """Return the transform of an image that shows the same at another size."""
    return np.column_stack((np.diag(np.array(after) / np.array(before)), (0.0, 0.0)))


def _resize(gray: Gray, size: tuple[int, int]) -> Gray:
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _contrast(gray: Gray) -> tuple[float, float]:
    """Return the mean and the standard deviation of the gray values."""
    mean, std = cv2.meanStdDev(gray)
    return float(mean[0, 0]), float(std[0, 0])
