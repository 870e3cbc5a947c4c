# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""An object detector: image in, detections out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
import logging
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.backend import Backend
from udp_infer_ros.detection.catalog import CATALOG, Catalog
from udp_infer_ros.detection.families import recognize
from udp_infer_ros.detection.families.base import Family, ProbeResult
from udp_infer_ros.detection.labels import configured_labels, label_classes
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import ImageInput, ModelFile
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.detection.postprocess import Postprocessor
from udp_infer_ros.detection.preprocess import Prepared, Preprocessor
from udp_infer_ros.detection.types import Outputs, Preprocessing, Selection
from udp_infer_ros.errors import SettingError
from udp_infer_ros.frame import BgrImage, Detections
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.redact import redacted
from udp_infer_ros.settings import DetectSettings, ModelSettings

log = logging.getLogger(__name__)

WARM_UP_RUNS = 2


@dataclass(frozen=True, kw_only=True)
class Network:
    """A backend with the names of its inputs: image tensor in, outputs out."""

    backend: Backend
    image_name: str
    size_feeds: Mapping[str, NDArray[Any]]
    """Values of the inputs other than the image."""

    def __call__(self, tensor: NDArray[Any]) -> Outputs:
        """
        Run the network.

        :raises ModelError: if it fails.
        """
        return self.backend.infer({self.image_name: tensor, **self.size_feeds})


class Detector:
    """
    A loaded model with its preprocessing and its decoder.

    The three steps are separate so that the pipeline can time them: `prepare` an image, `run` the
    network, `read` its outputs. `run` may be called from several threads at once, the others from
    one.
    """

    def __init__(
        self, *, network: Network, preprocess: Preprocessor, postprocess: Postprocessor,
        info: ModelInfo,
    ) -> None:
        self.info = info
        self._network = network
        self._preprocess = preprocess
        self._postprocess = postprocess

    @classmethod
    def load(
        cls, settings: ModelSettings, backend: Backend | None = None, *,
        catalog: Catalog = CATALOG,
    ) -> Detector:
        """
        Load a model, recognize its family, and run it, so that the first frame is not slow.

        :param backend: runs the network, and is closed if this raises; by default, the network
            of `settings` is loaded for this detector alone.
        :param catalog: the models with names.
        :raises ModelError: if the file is missing, damaged or not a supported detector, or the
            device is not available.
        """
        if backend is None:
            backend = ModelPool().load(settings, catalog)
        try:
            return cls._with(backend, settings, catalog)
        except BaseException:
            backend.close()
            raise

    @classmethod
    def _with(cls, backend: Backend, settings: ModelSettings, catalog: Catalog) -> Detector:
        file = ModelFile(
            name=redacted(settings.id), inputs=backend.inputs, metadata=backend.metadata)
        file.require_detector()
        image = file.image_input()
        network = Network(
            backend=backend, image_name=image.name, size_feeds=file.size_inputs(image.size))
        model = catalog.get(settings.id)
        family, family_reason, labels = _identify(
            network, file, image, model.complete(settings) if model else settings)
        if model and model.family != 'auto' and settings.family == 'auto':
            family_reason = 'as in the catalog'
        preprocessing = _override(family.preprocessing, settings)
        log.debug(
            '%s: the family %s was trained with %s; with the parameters: %s', file.name,
            family.name, family.preprocessing, preprocessing)
        preprocess = Preprocessor(image, preprocessing)
        postprocess = Postprocessor(family=family, labels=labels, size=image.size)
        gray = preprocess(_gray_image(image))
        warm_up_ms = _warm_up(network, gray.tensor)
        preprocess.release(gray)
        info = ModelInfo(
            name=backend.info.name, path=backend.info.location, family=family.name,
            family_reason=family_reason, labels=labels, input_width=image.size.width,
            input_height=image.size.height, input_reason=image.size_reason,
            input_dtype=str(image.dtype),
            preprocessing=str(preprocessing), provider=backend.info.provider,
            provider_reason=backend.info.provider_reason, threads=backend.info.threads,
            concurrency=max(1, settings.concurrency),
            frame_bytes=gray.tensor.nbytes if backend.info.remote else 0, warm_up_ms=warm_up_ms)
        return cls(network=network, preprocess=preprocess, postprocess=postprocess, info=info)

    def selection(self, settings: DetectSettings, min_score: float) -> Selection:
        """
        Build the argument of `read` from parameters.

        :param min_score: lowest score to keep; may be below `detect.confidence`.
        :raises SettingError: if `detect.classes` contains a class that the model does not have.
        """
        return Selection(
            min_score=min_score, class_ids=_class_ids(self.info.labels, settings.classes),
            iou=settings.iou, class_agnostic=settings.class_agnostic,
            max_candidates=settings.max_candidates, max_detections=settings.max_detections)

    def prepare(self, image: BgrImage) -> Prepared:
        """
        Write an image into an input tensor of the network.

        :param image: (height, width, 3), BGR; not modified.
        :return: the tensor; `release` it when the network has run and `resized` is not needed.
        """
        return self._preprocess(image)

    def release(self, prepared: Prepared) -> None:
        """Use a tensor for another image. Without it, each image gets a new tensor."""
        self._preprocess.release(prepared)

    def run(self, prepared: Prepared) -> Outputs:
        """
        Run the network on a prepared image. May be called from several threads at once.

        :raises ModelError: if it fails.
        """
        return self._network(prepared.tensor)

    def read(self, outputs: Outputs, letterbox: Letterbox, selection: Selection) -> Detections:
        """
        Convert outputs to detections.

        :param letterbox: the place of the image in the tensor.
        :return: boxes in image pixels, clipped, finite, with an area; highest score first.
        """
        return self._postprocess(outputs, letterbox, selection)

    def values(self) -> Mapping[str, object]:
        """Return figures of the network for the diagnostics."""
        return self._network.backend.values()

    def close(self) -> None:
        """Release the network. No `run` follows."""
        self._network.backend.close()


