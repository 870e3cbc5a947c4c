# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From the outputs of a network to detections in pixels of the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.boxes import round_corners
from udp_infer_ros.detection.families.base import Family
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.nms import non_max_suppression
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs, Selection
from udp_infer_ros.frame import Detections, NO_TRACK


class Postprocessor:
    """
    Turns the outputs of a network into detections.

    :param family: decodes the outputs.
    :param labels: class names; may be shorter than the number of classes.
    :param size: the network's input.
    """

    def __init__(self, *, family: Family, labels: tuple[str, ...], size: InputSize) -> None:
        self._family = family
        self._labels = labels
        self._size = size

    def __call__(
        self, outputs: Outputs, letterbox: Letterbox, selection: Selection,
    ) -> Detections:
        """
        Decode outputs.

        :param letterbox: the place of the image in the network's input.
        :return: boxes clipped to the image, highest score first.
        """
        # Outputs may contain anything; rows that are not finite are dropped.
        with np.errstate(invalid='ignore', over='ignore'):
            found = self._family.decode(outputs, selection.min_score, self._size)
        if not len(found):
            return Detections.empty()
        found = found[self._best(found, selection)]
        if self._family.needs_nms:
            found = found[non_max_suppression(
                found.xyxy, found.scores, found.class_ids, iou=selection.iou,
                class_agnostic=selection.class_agnostic)]
        return self._in_image(found, letterbox, selection.max_detections)

    def _best(self, found: Candidates, selection: Selection) -> NDArray[np.intp]:
        """Return the rows of the valid boxes with the highest scores, in this order."""
        rows = self._is_valid(found, selection).nonzero()[0]
        order = (-found.scores[rows]).argsort(kind='stable')
        return rows[order[:selection.max_candidates]]

    def _is_valid(self, found: Candidates, selection: Selection) -> NDArray[np.bool_]:
        """Return a mask (n,) of the finite boxes with an area and a selected class."""
        valid: NDArray[np.bool_] = np.isfinite(found.scores)
        valid &= np.isfinite(found.xyxy).all(axis=1)
        # Boxes with x2 <= x1 or y2 <= y1 would corrupt NMS.
        valid &= (found.xyxy[:, 2:] > found.xyxy[:, :2]).all(axis=1)
        valid &= found.class_ids >= 0
        if self._family.has_background:
            valid &= found.class_ids < len(self._labels)
        if selection.class_ids:
            valid &= np.isin(found.class_ids, selection.class_ids)
        return valid

    def _in_image(self, found: Candidates, letterbox: Letterbox, limit: int) -> Detections:
        """
        Convert the boxes that are visible in the image.

        :param found: highest score first.
        :param limit: number of visible boxes to keep.
        """
        size = (letterbox.image_width, letterbox.image_height)
        boxes = round_corners(letterbox.undo(found.xyxy).clip(0, size * 2))
        visible = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))[:limit]
        found = found[visible]
        return Detections(
            xyxy=boxes[visible].astype(np.float32),
            score=np.clip(found.scores, 0.0, 1.0),
            class_id=found.class_ids.astype(np.intp),
            class_name=np.array([self._name(i) for i in found.class_ids.tolist()], dtype=str),
            track_id=np.full(len(found), NO_TRACK, dtype=np.int64))

    def _name(self, class_id: int) -> str:
        return self._labels[class_id] if class_id < len(self._labels) else f'class_{class_id}'
