# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The distance of the object in a box, from the pixels of a depth image."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

CENTRAL_PART = 0.7
"""The part of the width and of the height of a box in which pixels are sampled."""
GRID = 18
"""Pixels are sampled in so many columns and rows."""
SURROUND = 1.3
"""Pixels are also sampled on the outline of a box whose sides are longer by this factor."""
BIN = 0.01
"""Width of a bin of the histogram: a factor of e to the power of this, so about two percent."""
WINDOW = 3
"""Bins in the window that smooths the histogram; odd."""
MIN_VALID = 1 / 3
"""Lowest share of valid samples. Otherwise, the object itself is probably without depth."""
MIN_PEAK = 0.03
"""Lowest share of the valid samples in the window of a peak."""
VALLEY, FLANK = 0.2, 3.0
"""A mode ends where the density falls below, or rises above, these multiples of its peak."""
MAX_MODES = 8
"""So many modes are examined, from the nearest on."""
MIN_CONTRAST = 0.1
"""If no mode has a higher contrast, the object has the depth of what surrounds it."""
CONTRAST = 0.5
"""The nearest mode with this part of the highest contrast is the object."""
DOMINANT = 0.2
"""Without contrast, the nearest mode with this share of the valid samples is the object."""
MAX_LEVELS = 65535
"""Depths are quantized to as many logarithmic levels; the level with this number is invalid."""
LEVELS_PER_BIN = 128