def _identify(
    network: Network, file: ModelFile, image: ImageInput, settings: ModelSettings,
) -> tuple[Family, str, tuple[str, ...]]:
    """Return the family of a network, how it was recognized, and the class names."""
    configured, in_file = configured_labels(settings.labels), file.labels()
    outputs = _probe(network, image)
    file.require_numbers(outputs)
    probe = ProbeResult(
        inputs=tuple(tensor.name for tensor in file.inputs), outputs=outputs,
        metadata=file.metadata, class_count=len(configured or in_file) or None, size=image.size)
    family, reason = recognize(probe, file.name, settings.family)
    labels = label_classes(
        file.name, configured=configured, in_file=in_file,
        class_count=family.count_classes(probe), has_background=family.has_background)
    log.debug(
        '%s: %d class names, %s', file.name, len(labels), 'from model.labels' if configured else
        'from the model file' if in_file else 'none in the model file')
    return family, reason, labels


def _probe(network: Network, image: ImageInput) -> Outputs:
    """Run the network on noise, for the real shapes and values of its outputs."""
    # Any preprocessing will do; mean and std do not matter.
    preprocess = Preprocessor(image, Preprocessing(resize='stretch'))
    noise = np.random.default_rng(0).integers(
        0, 256, (image.size.height, image.size.width, 3), dtype=np.uint8)
    return network(preprocess(noise).tensor)


def _gray_image(image: ImageInput) -> BgrImage:
    return np.full((image.size.height, image.size.width, 3), 127, dtype=np.uint8)


def _warm_up(network: Network, tensor: NDArray[Any]) -> float:
    """Return the duration, ms, of the last of several runs."""
    for _ in range(WARM_UP_RUNS - 1):
        network(tensor)
    begin_s = time.perf_counter()
    network(tensor)
    return (time.perf_counter() - begin_s) * 1e3


def _override(usual: Preprocessing, settings: ModelSettings) -> Preprocessing:
    """Return the preprocessing of a family with the changes in the parameters."""
    changes: dict[str, Any] = {}
    if settings.resize != 'auto':
        changes['resize'] = settings.resize
    if settings.color != 'auto':
        changes['color'] = settings.color
    if settings.mean:
        changes['mean'] = settings.mean
    if settings.std:
        changes['std'] = settings.std
    return replace(usual, **changes)


def _class_ids(labels: Sequence[str], classes: Sequence[str]) -> tuple[int, ...]:
    """
    Convert names or indices of classes to indices.

    :raises SettingError: if the model has no such class.
    """
    return tuple(_class_id(labels, name, classes) for name in classes)


def _class_id(labels: Sequence[str], name: str, classes: Sequence[str]) -> int:
    if name in labels:
        return labels.index(name)
    if name.isascii() and name.isdigit() and (int(name) < len(labels) or not labels):
        return int(name)
    near = get_close_matches(name, labels, n=1, cutoff=0.0)
    raise SettingError(
        'detect.classes', list(classes), f'the model has no class {name!r}',
        f'did you mean {near[0]!r}?' if near else 'give an index')
