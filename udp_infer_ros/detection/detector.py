# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""An ONNX detector: image in, boxes in image pixels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime as ort
import supervision as sv
from udp_infer_ros.detection.decoders import Candidates, Outputs
from udp_infer_ros.detection.devices import one_line, open_session, ORT_ERRORS, usable_cores
from udp_infer_ros.detection.families import Family, Preprocessing, recognise, Seen
from udp_infer_ros.detection.labels import configured_labels, label_classes
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import ImageInput, ModelFile, Port
from udp_infer_ros.detection.model_store import locate
from udp_infer_ros.detection.nms import non_max_suppression
from udp_infer_ros.detection.preprocess import Preprocessor
from udp_infer_ros.errors import ModelError, SettingError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.settings import DetectSettings, ModelSettings

WARM_UP_RUNS = 2


@dataclass(frozen=True)
class ModelInfo:
    """What a loaded model turned out to be."""

    name: str
    path: str
    family: str
    family_reason: str
    labels: tuple[str, ...]
    """May be empty where neither the file nor the outputs say how many classes there are."""
    input_width: int
    input_height: int
    input_dtype: str
    preprocessing: Preprocessing
    provider: str
    provider_reason: str
    threads: int
    warm_up_ms: float
    """How long one run took after the first."""

    def __str__(self) -> str:
        return (
            f'{self.name}: {self.family} ({self.family_reason}), {len(self.labels)} classes, '
            f'input {self.input_width} x {self.input_height} {self.preprocessing}, '
            f'{self.provider} ({self.provider_reason}), {self.threads} threads')