@dataclass(frozen=True, kw_only=True)
class DepthRange:
    """The valid depths, and their quantization."""

    low_m: float
    high_m: float

    @property
    def bins(self) -> int:
        """Return the number of bins of a histogram over this range."""
        return max(1, math.ceil(math.log(self.high_m / self.low_m) / BIN))

    @property
    def levels_per_bin(self) -> int:
        """Return the number of levels in a bin."""
        return min(LEVELS_PER_BIN, (MAX_LEVELS - 1) // (self.bins + 1))

    def levels(self, depth_m: NDArray[np.float32]) -> NDArray[np.uint16]:
        """
        Quantize depths, meters, logarithmically; MAX_LEVELS for invalid ones.

        The step is 0.016 percent for the default range: below the noise of every sensor.
        """
        valid = (depth_m >= self.low_m) & (depth_m <= self.high_m)  # False for NaN.
        ratio = np.where(valid, depth_m * np.float32(1.0 / self.low_m), np.float32(1.0))
        levels = np.log(ratio) * np.float32(self.levels_per_bin / BIN)
        # The rounding of the first product can yield a ratio below 1.
        return np.where(valid, np.maximum(levels, 0.0), MAX_LEVELS).astype(np.uint16)

    def depth_m(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the depth in the middle of each level, meters."""
        exponents = (levels + 0.5) * (BIN / self.levels_per_bin)
        return np.asarray(self.low_m * np.exp(exponents))


@dataclass(frozen=True, kw_only=True)
class Surfaces:
    """The visible surface of the object in each of n boxes. Arrays of shape (n,)."""

    found: NDArray[np.bool_]
    """Whether there is enough valid depth; the other values of a box are undefined without."""
    depth_m: NDArray[np.float64]
    """Median depth of the surface."""
    near_m: NDArray[np.float64]
    far_m: NDArray[np.float64]
    """5th and 95th percentile of its depth."""
    sigma_m: NDArray[np.float64]
    """Standard deviation of its depth: half the distance of the 16th and 84th percentile."""


def find_surfaces(
    pixels: NDArray[np.uint16] | NDArray[np.float32], unit_m: float, boxes: NDArray[np.float64],
    limits: DepthRange,
) -> Surfaces:
    """
    Find the surface of the object in each box: the nearest dominant mode of the depth histogram.

    A box shows the object, some of what is behind it, and some of what covers it. The mean and the
    median of the depths mix these. A mode, the location of a maximum of the density, is not moved
    by samples elsewhere, even if they are the majority (Bickel and Fruehwirth, On a fast, robust
    estimator of the mode, Computational Statistics & Data Analysis 50, 2006). The density is a
    histogram, smoothed by a window (Silverman, Density Estimation for Statistics and Data
    Analysis, 1986). Its bins are logarithmic, because the noise of depth cameras grows with the
    distance (Nguyen, Izadi and Lovell, Modeling Kinect Sensor Noise, 3DIMPVT 2012). A mode is the
    whole range around its maximum (Comaniciu and Meer, Mean Shift, PAMI 24, 2002), so that the
    surface may be tilted.

    A mode is dominant by its contrast: its share of the pixels inside minus that around the box,
    as in the center-surround histogram of Liu et al., Learning to Detect a Salient Object, PAMI
    33, 2011. The wall behind a chair fills most of its box, but even more of what surrounds it; so
    does what covers the box from one side. Of the modes with a high contrast, the nearest is the
    object, and the distance is the median of its samples. If no mode has a contrast, e.g. for a
    picture on a wall, the nearest mode with enough samples is the object.

    :param pixels: (height, width); 0, NaN, infinity and depths out of the range are invalid.
    :param unit_m: the length of the unit of a pixel, meters.
    :param boxes: (n, 4) left, top, right, bottom in pixels of the depth image, inside or outside.
    """
    sampled = limits.levels(_sample(pixels, boxes) * np.float32(unit_m))
    levels, around = sampled[:, :GRID * GRID], sampled[:, GRID * GRID:]
    below = _cumulative(levels, limits)
    first, end = _nearest_mode(below, _cumulative(around, limits))
    # Integers of 16 bits are sorted by radix.
    levels.sort(axis=1, kind='stable')
    rows = np.arange(len(boxes))
    begin, stop = below[rows, first], below[rows, end]
    found = (stop > begin) & (below[:, -1] >= MIN_VALID * levels.shape[1])

    place = (begin + QUANTILES * (stop - 1 - begin)).clip(0.0, levels.shape[1] - 1.0)
    lower = place.astype(np.intp)
    upper = np.ceil(place).astype(np.intp)
    near, low, middle, high, far = limits.depth_m(
        (levels[rows, lower].astype(np.float64) + levels[rows, upper]) / 2)
    return Surfaces(
        found=found, depth_m=middle, near_m=near, far_m=far, sigma_m=(high - low) / 2)


QUANTILES = np.array((0.05, 0.16, 0.5, 0.84, 0.95))[:, None]
ALONG = (np.arange(GRID) + 0.5) / GRID - 0.5
"""Places along a side of a square, from its center, in parts of its length."""
ENDS = np.array((-0.5, 0.5))


def _sample(
    pixels: NDArray[np.uint16] | NDArray[np.float32], boxes: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return (n, GRID * GRID + 4 * GRID) pixels in and around each box; 0 outside the image."""
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = boxes[:, 2:] - boxes[:, :2]
    limit = float(max(pixels.shape))

    def columns_and_rows(
        part: float, places: NDArray[np.float64],
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        found = center[:, :, None] + size[:, :, None] * (part * places)
        numbers = np.rint(np.clip(found, -1.0, limit)).astype(np.intp)
        return numbers[:, 0, None, :], numbers[:, 1, :, None]
    x, y = columns_and_rows(CENTRAL_PART, ALONG)
    side_x, side_y = columns_and_rows(SURROUND, ALONG)
    left_right, top_bottom = columns_and_rows(SURROUND, ENDS)
    return np.concatenate([_pixels_at(pixels, *place) for place in (
        (x, y), (side_x, top_bottom), (left_right, side_y))], axis=1)


def _pixels_at(
    pixels: NDArray[np.uint16] | NDArray[np.float32], x: NDArray[np.intp], y: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Return (n, rows * columns) pixels; x has the shape (n, 1, columns), y (n, rows, 1)."""
    height, width = pixels.shape
    inside = ((x >= 0) & (x < width)) & ((y >= 0) & (y < height))
    found = pixels[np.minimum(y, height - 1), np.minimum(x, width - 1)].astype(np.float32)
    return np.where(inside, found, np.float32(0.0)).reshape(
        len(x), x.shape[2] * y.shape[1])


def _cumulative(levels: NDArray[np.uint16], limits: DepthRange) -> NDArray[np.int32]:
    """Return (n, bins + 2) the number of samples below each bin, and of all valid ones."""
    # The depth high_m itself is in a bin of its own; invalid samples are in another, at the end.
    columns = limits.bins + 2
    bins = np.minimum(levels // limits.levels_per_bin, columns - 1).astype(np.int64)
    bins += np.arange(len(levels))[:, None] * columns
    counts = np.bincount(bins.ravel(), minlength=len(levels) * columns).reshape(-1, columns)
    below = np.zeros(counts.shape, dtype=np.int32)
    np.cumsum(counts[:, :-1], axis=1, out=below[:, 1:])
    return below


def _nearest_mode(
    inner: NDArray[np.int32], outer: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Find the nearest dominant mode of each histogram.

    :param inner: (n, bins + 1) number of samples in the box below each bin.
    :param outer: the same around the box.
    :return: (n,) first bin of the mode, and the bin after it.
    """
    first, end = _modes(inner)
    rows = np.arange(len(inner))[:, None]
    share, around = (
        (below[rows, end] - below[rows, first]) / np.maximum(below[:, -1:], 1)
        for below in (inner, outer))
    contrast = share - around
    highest = contrast.max(axis=1, keepdims=True)
    known = (highest >= MIN_CONTRAST) & (outer[:, -1:] > 0)
    dominant = np.where(known, contrast >= CONTRAST * highest, share >= DOMINANT)
    # Without a dominant mode, the largest.
    chosen = np.where(dominant.any(axis=1), dominant.argmax(axis=1), share.argmax(axis=1))
    rows = rows[:, 0]
    return first[rows, chosen], end[rows, chosen]


def _modes(below: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Find the modes of each histogram, from the nearest on.

    :param below: (n, bins + 1) number of samples below each bin.
    :return: (n, MAX_MODES) first bin of each mode, and the bin after it; equal if there are fewer.
    """
    # Only the bins between the nearest and the furthest sample of all boxes.
    low = int((below > 0).any(axis=0).argmax()) - 1
    high = int((below == below[:, -1:]).all(axis=0).argmax())
    below = below[:, max(0, low):max(high, low + 2) + 1]
    # At both ends, a density of -1 ends every mode.
    density = np.pad(_smoothed(below), ((0, 0), (1, 1)), constant_values=-1)
    lowest = np.maximum(1, np.rint(MIN_PEAK * below[:, -1:])).astype(np.int32)
    peaks = np.zeros(density.shape, dtype=bool)
    inside = density[:, 1:-1]
    peaks[:, 1:-1] = (
        (inside >= lowest) & (inside >= density[:, :-2]) & (inside >= density[:, 2:]))
    rows, columns = np.arange(len(below)), np.arange(density.shape[1], dtype=np.int32)
    first, end = np.zeros((2, len(below), MAX_MODES), dtype=np.int64)
    for number in range(MAX_MODES):
        peak = peaks.argmax(axis=1)
        more = peaks[rows, peak]
        if not more.any():
            break
        top = density[rows, peak][:, None]
        # Integers, because the comparison with floats would convert the whole array.
        lowest, highest = (np.rint(part * top).astype(np.int32) for part in (VALLEY, FLANK))
        outside = (density < lowest) | (density > highest)
        before = columns < peak[:, None]
        left = columns[-1] - (outside & before)[:, ::-1].argmax(axis=1)
        right = (outside & ~before).argmax(axis=1)
        # Minus one for the padding of the density, plus one for the bin after the left end.
        first[:, number], end[:, number] = np.where(more, (left, right - 1), 0) + max(0, low)
        peaks &= columns >= right[:, None]
    return first, end


def _smoothed(below: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return (n, bins) the number of samples in a window around each bin."""
    half = WINDOW // 2
    last = below.shape[1] - 1
    columns = np.arange(last)
    return below[:, np.minimum(columns + half + 1, last)] - below[:, np.maximum(columns - half, 0)]
