# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Drawing of detections on images, with the annotators of supervision."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.frame import BgrImage, caption, Detections, NO_TRACK

TRAIL_FRAMES = 30


class Annotator:
    """
    Draws boxes, class names, scores, track ids and trails, in one color per class.

    It stores the positions of tracks in earlier frames; use one instance per source.
    """

    def __init__(self) -> None:
        # Imported here because it takes 0.2 s and 40 MB, which a program that draws nothing saves.
        import supervision as sv
        self._boxes = sv.BoxAnnotator(thickness=2)
        self._labels = sv.LabelAnnotator(
            text_scale=0.4, text_thickness=1, text_padding=3, smart_position=True)
        self._trails = sv.TraceAnnotator(thickness=2, trace_length=TRAIL_FRAMES)

    def draw(
        self, image: BgrImage, detections: Detections, *, trails: bool = True,
    ) -> BgrImage:
        """
        Draw detections on a copy of an image.

        :param image: (height, width, 3) uint8, BGR; not modified.
        :param trails: whether to draw the recent path of tracked objects.
        :return: the annotated copy, of the same shape.
        """
        scene: BgrImage = np.array(image, dtype=np.uint8)
        if trails:
            tracked = detections[detections.track_id != NO_TRACK]
            self._trails.annotate(scene, tracked.to_supervision())
        drawable = detections.to_supervision()
        captions = list(map(
            caption, detections.class_name.tolist(), detections.score.tolist(),
            detections.track_id.tolist()))
        self._boxes.annotate(scene, drawable)
        self._labels.annotate(scene, drawable, labels=captions)
        return scene
