# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""From a network's raw outputs to boxes: one pure function per family of outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = Sequence[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes as the network has them, in pixels of its input."""

    xyxy: NDArray[np.float32]
    """(n, 4)"""
    scores: NDArray[np.float32]
    """(n,), 0 to 1"""
    class_ids: NDArray[np.intp]
    """(n,)"""

    def __getitem__(self, rows: NDArray[Any]) -> Candidates:
        return Candidates(self.xyxy[rows], self.scores[rows], self.class_ids[rows])

    def __len__(self) -> int:
        return len(self.scores)


Decoder = Callable[[Outputs, float], Candidates]
"""Takes the outputs and the lowest score wanted; rows with lower (or no) score are left out."""


def decode_yolo(outputs: Outputs, threshold: float) -> Candidates:
    """
    Decode (1, 4 + classes, n): centre x, centre y, width, height, then a score per class.

    Source: the detection head of YOLOv8 and its successors, as ONNX exports have it.
    """
    table = outputs[0][0].astype(np.float32, copy=False)
    class_scores = table[4:]
    # The maximum along the long axis is contiguous and ten times cheaper than argmax; argmax is
    # then only needed for the few columns that pass.
    best = np.maximum.reduce(class_scores, axis=0)
    hot = np.flatnonzero(best >= threshold)
    centre, half = table[:2, hot].T, table[2:4, hot].T / 2
    return Candidates(
        np.concatenate((centre - half, centre + half), axis=1), best[hot],
        np.argmax(class_scores[:, hot], axis=0))


def decode_end2end(outputs: Outputs, threshold: float) -> Candidates:
    """
    Decode (1, n, 6): x1, y1, x2, y2, score, class; unused rows have score 0.

    Source: YOLOv10 and YOLO26 heads without NMS, and exports with NMS inside.
    """
    table = outputs[0][0].astype(np.float32, copy=False)
    hot = table[table[:, 4] >= threshold]
    return Candidates(hot[:, :4], hot[:, 4], hot[:, 5].astype(np.intp))


@dataclass(frozen=True)
class Family:
    """Detectors whose outputs are laid out alike."""

    name: str
    """As in `model.family`."""
    layout: str
    """The shape of the outputs, for people."""
    decode: Decoder
    needs_nms: bool


FAMILIES = {family.name: family for family in (
    Family('yolo', '(1, 4 + classes, n)', decode_yolo, needs_nms=True),
    Family('end2end', '(1, n, 6)', decode_end2end, needs_nms=False),
)}
"""Every family that this package can decode."""
