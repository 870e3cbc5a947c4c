# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The engine: one source, one model and some outputs, put together.

    source ─ intake ─ slot ─ worker ─ pipeline ─ result ─ outputs

A source offers frames to the intake, which numbers them and drops what exceeds the limits. The
worker takes them one after the other, decodes them, has the pipeline detect and track, and writes
each result to every output. Read on in sources/intake.py, worker.py and pipeline.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
import logging
import time

from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.errors import ModelError
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.base import Output
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.base import Source
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.stats import Stats
from udp_infer_ros.worker import Worker

log = logging.getLogger(__name__)


class Engine:
    """
    What exists while a camera is configured: model, tracker, outputs and, once started, a source.

    One thread owns the engine and calls its methods. Those that may take long, `load`, `prepare`
    and `stop`, may run in another thread meanwhile. The worker's thread owns the pipeline and the
    outputs while a source runs. An engine is built by `load` and ends with `close`.
    """

    def __init__(
        self, settings: Settings, detector: Detector, outputs: Sequence[Output], stats: Stats,
        now_ns: Callable[[], int],
    ) -> None:
        self.settings = settings
        """The settings in effect, at the latest from the next frame on."""
        self._detector = detector
        self._pipeline = Pipeline(detector, settings, stats)
        self._outputs = tuple(outputs)
        self._stats = stats
        self._now_ns = now_ns
        self._source: Source | None = None
        self._worker: Worker | None = None
        self._reported_output_errors = dict(stats.snapshot().output_errors)
        for output in outputs:
            output.prepare(settings, previous=None, model=detector.info)()

    @classmethod
    def load(
        cls, settings: Settings, outputs: Sequence[Output], *, stats: Stats | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> Engine:
        """
        Load the model and prepare the outputs.

        :param outputs: each gets every result, in this order. The engine closes them; if `load`
            raises, the caller does.
        :param stats: counters that outlive the engine; otherwise new ones.
        :param now_ns: the clock of the stamps.
        :raises ModelError: if the model cannot be loaded.
        :raises SettingError: if an output refuses its settings, or a class is unknown.
        """
        detector = Detector.load(settings.model)
        try:
            return cls(settings, detector, outputs, stats or Stats(), now_ns)
        except BaseException:
            detector.close()
            raise

    @property
    def model(self) -> ModelInfo:
        """Return the properties of the model."""
        return self._detector.info

    def start(self, source: Source) -> None:
        """
        Process the frames of a source until it ends or `stop` is called.

        :param source: an open one.
        :raises ModelError: if the model still hangs in a frame of the source before.
        """
        if self._worker is not None and not self._worker.ended:
            raise ModelError(
                'model.id', self.settings.model.id, 'has not returned from its last inference',
                'wait, or clean up and configure again')
        intake = Intake(
            self.settings.source, self._stats, now_ns=self._now_ns,
            first_index=self._stats.offered, wait=source.every_frame, limit_age=source.live)
        self._worker = Worker(intake, self._pipeline, self._outputs, self._stats)
        self._source = source
        self._worker.start()
        source.start(intake)

    def begin_stop(self) -> None:
        """Make the source offer no more frames, without waiting for it. `stop` has to follow."""
        if self._source is not None:
            self._source.stop(timeout_s=0.0)

    def stop(self) -> None:
        """Stop the source and finish the current frame. Waits a few seconds if one hangs."""
        if self._source is not None and not self._source.stop():
            log.warning(
                '%s: the driver hangs; its thread is abandoned', self._source.description)
        self._source = None
        if self._worker is not None and not self._worker.stop():
            log.warning('%s: the model hangs; its thread is abandoned', self.model.name)

    def wait(self, timeout_s: float | None = None) -> bool:
        """
        Wait for the end of the source, and until its frames are processed.

        :return: whether that happened in time.
        """
        return self._worker is None or self._worker.join(timeout_s)

    @property
    def ended(self) -> bool:
        """Return whether a source was started and all its frames have been processed."""
        return self._source is not None and self._worker is not None and self._worker.ended

    def poll(self) -> None:
        """Let the source do what is due. Call it a few times per second."""
        source = self._source
        if source is not None:
            source.poll()

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """
        Check a change of settings, and do what may take long. Nothing has changed yet.

        Each part checks its own group, and does nothing if that did not change. A change must be
        applied or dropped before the next one is prepared.

        :return: a function that applies the change between two frames; the owner calls it.
        :raises SettingError: if a part refuses the settings; then there is nothing to undo.
        """
        commits = []
        if (settings.detect, settings.track) != (self.settings.detect, self.settings.track):
            commits.append(self._pipeline.prepare(settings))
        for output in self._outputs:
            commits.append(output.prepare(settings, previous=self.settings, model=self.model))

        def commit_all() -> None:
            for commit in commits:
                commit()

        def apply() -> None:
            self.settings = settings
            self._between_frames(commit_all)
        return apply

    def configure(self, settings: Settings) -> None:
        """
        Change settings between two frames.

        :raises SettingError: if a part refuses them; then nothing has changed.
        """
        self.prepare(settings)()

    def reset_tracker(self) -> None:
        """Remove all tracks before the next frame. Their ids are not used again."""
        self._between_frames(self._pipeline.reset_tracker)

    def health(self) -> list[PartHealth]:
        """Return the state of every part since the previous call."""
        source = self._source
        parts = [source.health() if source is not None else PartHealth(
            name='source', message='no source is open')]
        parts += self._pipeline.health()
        errors = self._stats.snapshot().output_errors
        for output in self._outputs:
            part = output.health()
            failed = errors.get(output.name, 0) - self._reported_output_errors.get(output.name, 0)
            if failed:
                part = replace(
                    part, level=Level.ERROR,
                    message=f'{failed} results could not be written; see the log')
            parts.append(part)
        self._reported_output_errors = dict(errors)
        return parts

    def close(self) -> None:
        """Stop, and release the outputs and the model."""
        self.stop()
        for output in self._outputs:
            output.close()
        if self._worker is None or self._worker.ended:
            self._detector.close()

    def _between_frames(self, action: Callable[[], None]) -> None:
        if self._worker is None:
            action()
        else:
            self._worker.between_frames(action)