class Detector:
    """
    A network in memory, ready to run.

    The three steps are separate so that the pipeline can time them: `prepare` an image, `run`
    the network, `read` its outputs. One thread at a time.
    """

    def __init__(self, session: ort.InferenceSession, file: ModelFile, image: ImageInput) -> None:
        self._session = session
        self._image = image
        self._feeds = file.size_inputs(image.size)
        self._output_names = [output.name for output in session.get_outputs()]
        self._family: Family
        self._preprocess: Preprocessor
        self.info: ModelInfo

    @classmethod
    def load(cls, settings: ModelSettings) -> Detector:
        """
        Load a model, find out what it is, and run it, so that the first frame is not the slow one.

        :raises ModelError: if the file is missing, damaged or not a detector that is understood,
            or if its device is not there.
        """
        path = locate(settings.id, settings.sha256)
        session, device_reason = open_session(settings, str(path))
        file = ModelFile(
            settings.id, tuple(map(Port.of, session.get_inputs())),
            session.get_modelmeta().custom_metadata_map)
        file.require_detector()
        image = file.image_input()
        detector = cls(session, file, image)
        configured = configured_labels(settings.labels)
        seen = detector._probe(file, len(configured or file.labels()) or None)
        family, reason = recognise(seen, settings.id, settings.family)
        preprocessing = _overridden(family.preprocessing, settings)
        detector._family = family
        detector._preprocess = Preprocessor(image, preprocessing)
        detector.info = ModelInfo(
            path.stem, str(path), family.name, reason,
            label_classes(
                settings.id, configured, file.labels(), detector._class_count(seen),
                spare_class=family.spare_class),
            image.size.width, image.size.height, str(image.dtype), preprocessing,
            session.get_providers()[0], device_reason, settings.threads or usable_cores(), 0.0)
        detector._warm_up()
        return detector

    def prepare(self, image: BgrImage) -> tuple[NDArray[Any], Letterbox]:
        """Write an image (height, width, 3), BGR, into the network's input tensor."""
        return self._preprocess(image)

    def run(self, tensor: NDArray[Any]) -> Outputs:
        """Run the network on a prepared tensor."""
        self._feeds[self._image.name] = tensor
        return dict(zip(self._output_names, self._session.run(None, self._feeds)))

    def read(
        self, outputs: Outputs, letterbox: Letterbox, settings: DetectSettings, *,
        threshold: float, class_ids: Sequence[int] = (),
    ) -> sv.Detections:
        """
        Turn raw outputs into detections.

        :param letterbox: where the image was in the tensor.
        :param settings: thresholds and limits.
        :param threshold: lowest score wanted; may be below `settings.confidence`, for the tracker.
        :param class_ids: the classes to keep; empty keeps all.
        :return: rows in image pixels, clipped, finite, with an area, highest score first;
            `data['class_name']` is filled.
        """
        # A model may put out anything; what is not finite is left out below.
        with np.errstate(invalid='ignore', over='ignore'):
            found = self._family.decode(outputs, threshold, self._image.size)
        keep = np.isfinite(found.xyxy).all(axis=1) & np.isfinite(found.scores)
        # A box turned inside out is none, and would overlap others in strange ways.
        keep &= (found.xyxy[:, 2:] > found.xyxy[:, :2]).all(axis=1)
        keep &= found.class_ids >= 0
        if self._family.spare_class:
            keep &= found.class_ids < len(self.info.labels)
        if len(class_ids):
            keep &= np.isin(found.class_ids, class_ids)
        found = _best(found[keep], settings.max_candidates)
        if self._family.needs_nms:
            found = found[non_max_suppression(
                found.xyxy, found.scores, found.class_ids, iou=settings.iou,
                class_agnostic=settings.class_agnostic)]
        return self._in_image(_best(found, settings.max_detections), letterbox)

    def class_ids(self, wanted: Sequence[str]) -> tuple[int, ...]:
        """
        Translate names or indices of classes to indices.

        :raises SettingError: if the model has no such class.
        """
        labels = self.info.labels
        return tuple(_class_id(labels, name, wanted) for name in wanted)

    def _in_image(self, found: Candidates, letterbox: Letterbox) -> sv.Detections:
        boxes = letterbox.undo(found.xyxy)
        np.clip(boxes[:, 0::2], 0, letterbox.image_width, out=boxes[:, 0::2])
        np.clip(boxes[:, 1::2], 0, letterbox.image_height, out=boxes[:, 1::2])
        # A box thinner than what is told (0.01 px) would have no size in any output.
        boxes = np.round(boxes, 2)
        visible = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        found = found[visible]
        labels = self.info.labels
        names = [
            labels[i] if i < len(labels) else f'class_{i}' for i in found.class_ids.tolist()]
        return sv.Detections(
            xyxy=boxes[visible].astype(np.float32), confidence=np.clip(found.scores, 0.0, 1.0),
            class_id=found.class_ids.astype(int), data={'class_name': np.array(names, dtype=str)})

    def _probe(self, file: ModelFile, class_count: int | None) -> Seen:
        """Run the network once on noise, to see the real shapes and the values of its outputs."""
        # Made as every family makes it but for the numbers, which do not matter here.
        probe = Preprocessor(self._image, Preprocessing('stretch'))
        noise = np.random.default_rng(0).integers(
            0, 256, (self._image.size.height, self._image.size.width, 3), dtype=np.uint8)
        try:
            outputs = self.run(probe(noise)[0])
        except ORT_ERRORS as error:
            raise ModelError(
                'model.id', file.name, f'does not run: {one_line(error)}',
                'does its own tool run it?') from error
        return Seen(
            tuple(port.name for port in file.inputs), outputs, file.metadata, class_count,
            self._image.size)

    def _class_count(self, seen: Seen) -> int | None:
        try:
            return self._family.classes(seen)
        except (LookupError, StopIteration):
            return None  # The family was set by hand and does not fit; the warm-up will say so.

    def _warm_up(self) -> None:
        size = self._image.size
        grey = np.full((size.height, size.width, 3), 127, dtype=np.uint8)
        tensor, letterbox = self.prepare(grey)
        outputs: Outputs = {}
        for _ in range(WARM_UP_RUNS):
            begin_s = time.perf_counter()
            outputs = self.run(tensor)
        took_ms = (time.perf_counter() - begin_s) * 1e3
        self.info = replace(self.info, warm_up_ms=took_ms)
        try:
            self.read(outputs, letterbox, DetectSettings(), threshold=0.0)
        except (LookupError, ValueError) as error:
            shapes = ', '.join(f'{name} {output.shape}' for name, output in outputs.items())
            raise ModelError(
                'model.family', self.info.family,
                f'does not fit the outputs of {self.info.path}, which are {shapes}: {error}',
                f'expected is {self._family.layout}') from error


def _overridden(family: Preprocessing, settings: ModelSettings) -> Preprocessing:
    """Let parameters win over what is usual for a family."""
    changes: dict[str, Any] = {}
    if settings.resize != 'auto':
        changes['resize'] = settings.resize
    if settings.color != 'auto':
        changes['color'] = settings.color
    if settings.mean:
        changes['mean'] = settings.mean
    if settings.std:
        changes['std'] = settings.std
    return replace(family, **changes)


def _best(found: Candidates, count: int) -> Candidates:
    """Keep the rows with the highest scores, in that order."""
    return found[np.argsort(-found.scores, kind='stable')[:count]]


def _class_id(labels: Sequence[str], name: str, wanted: Sequence[str]) -> int:
    if name in labels:
        return labels.index(name)
    if name.isascii() and name.isdigit() and (int(name) < len(labels) or not labels):
        return int(name)
    near = get_close_matches(name, labels, n=1, cutoff=0.0)
    raise SettingError(
        'detect.classes', list(wanted), f'the model has no class {name!r}',
        f'did you mean {near[0]!r}?' if near else 'give an index')
