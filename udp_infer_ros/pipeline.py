# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The processing of a Frame to a Result: preprocess, infer, postprocess, track."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
import logging
import math
import os
import time

from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.preprocess import Prepared
from udp_infer_ros.detection.types import Outputs
from udp_infer_ros.errors import Drop
from udp_infer_ros.frame import Detections, Frame, Result
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.settings import Settings
from udp_infer_ros.stats import Snapshot, Stats
from udp_infer_ros.threads import run_now
from udp_infer_ros.tracking.byte import ByteTracker
from udp_infer_ros.tracking.camera_motion import Estimate, MotionCounts
from udp_infer_ros.tracking.motion_thread import MotionThread

log = logging.getLogger(__name__)

GIGABIT = 1e9
Inferred = tuple[Outputs, float]
"""The outputs of the network, and the seconds that it took."""
Run = Callable[[Callable[[], Inferred]], 'Future[Inferred]']


@dataclass(frozen=True, eq=False, kw_only=True)
class _Begun:
    """A frame in flight."""

    frame: Frame
    prepared: Prepared
    preprocess_s: float
    inference: Future[Inferred]


class Pipeline:
    """
    Detects and tracks the objects in successive frames. Not thread-safe.

    `begin` and `finish` are the halves of `process`: several frames can be in flight, and their
    networks run at once. Results are the same, in the order of the frames.

    :param detector: a loaded model.
    :param settings: thresholds and limits; `prepare` changes them.
    :param stats: counts results, and supplies `Result.dropped`.
    :param clock_s: a monotonic clock in seconds, the one of `Frame.arrival_s`.
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
            ByteTracker(settings.track) if settings.track.type == 'bytetrack' else None)
        self._motion = MotionThread()
        self._motion_counts = MotionCounts()
        self._begun: deque[_Begun] = deque()
        self._seq = 0
        self._reported = stats.snapshot()
        self._warned_of_bandwidth = False
        self.prepare(settings)()

    def process(self, frame: Frame) -> Result:
        """
        Detect and track the objects in a frame. Call it in the order of the frames.

        :raises Exception: any error of the model; an error never becomes an empty result.
        """
        self.begin(frame)
        return self.finish()

    @property
    def in_flight(self) -> int:
        """Return the number of frames that are begun and not finished."""
        return len(self._begun)

    @property
    def oldest(self) -> Frame:
        """Return the oldest frame in flight."""
        return self._begun[0].frame

    @property
    def inferred(self) -> bool:
        """Return whether the network has run on the oldest frame in flight."""
        return bool(self._begun) and self._begun[0].inference.done()

    def begin(self, frame: Frame, run: Run = run_now) -> None:
        """
        Prepare a frame, and start the network. Call it in the order of the frames.

        :param run: runs the network, e.g. in another thread.
        :raises Exception: if the image cannot be prepared; the frame is then not in flight.
        """
        begin_s = self._clock_s()
        prepared = self._detector.prepare(frame.image)
        prepared_s = self._clock_s()
        if not self._begun:
            self._start_motion(frame, prepared)
        self._begun.append(_Begun(
            frame=frame, prepared=prepared, preprocess_s=prepared_s - begin_s,
            inference=run(partial(self._infer, prepared))))

    def finish(self) -> Result:
        """
        Wait until the network has run on the oldest frame in flight, and track its objects.

        :raises Exception: any error of the model; the frame is then not in flight anymore.
        """
        begun = self._begun.popleft()
        try:
            outputs, inference_s = begun.inference.result()
            return self._to_result(begun, outputs, inference_s)
        finally:
            self._detector.release(begun.prepared)
            if self._begun:
                # The motion since the frame before is known only after that frame is finished.
                self._start_motion(self._begun[0].frame, self._begun[0].prepared)

    def _infer(self, prepared: Prepared) -> Inferred:
        begin_s = self._clock_s()
        outputs = self._detector.run(prepared)
        return outputs, self._clock_s() - begin_s

    def _to_result(self, begun: _Begun, outputs: Outputs, inference_s: float) -> Result:
        clock_s, frame = self._clock_s, begun.frame
        begin_s = clock_s()
        candidates = self._detector.read(
            outputs, begun.prepared.letterbox, self._selection)
        read_s = clock_s()
        estimate = self._motion.result()
        motion_s = clock_s()
        detections = candidates
        if self._selection.min_score < self._min_score:
            detections = candidates[candidates.score >= self._min_score]
        detections = self._track(detections, frame, estimate)
        end_s = clock_s()
        latency_ms = {stage: seconds * 1e3 for stage, seconds in (
            ('wait', frame.wait_s),
            ('decode', frame.decode_s),
            ('preprocess', begun.preprocess_s),
            ('inference', inference_s),
            ('postprocess', read_s - begin_s),
            ('motion', motion_s - read_s),
            ('track', end_s - motion_s),
            ('total', end_s - frame.arrival_s))}
        self._stats.count_processed(latency_ms)
        self._seq += 1
        return Result(
            frame=frame.info, seq=self._seq, detections=detections,
            model=self._detector.info.name, latency_ms=latency_ms, dropped=self._stats.dropped(),
            transport_lost=self._stats.transport_lost, camera_motion=self._camera_motion(),
            candidates=None if self._settings.dataset.lowest_score is None else candidates,
            encoded=frame.encoded)

    def _start_motion(self, frame: Frame, prepared: Prepared) -> None:
        if self._compensates:
            self._motion.start(prepared.resized, (frame.info.width, frame.info.height))

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """
        Check new thresholds and limits.

        :return: a function that applies them; call it in the thread of `process`, while no frame
            is in flight.
        :raises SettingError: if `detect.classes` names a class that the model does not have.
        """
        confidence = settings.detect.confidence
        # The second association of BYTE uses boxes below the confidence threshold.
        min_score = confidence if self._tracker is None else min(
            confidence, settings.track.low_threshold)
        extra = settings.dataset.lowest_score
        selection = self._detector.selection(
            settings.detect, min_score=min_score if extra is None else min(min_score, extra))

        def apply() -> None:
            self._settings = settings
            self._selection = selection
            self._min_score = min_score
            if self._tracker is not None:
                self._tracker.configure(settings.track)
            if not self._compensates:
                self._motion.reset()
        return apply

    def reset_tracker(self) -> None:
        """Remove all tracks. Their ids are not used again."""
        if self._tracker is not None:
            self._tracker.reset()

    def close(self) -> None:
        """Release the thread of the motion estimate. No `process` follows."""
        self._motion.close()

    def health(self) -> tuple[PartHealth, PartHealth]:
        """Return the state of the model and of the tracker since the previous call."""
        return self._model_health(), self._tracker_health()

    @property
    def _compensates(self) -> bool:
        return self._tracker is not None and self._settings.track.camera_motion == 'auto'

    def _track(
        self, detections: Detections, frame: Frame, estimate: Estimate | None,
    ) -> Detections:
        tracker = self._tracker
        if tracker is None:
            return detections
        # A stamp of 0 means that the frame has none; then use the arrival time.
        stamp_ns = frame.info.stamp_ns or round(frame.arrival_s * 1e9)
        track_id = tracker.update(detections, stamp_ns, estimate)
        if estimate is not None:
            self._motion.accept(detections)
        if tracker.camera_motion is not None:
            self._motion_counts.add(
                tracker.camera_motion, (frame.info.width, frame.info.height))
        detections = detections.with_track_ids(track_id)
        return detections[detections.score >= self._settings.detect.confidence]

    def _camera_motion(self) -> tuple[float, ...] | None:
        """Return the transform that was applied in the latest frame, row by row."""
        applied = None if self._tracker is None else self._tracker.camera_motion
        if applied is None or applied.matrix is None:
            return None
        return tuple(applied.matrix.ravel().tolist())

    def _model_health(self) -> PartHealth:
        before, now = self._reported, self._stats.snapshot()
        self._reported = now
        model = self._detector.info

        def new_drops(cause: Drop) -> int:
            return now.dropped[cause.value] - before.dropped[cause.value]
        self._warn_of_bandwidth(now)
        level, message = Level.OK, f'{now.processed_hz:.1f} Hz'
        if failed := new_drops(Drop.INFERENCE_ERROR):
            level = Level.ERROR
            message = f'inference failed on {failed} frames; last: {now.last_error}'
        elif replaced := new_drops(Drop.REPLACED):
            message += (
                f'; {replaced} of {now.offered - before.offered} frames were replaced by newer '
                'ones')
        values: dict[str, object] = {
            'processed': now.processed, 'rate_hz': round(now.processed_hz, 2),
            'memory_mib': round(resident_mib(), 1)}
        for stage, times in now.latency_ms.items():
            values[f'{stage}_p50_ms'] = round(times.p50_ms, 2)
            values[f'{stage}_p95_ms'] = round(times.p95_ms, 2)
        values.update({
            'model': model.name, 'family': model.family, 'provider': model.provider,
            'provider_reason': model.provider_reason, 'threads': model.threads,
            'input': f'{model.input_width} x {model.input_height}',
            'classes': len(model.labels), **self._detector.values()})
        return PartHealth(name='model', level=level, message=message, values=values)

    def _warn_of_bandwidth(self, now: Snapshot) -> None:
        """Warn once if the frames for a model server do not fit a usual network."""
        limit_hz = self._settings.source.max_fps or math.inf
        needed = min(now.offered_hz, limit_hz) * self._detector.info.frame_bytes * 8
        if needed > GIGABIT and not self._warned_of_bandwidth:
            self._warned_of_bandwidth = True
            log.warning(
                'model %s: %.1f Gbit/s to the server are needed for %.0f frames/s; Gigabit '
                'Ethernet carries 1; serve the model with an input of UINT8 or FP16, or set '
                'source.max_fps', self._detector.info.name, needed / GIGABIT,
                min(now.offered_hz, limit_hz))

    def _tracker_health(self) -> PartHealth:
        track = self._settings.track
        message = 'off: detections have no ids' if self._tracker is None else track.type
        return PartHealth(name='tracker', message=message, values={
            'type': track.type, 'lost_s': track.lost_s, 'min_hits': track.min_hits,
            'camera_motion': track.camera_motion, **self._motion_counts.values()})


def resident_mib() -> float:
    """Return the resident memory of this process, in MiB."""
    with open('/proc/self/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20
