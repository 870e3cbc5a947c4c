# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The output that collects a dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
import hashlib
import os
from pathlib import Path
from random import Random
import threading
import time
from typing import Protocol

from udp_infer_ros.dataset_settings import DatasetSettings
from udp_infer_ros.errors import SettingError
from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.base import Commit, nothing_to_commit
from udp_infer_ros.outputs.dataset.rules import Rules
from udp_infer_ros.outputs.dataset.sample import Sample
from udp_infer_ros.outputs.dataset.store import InUseError, LOCK, lock
from udp_infer_ros.outputs.dataset.writer import Writer, WriterState
from udp_infer_ros.settings import Settings
from udp_infer_ros.wording import counted

REQUESTED = 'collect'
"""Name of the rule of a frame that was requested."""


class Recorder(Protocol):
    """Writes a bag with what happened before and after a frame."""

    def check(self, settings: DatasetSettings) -> None:
        """
        Check the settings.

        :raises SettingError: if they are refused.
        """

    def request(self, settings: DatasetSettings) -> None:
        """Request a bag, without waiting. Called in the thread of the worker."""

    def values(self) -> Mapping[str, object]:
        """Return counters for the health report."""
        ...

    def close(self) -> None:
        """Release the connection."""


class DatasetOutput:
    """
    Stores the frames that a rule selects, with their detections, as a dataset.

    `write` decides, and copies a selected frame; a thread writes it. `write` and commits run in
    the worker, `collect_next`, `prepare` and `health` in other threads.

    :param recorder: is requested to write a bag when a rule with `snapshot` collects a frame.
    :param writer: writes the frames.
    :param random: the source of random numbers.
    :param clock_s: a monotonic clock for the limits, seconds.
    :param now_ns: the time of frames without a stamp, nanoseconds.
    """

    name = 'dataset'

    def __init__(
        self, *, recorder: Recorder | None = None,
        writer: Writer | None = None, random: Random | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = DatasetSettings()
        self._recorder = recorder
        self._writer = writer or Writer()
        self._rules = Rules(random or Random())
        self._clock_s = clock_s
        self._now_ns = now_ns
        self._requested = threading.Event()
        self._model_sha256 = ''
        self._labels: tuple[str, ...] = ()
        self._reported = self._writer.state()

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """
        Check the directory and the names of classes.

        :raises SettingError: if the directory cannot be written or is used by another process,
            or a class is unknown.
        """
        new = settings.dataset
        if previous and (new, settings.detect.classes) == (
                previous.dataset, previous.detect.classes):
            return nothing_to_commit
        checksum = self._model_sha256
        if new.directory:
            _check_classes(settings, model.labels)
            if new.directory != self._settings.directory:
                _check_directory(new.directory)
            if self._recorder is not None:
                self._recorder.check(new)
            checksum = checksum or _sha256(Path(model.path))
        return lambda: self._apply(new, checksum, model.labels)

    def write(self, result: Result, image: BgrImage) -> None:
        """Queue a copy of the frame if a rule selects it."""
        settings = self._settings
        if not settings.directory:
            return
        now_s = self._clock_s()
        rule = self._rules.choose(result, now_s)
        requested = self._requested.is_set()
        if (rule is None and not requested) or not self._writer.has_space:
            return
        self._requested.clear()
        if rule is not None and not requested:
            rule.limits.charge(rule.settings, now_s)
            rule.collected(result)
        self._writer.offer(Sample(
            result=result, image=image.copy(),
            rule=rule.settings.name if rule and not requested else REQUESTED,
            tags=rule.settings.tags if rule and not requested else (),
            model_sha256=self._model_sha256, labels=self._labels,
            time_ns=result.frame.stamp_ns or self._now_ns()), settings)
        if rule is not None and rule.settings.snapshot and self._recorder:
            self._recorder.request(settings)

    def is_idle(self) -> bool:
        """Return whether every frame that a rule selected is stored or refused."""
        return self._writer.is_idle

    def collect_next(self) -> None:
        """Collect the next frame, whatever the rules and their limits are."""
        self._requested.set()

    def health(self) -> PartHealth:
        """Return WARN if frames were dropped or not stored since the last call."""
        settings, state = self._settings, self._writer.state()
        before, self._reported = self._reported, state
        if not settings.directory:
            return PartHealth(name=self.name, message='off: dataset.directory is empty')
        level, message = _summary(state, before)
        values: dict[str, object] = {
            'directory': settings.directory, **{
                f'images {rule}': state.images.get(rule, 0)
                for rule in (*settings.rules, REQUESTED)},
            'queued': state.queued, 'dropped': state.dropped, 'failed': state.failed,
            'not_stored': state.not_stored, 'bytes': state.bytes,
            'free_bytes': 'unknown' if state.free_bytes is None else state.free_bytes,
            'last_error': state.last_error,
            **(self._recorder.values() if self._recorder is not None else {})}
        return PartHealth(name=self.name, level=level, message=message, values=values)

    def close(self) -> None:
        """Write the queued frames, and release the directory."""
        self._writer.close()
        if self._recorder is not None:
            self._recorder.close()

    def _apply(self, settings: DatasetSettings, checksum: str, labels: tuple[str, ...]) -> None:
        self._settings = settings
        self._model_sha256, self._labels = checksum, labels
        self._rules.configure(settings.active)


def _summary(state: WriterState, before: WriterState) -> tuple[Level, str]:
    """Return the level and the message of the health report."""
    if state.full:
        return Level.WARN, f'full: {state.full}; {state.not_stored} images not stored'
    if state.failed > before.failed:
        count = counted(state.failed - before.failed, 'image')
        return Level.WARN, f'{count} could not be written: {state.last_error}'
    if state.dropped > before.dropped:
        count = counted(state.dropped - before.dropped, 'image')
        return Level.WARN, f'the disk is too slow: {count} dropped; frames are not delayed'
    return Level.OK, f'{counted(sum(state.images.values()), "image")} stored'


def _check_classes(settings: Settings, labels: tuple[str, ...]) -> None:
    """
    Check the names of classes in the settings.

    :raises SettingError: if one is unknown, or cannot be blurred because it is not detected.
    """
    lists = {f'dataset.{rule.name}.classes': getattr(rule, 'classes', ())
             for rule in settings.dataset.definitions}
    lists['dataset.blur_classes'] = settings.dataset.blur_classes
    for name, classes in lists.items():
        unknown = [item for item in classes if labels and item not in labels]
        if unknown:
            near = get_close_matches(unknown[0], labels, n=1, cutoff=0.0)
            raise SettingError(
                name, list(classes), f'the model has no class {unknown[0]!r}',
                f'did you mean {near[0]!r}?')
    selected = settings.detect.classes
    for item in settings.dataset.blur_classes if selected else ():
        if item not in selected and str(labels.index(item)) not in selected:
            raise SettingError(
                'dataset.blur_classes', list(settings.dataset.blur_classes),
                f'{item!r} is not in detect.classes, so it is not detected',
                'add it to detect.classes')


def _check_directory(text: str) -> None:
    """
    Check that a directory can be written, and that no other process does.

    :raises SettingError: if not.
    """
    directory = existing = Path(text).expanduser()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise SettingError(
            'dataset.directory', text, f'{existing} is not a folder that can be written',
            'correct the path, or the permissions of the folder')
    if (directory / LOCK).exists():
        try:
            lock(directory).close()
        except InUseError as error:
            raise SettingError(
                'dataset.directory', text, 'is used by another node',
                'give each node, and each camera, a directory of its own') from error


def _sha256(path: Path) -> str:
    """Return the checksum of the model file; empty if the model is not a file."""
    if not path.is_file():
        return ''
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
