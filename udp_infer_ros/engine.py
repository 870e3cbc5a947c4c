# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The engine: connects a source, a model and outputs.

    source ─ intake ─ slot ─ worker ─ pipeline ─ result ─ outputs

A source offers frames to the intake, which numbers them and drops those that exceed the limits.
The worker takes one frame after the other, decodes it if necessary, runs the pipeline, and writes
the result to every output. Read next: sources/intake.py, worker.py and pipeline.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
import logging
import threading
import time

from udp_infer_ros.detection.concurrency import load_measured
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.errors import ModelError
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.base import Output
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.base import Source
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.sources.open import waits_for_model
from udp_infer_ros.stats import Stats
from udp_infer_ros.worker import Worker

log = logging.getLogger(__name__)


class Engine:
    """
    A model, a tracker and outputs for one camera, and its source after `start`.

    `load` creates an engine, `close` releases it. One thread calls the methods; only `load`,
    `prepare` and `stop`, which may block, may be called in another thread. While a source runs,
    frames are processed, and settings are applied, in the thread of the worker.
    """

    def __init__(
        self, settings: Settings, detector: Detector, outputs: Sequence[Output], stats: Stats,
        now_ns: Callable[[], int],
    ) -> None:
        self.settings = settings
        """The current settings; a change applies from the next frame on."""
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
        cls, settings: Settings, outputs: Sequence[Output], *,
        models: ModelPool | None = None, stats: Stats | None = None,
        now_ns: Callable[[], int] = time.time_ns, abort: threading.Event | None = None,
    ) -> Engine:
        """
        Load the model and prepare the outputs.

        :param outputs: each receives every result, in this order. `close` closes them; if `load`
            raises, the caller has to.
        :param models: the networks that the engines of this process share; None shares none.
        :param stats: counters to continue; None creates new ones.
        :param now_ns: the clock of the stamps, nanoseconds.
        :param abort: ends the wait for a model server.
        :raises ModelError: if the model cannot be loaded.
        :raises SettingError: if an output refuses its settings, or a class name is unknown.
        """
        detector = _load_detector(settings, models or ModelPool(), abort)
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

        :param source: opened, not started.
        :raises ModelError: if the model still processes a frame of the previous source.
        """
        if self._worker is not None and not self._worker.ended:
            raise ModelError(
                'model.id', self.settings.model.id, 'has not returned from its last inference',
                'wait, or clean up and configure again')
        intake = Intake(
            self.settings.source, self._stats, now_ns=self._now_ns,
            first_index=self._stats.offered, wait=source.every_frame, limit_age=source.live)
        self._stats.set_transport_known(False)
        concurrency = self.model.concurrency
        self._worker = Worker(
            intake, self._pipeline, self._outputs, self._stats, inferences=concurrency,
            # Each inference has a frame that is ready next, while one more is prepared or written.
            # A live frame that is prepared ahead would be older than one that arrives later.
            in_flight=2 * concurrency + 1 if source.every_frame else concurrency)
        self._source = source
        self._worker.start()
        source.start(intake)

    def begin_stop(self) -> None:
        """Stop the source without waiting for its threads; call `stop` afterwards."""
        if self._source is not None:
            self._source.stop(timeout_s=0.0)

    def stop(self) -> None:
        """Stop the source, process the frames already accepted; wait a few seconds at most."""
        if self._source is not None and not self._source.stop():
            log.warning(
                '%s: did not stop in time; its thread is abandoned', self._source.description)
        self._source = None
        if self._worker is not None and not self._worker.stop():
            log.warning(
                'model %s: did not return in time; its thread is abandoned', self.model.name)

    def wait(self, timeout_s: float | None = None) -> bool:
        """
        Wait until the source has ended and its frames are processed.

        :return: False if that takes longer than the timeout.
        """
        return self._worker is None or self._worker.join(timeout_s)

    @property
    def ended(self) -> bool:
        """Return whether a source was started and all its frames have been processed."""
        return self._source is not None and self._worker is not None and self._worker.ended

    @property
    def model_changed(self) -> bool:
        """Return whether the model server has another model now: no frame can be processed."""
        return self._worker is not None and self._worker.model_changed

    def poll(self) -> None:
        """Run the periodic checks of the source. Call it a few times per second."""
        source = self._source
        if source is not None:
            source.poll()

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """
        Check new settings, without applying them. May block, e.g. to resolve a host name.

        Parts whose group of settings is unchanged do nothing. Apply or discard a change before
        the next call.

        :return: a function that applies the settings between two frames.
        :raises SettingError: if a part refuses them; then there is nothing to undo.
        """
        commits = []
        if _affects_pipeline(settings, self.settings):
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
        """Stop, and release the outputs and the model; a model that hangs stays loaded."""
        self.stop()
        for output in self._outputs:
            output.close()
        if self._worker is None or self._worker.ended:
            self._pipeline.close()
            self._detector.close()

    def _between_frames(self, action: Callable[[], None]) -> None:
        if self._worker is None:
            action()
        else:
            self._worker.between_frames(action)


def _load_detector(
    settings: Settings, models: ModelPool, abort: threading.Event | None,
) -> Detector:
    """Load a model; measure how many frames of a file it should process at once."""
    model = settings.model
    if model.concurrency or models.cameras > 1 or not waits_for_model(settings.source):
        return Detector.load(model, models.load(model, abort=abort))
    detector, concurrency = load_measured(model, models, abort)
    log.info('model %s: %s', detector.info.name, concurrency)
    return detector


def _affects_pipeline(new: Settings, old: Settings) -> bool:
    return (new.detect, new.track, new.dataset) != (old.detect, old.track, old.dataset)
