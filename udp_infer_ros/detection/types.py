# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0
# flake8: noqa: A005

"""The values that the parts of a detector exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.settings import Color, Resize

Outputs = Mapping[str, NDArray[Any]]
"""Outputs of the network by name, in their order."""
Floats = NDArray[np.float32]
Triple = tuple[float, float, float]

ZERO: Triple = (0.0, 0.0, 0.0)
IMAGENET_MEAN: Triple = (123.675, 116.28, 103.53)
IMAGENET_STD: Triple = (58.395, 57.12, 57.375)


@dataclass(frozen=True, kw_only=True)
class InputSize:
    """Size of the network's input, pixels."""

    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """An input of the network."""

    name: str
    shape: tuple[int | None, ...]
    """None for a dimension that is set at run time."""
    dtype: str
    """As ONNX Runtime writes it, e.g. `tensor(float)`."""

    def __str__(self) -> str:
        shape = ', '.join('?' if size is None else str(size) for size in self.shape)
        return f'{self.name} ({shape}) {self.dtype}'


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes as decoded from the network, in pixels of its input, before NMS."""

    xyxy: Floats
    """(n, 4) corners."""
    scores: Floats
    """(n,) from 0 to 1."""
    class_ids: NDArray[np.intp]
    """(n,)"""

    def __getitem__(self, rows: NDArray[Any]) -> Candidates:
        return Candidates(self.xyxy[rows], self.scores[rows], self.class_ids[rows])

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which candidates become detections."""

    min_score: float
    """May be below `detect.confidence`, for the tracker."""
    class_ids: tuple[int, ...] = ()
    """Class indices to keep; empty keeps all."""
    iou: float
    class_agnostic: bool
    max_candidates: int
    max_detections: int


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How the images were prepared in training."""

    resize: Resize
    """letterbox, letterbox_top_left (pads right and below), or stretch."""
    color: Color = 'rgb'
    mean: Triple = ZERO
    """Subtracted from the pixels, 0 to 255, in the order of `color`."""
    std: Triple = (255.0, 255.0, 255.0)
    """Divisor after that."""
    pad: int = 114
    """Gray value of the padding, 0 to 255; that of YOLO by default."""
    round_down: bool = False
    """Whether the size of the resized image is rounded down; otherwise to the nearest pixel."""

    def __str__(self) -> str:
        numbers = {
            (ZERO, (255.0, 255.0, 255.0)): '0..1', (ZERO, (1.0, 1.0, 1.0)): '0..255',
            (IMAGENET_MEAN, IMAGENET_STD): 'ImageNet mean and std'}.get(
                (self.mean, self.std), f'(pixel - {self.mean}) / {self.std}')
        return f'{self.color.upper()} {numbers}, {self.resize}'
