# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From a Frame to a Result: detect, then track. No ROS, no threads, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Any

import numpy as np
import supervision as sv
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.frame import Frame, NO_TRACK, Result
from udp_infer_ros.settings import Settings, TrackSettings
from udp_infer_ros.stats import Stats
from udp_infer_ros.tracking import ByteTracker


class Pipeline:
    """
    What happens to every frame, in order.

    :param detector: a model in memory.
    :param settings: thresholds and limits; `configure` changes them.
    :param stats: told of each result, asked for the losses so far.
    :param clock_s: a monotonic clock in seconds, the one of `Frame.born_s`.
    :raises SettingError: if `detect.classes` names a class that the model does not have.
    """

    def __init__(
        self, detector: Detector, settings: Settings, stats: Stats,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._detector = detector
        self._stats = stats
        self._clock_s = clock_s
        self._tracker = (
            ByteTracker(**_tracker_keywords(settings.track))
            if settings.track.type == 'bytetrack' else None)
        self._seq = 0
        self._configure(settings)

    def configure(self, settings: Settings) -> None:
        """
        Take new thresholds and limits from the next frame on. Tracks go on.

        :raises SettingError: as the constructor; then nothing has changed.
        """
        self._configure(settings)
        if self._tracker is not None:
            self._tracker.configure(**_tracker_keywords(settings.track))

    def reset_tracker(self) -> None:
        """Forget all tracks. Their ids are not used again."""
        if self._tracker is not None:
            self._tracker.reset()

    def process(self, frame: Frame) -> Result:
        """
        See what is in a frame.

        :raises Exception: whatever the model raises; a failure is never an empty scene.
        """
        stages = [self._clock_s()]
        tensor, letterbox = self._detector.prepare(frame.image)
        stages.append(self._clock_s())
        outputs = self._detector.run(tensor)
        stages.append(self._clock_s())
        detections = self._detector.read(
            outputs, letterbox, self._settings.detect, threshold=self._threshold,
            class_ids=self._class_ids)
        stages.append(self._clock_s())
        # Who stamps nothing leaves the tracker without a time; the time of arrival must do.
        detections = self._track(
            detections, frame.info.stamp_ns or round(frame.born_s * 1e9))
        stages.append(self._clock_s())
        names = ('preprocess', 'inference', 'postprocess', 'track')
        latency_ms = {'wait': (stages[0] - frame.born_s) * 1e3}
        latency_ms.update(
            (name, (end - start) * 1e3) for name, start, end in zip(names, stages, stages[1:]))
        latency_ms['total'] = (stages[-1] - frame.born_s) * 1e3
        self._stats.processed(latency_ms)
        self._seq += 1
        return Result(
            frame.info, self._seq, detections, self._detector.info.name, latency_ms,
            self._stats.dropped())

    def _configure(self, settings: Settings) -> None:
        self._class_ids = self._detector.class_ids(settings.detect.classes)
        self._settings = settings
        confidence = settings.detect.confidence
        # The second association of BYTE lives on boxes that are too weak to be told.
        self._threshold = (
            confidence if self._tracker is None else min(confidence, settings.track.low_threshold))

    def _track(self, detections: sv.Detections, stamp_ns: int) -> sv.Detections:
        if self._tracker is None:
            detections.tracker_id = np.full(len(detections), NO_TRACK, dtype=int)
            return detections
        detections.tracker_id = self._tracker.update(detections, stamp_ns).astype(int)
        assert detections.confidence is not None
        told = detections[detections.confidence >= self._settings.detect.confidence]
        assert isinstance(told, sv.Detections)
        return told


def _tracker_keywords(track: TrackSettings) -> dict[str, Any]:
    return {
        'high_threshold': track.high_threshold, 'low_threshold': track.low_threshold,
        'new_threshold': track.new_threshold, 'match_iou': track.match_iou,
        'min_hits': track.min_hits, 'lost_s': track.lost_s}
