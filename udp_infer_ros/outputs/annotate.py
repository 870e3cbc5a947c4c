# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detections drawn into the picture, with supervision's annotators."""

from __future__ import annotations

import numpy as np
import supervision as sv
from udp_infer_ros.frame import BgrImage, NO_TRACK

TRAIL_FRAMES = 30


class Annotator:
    """
    Draws boxes, names, scores, track ids and trails.

    Colors go by class, so that a picture is understood at a glance. Keeps the trails of the
    frames that it has drawn; use one for each stream.
    """

    def __init__(self) -> None:
        self._boxes = sv.BoxAnnotator(thickness=2)
        self._labels = sv.LabelAnnotator(
            text_scale=0.4, text_thickness=1, text_padding=3, smart_position=True)
        self._trails = sv.TraceAnnotator(thickness=2, trace_length=TRAIL_FRAMES)

    def draw(
        self, image: BgrImage, detections: sv.Detections, *, trails: bool = True,
    ) -> BgrImage:
        """
        Draw into a copy of an image.

        :param image: (height, width, 3), BGR; not changed.
        :param detections: as in `Result.detections`.
        :param trails: whether to draw where tracked objects have been.
        :return: the picture, of the same size.
        """
        scene: BgrImage = np.array(image, dtype=np.uint8)
        assert detections.tracker_id is not None
        if trails:
            tracked = detections[detections.tracker_id != NO_TRACK]
            assert isinstance(tracked, sv.Detections)
            self._trails.annotate(scene, tracked)
        self._boxes.annotate(scene, detections)
        self._labels.annotate(scene, detections, labels=self._captions(detections))
        return scene

    @staticmethod
    def _captions(detections: sv.Detections) -> list[str]:
        assert detections.tracker_id is not None and detections.confidence is not None
        return [
            f'{name} {score:.2f}' if track == NO_TRACK else f'#{track} {name} {score:.2f}'
            for name, score, track in zip(
                detections.data['class_name'], detections.confidence, detections.tracker_id)]
