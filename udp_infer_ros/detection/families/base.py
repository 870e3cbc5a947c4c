# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What the families have in common: their record, the probe that they match, shared arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.boxes import corners_from_center_size
from udp_infer_ros.detection.types import (
    Candidates, Floats, IMAGENET_MEAN, IMAGENET_STD, InputSize, Outputs, Preprocessing)

LETTERBOX = Preprocessing(resize='letterbox')
STRETCH = Preprocessing(resize='stretch')
STRETCH_IMAGENET = Preprocessing(resize='stretch', mean=IMAGENET_MEAN, std=IMAGENET_STD)
PYRAMIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))
"""Strides of the usual feature pyramids."""
MAX_FRACTION = 1.5
"""Boxes whose largest number is at most this are fractions of the image, not pixels."""
SCORE_TOLERANCE = 0.05
"""Quantized scores exceed 0 and 1 a little."""
CORNERS_SHARE = 0.5
"""Boxes with more rows in the order of corners are corners."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbeResult:
    """The names of a network's inputs, and its outputs for one image of noise."""

    inputs: tuple[str, ...]
    outputs: Outputs
    metadata: Mapping[str, str]
    class_count: int | None
    """Number of class names; None if there are none."""
    size: InputSize

    @property
    def table(self) -> NDArray[Any] | None:
        """Return (rows, columns) if the only output is (1, rows, columns)."""
        output = self.single_output(rank=3)
        return None if output is None or len(output) != 1 else output[0]

    @property
    def box_list(self) -> NDArray[Any] | None:
        """Return the table if its number of rows is not that of a dense head."""
        if self.dense_table() is not None or self.dense_table(rows_per_cell=3) is not None:
            return None
        return self.table

    def dense_table(self, rows_per_cell: int = 1) -> NDArray[Any] | None:
        """Return the table if it has this many rows for every cell of a feature pyramid."""
        table = self.table
        if table is None or len(table) % rows_per_cell:
            return None
        return table if strides_of(len(table) // rows_per_cell, self.size) else None

    def single_output(self, rank: int) -> NDArray[Any] | None:
        """Return the only output, if there is only one and it has this many dimensions."""
        if len(self.outputs) != 1:
            return None
        output = first_output(self.outputs)
        return output if output.ndim == rank else None

    def has_outputs(self, **shapes: tuple[int | str, ...]) -> bool:
        """
        Return whether there are outputs with these names and shapes, perhaps among others.

        :param shapes: a letter stands for any size, the same wherever it occurs.
        """
        sizes: dict[str, int] = {}
        for name, shape in shapes.items():
            found = self.outputs[name].shape if name in self.outputs else None
            if found is None or len(found) != len(shape):
                return False
            for size, expected in zip(found, shape):
                if isinstance(expected, str):
                    expected = sizes.setdefault(expected, size)
                if size != expected:
                    return False
        return True

    def has_boxes_in_rows(self, columns: int) -> bool:
        """Return whether there is a table of at least this many columns with boxes in rows."""
        table = self.table
        if table is None or table.shape[1] < columns:
            return False
        return self.box_list is None or not strides_of(table.shape[1], self.size)


Decoder = Callable[[Outputs, float, InputSize], Candidates]
"""
Turns outputs into boxes in pixels of the network's input, without suppressing overlaps.

Rows with a score below the given one, or NaN, are left out.
"""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Detectors with the same preprocessing and the same outputs."""

    name: str
    """As in `model.family`."""
    models: str
    """Which models and export options, for docs/models.md."""
    layout: str
    """Shapes of the outputs, for docs/models.md and for errors."""
    recognized_by: str
    """How `matches` decides, for docs/models.md and the log."""
    fits: Callable[[ProbeResult], bool]
    """
    Whether the names and shapes of the outputs can be of this format.

    `decode` and `count_classes` raise no error then. Required also of a family that is set.
    """
    matches: Callable[[ProbeResult], bool] = lambda probe: True
    """
    Whether outputs that fit are of this format, by their values and the other names.

    It need not exclude families that precede this one in ORDER.
    """
    decode: Decoder
    preprocessing: Preprocessing
    source: str
    """Where the preprocessing and the layout are defined."""
    needs_nms: bool = False
    count_classes: Callable[[ProbeResult], int | None] = lambda probe: None
    """Returns the number of classes, if the shapes of the outputs contain it."""
    has_background: bool = False
    """Whether the last class may be the background, which has no name."""


def columns_besides(count: int) -> Callable[[ProbeResult], int | None]:
    """Return a function that counts the columns of the table without the given number."""
    def count_classes(probe: ProbeResult) -> int | None:
        return None if probe.table is None else probe.table.shape[1] - count
    return count_classes


def are_fractions(boxes: NDArray[Any]) -> bool:
    """Return whether boxes are in fractions of the image."""
    # Unused rows are zero, and only exports in pixels have them.
    return bool(boxes.size and 0.0 < np.abs(boxes).max() <= MAX_FRACTION)


def are_scores(values: NDArray[Any]) -> bool:
    """Return whether all finite values are from 0 to 1, apart from rounding."""
    values = values[np.isfinite(values)]
    return bool(((values >= -SCORE_TOLERANCE) & (values <= 1 + SCORE_TOLERANCE)).all())


def are_class_ids(values: NDArray[Any]) -> bool:
    """Return whether all finite values are whole numbers, -1 (unused) or more."""
    values = values[np.isfinite(values)]
    return bool(((values >= -1) & (values == np.floor(values))).all())


def share_of_corners(boxes: NDArray[Any]) -> float | None:
    """
    Return the share of rows whose last two numbers are above the first two.

    It is about 1 for corners, and small for centers and sizes: most boxes of noise are small.

    :param boxes: (n, 4). Unused rows are zero.
    :return: None if all rows are unused.
    """
    used = boxes[boxes.any(axis=1)]
    return float((used[:, 2:] > used[:, :2]).all(axis=1).mean()) if len(used) else None


def may_be_corners(boxes: NDArray[Any]) -> bool:
    """Return whether boxes (n, 4) are corners, in pixels, or unused."""
    share = share_of_corners(boxes)
    return share is None or share > CORNERS_SHARE and not are_fractions(boxes)


def may_be_centers(boxes: NDArray[Any]) -> bool:
    """Return whether boxes (n, 4) are centers and sizes, in pixels, or unused."""
    share = share_of_corners(boxes)
    return share is None or share <= CORNERS_SHARE and not are_fractions(boxes)


def table_with_objectness(probe: ProbeResult) -> NDArray[Any] | None:
    """Return (n, 5 + classes) with a row for every cell and scores from 0 to 1."""
    table = probe.dense_table()
    if table is None or table.shape[1] <= 5 or not are_scores(table[:, 4:]):
        return None
    if probe.class_count == table.shape[1] - 4:
        return None  # Every column after the box is a class, so none is the objectness.
    return table


def decode_objectness(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (1, n, 5 + classes): center x, center y, width, height, objectness, class scores.

    Source: meituan/YOLOv6, whose objectness is 1, and Megvii-BaseDetection/YOLOX with
    `--decode_in_inference`.
    """
    return select_by_objectness(first_table(outputs), min_score)


def select_by_objectness(table: Floats, min_score: float) -> Candidates:
    """
    Select the rows whose objectness times best class score is high enough.

    :param table: (n, 5 + classes), boxes as center and size in pixels.
    """
    # A score cannot exceed its objectness, so most rows need no search for the best class.
    selected = np.flatnonzero(table[:, 4] >= min_score)
    class_scores = table[selected, 5:]
    class_ids = class_scores.argmax(axis=1)
    scores = table[selected, 4] * np.take_along_axis(
        class_scores, class_ids[:, np.newaxis], axis=1)[:, 0]
    return select(corners_from_center_size(table[selected, :4]), scores, class_ids, min_score)


def select(
    xyxy: NDArray[Any], scores: NDArray[Any], class_ids: NDArray[Any], min_score: float,
) -> Candidates:
    """Select the rows whose score is high enough."""
    selected = np.flatnonzero(scores >= min_score)
    return Candidates(
        xyxy[selected].astype(np.float32), scores[selected].astype(np.float32),
        class_ids[selected].astype(np.intp))


def select_pairs(
    boxes: NDArray[Any], logits: NDArray[Any], min_score: float, size: InputSize,
) -> Candidates:
    """
    Select the best pairs of query and class, at most as many as there are queries.

    :param boxes: (n, 4) center and size, fractions of the image.
    :param logits: (n, classes).
    """
    scores = sigmoid(logits)
    pairs = np.flatnonzero(scores.ravel() >= min_score)
    order = np.argsort(-scores.ravel()[pairs], kind='stable')[:len(boxes)]
    queries, class_ids = np.divmod(pairs[order], scores.shape[1])
    xyxy = corners_from_fractions(boxes.astype(np.float32), size)
    return Candidates(
        xyxy[queries].astype(np.float32), scores.ravel()[pairs[order]],
        class_ids.astype(np.intp))


def corners_from_fractions(boxes: Floats, size: InputSize) -> Floats:
    """
    Convert boxes to corners in pixels of the network's input.

    :param boxes: (n, 4) center x, center y, width, height as fractions of the image.
    """
    return corners_from_center_size(boxes) * input_scale(size)


def input_scale(size: InputSize) -> Floats:
    """Return (4,) width, height, width, height: factors from fractions to pixels."""
    return np.array((size.width, size.height) * 2, dtype=np.float32)


def sigmoid(logits: NDArray[Any]) -> Floats:
    """Return the logistic function of logits, without overflow."""
    clipped = np.clip(logits.astype(np.float32), -80.0, 80.0)
    return (1.0 / (1.0 + np.exp(-clipped))).astype(np.float32)


def first_output(outputs: Outputs) -> NDArray[Any]:
    """Return the first output."""
    return next(iter(outputs.values()))


def first_table(outputs: Outputs) -> Floats:
    """Return the first image of the first output, as float32."""
    table: Floats = first_output(outputs)[0].astype(np.float32, copy=False)
    return table


def strides_of(cell_count: int, size: InputSize) -> tuple[int, ...]:
    """Return the strides of the feature pyramid with this many cells; empty if there is none."""
    for strides in PYRAMIDS:
        if sum(cell_counts(size, strides)) == cell_count:
            return strides
    return ()


def grid(size: InputSize, strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """
    List the cells of a feature pyramid, row by row, finest level first.

    :return: (n, 2) column and row of each cell, and (n, 1) its stride.
    """
    cells, widths = [], []
    for stride, (rows, columns) in zip(strides, _cells(size, strides)):
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        cells.append(np.stack((x.ravel(), y.ravel()), axis=1))
        widths.append(np.full((rows * columns, 1), stride))
    return (
        np.concatenate(cells).astype(np.float32), np.concatenate(widths).astype(np.float32))


def cell_counts(size: InputSize, strides: tuple[int, ...]) -> list[int]:
    """Return the number of cells of each level."""
    return [rows * columns for rows, columns in _cells(size, strides)]


def _cells(size: InputSize, strides: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return rows and columns of each level."""
    return [(-(-size.height // stride), -(-size.width // stride)) for stride in strides]
