# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""An ONNX detector: image in, boxes in image pixels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
import supervision as sv
from udp_infer_ros.detection.decoders import Candidates, Family, Outputs
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import ModelFile, Port, resolve_labels
from udp_infer_ros.detection.model_store import locate
from udp_infer_ros.detection.nms import non_max_suppression
from udp_infer_ros.detection.preprocess import InputSpec, Preprocessor
from udp_infer_ros.errors import ModelError, SettingError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.settings import DetectSettings, ModelSettings

WARM_UP_RUNS = 2
DTYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(uint8)': np.uint8}
ORT_ERRORS = (
    ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf, ort_errors.NoSuchFile, ort_errors.NotImplemented,
    ort_errors.RuntimeException)
"""Direct children of Exception, one by one: ONNX Runtime has no base class for them."""


@dataclass(frozen=True)
class ModelInfo:
    """What a loaded model turned out to be."""

    name: str
    path: str
    family: str
    labels: tuple[str, ...]
    """May be empty where neither the file nor the outputs say how many classes there are."""
    input_width: int
    input_height: int
    resize: str
    provider: str
    threads: int

    def __str__(self) -> str:
        return (
            f'{self.name}: {self.family}, {len(self.labels)} classes, input {self.input_width} x '
            f'{self.input_height} {self.resize}, {self.provider}, {self.threads} threads')


class Detector:
    """
    A network in memory, ready to run.

    The three steps are separate so that the pipeline can time them: `prepare` an image, `run`
    the network, `read` its outputs. One thread at a time.
    """

    def __init__(
        self, session: ort.InferenceSession, info: ModelInfo, family: Family, spec: InputSpec,
    ) -> None:
        self.info = info
        self._session = session
        self._family = family
        self._preprocess = Preprocessor(spec)
        self._input_name = session.get_inputs()[0].name

    @classmethod
    def load(cls, settings: ModelSettings) -> Detector:
        """
        Load a model and run it a few times, so that the first frame is not the slow one.

        :raises ModelError: if the file is missing, damaged or not a detector that is understood.
        """
        path = locate(settings.id)
        threads = settings.threads or usable_cores()
        session = _open_session(settings.id, str(path), threads)
        file = ModelFile(
            settings.id, tuple(map(Port.of, session.get_inputs())),
            tuple(map(Port.of, session.get_outputs())),
            session.get_modelmeta().custom_metadata_map)
        file.require_detector()
        width, height = file.input_size()
        dtype = DTYPES.get(file.inputs[0].dtype)
        if dtype is None:
            raise ModelError(
                'model.id', settings.id,
                f'has an input of {file.inputs[0].dtype}, must be one of {", ".join(DTYPES)}')
        named = len(settings.labels) or len(file.labels()) or None
        family = file.family(settings.family, named)
        labels = resolve_labels(file, family, settings.labels)
        resize = 'letterbox' if settings.resize == 'auto' else settings.resize
        spec = InputSpec(
            width, height, np.dtype(dtype), resize=resize,
            scale=1.0 if dtype is np.uint8 else 1.0 / 255.0)
        info = ModelInfo(
            path.stem, str(path), family.name, labels, width, height, resize,
            session.get_providers()[0], threads)
        detector = cls(session, info, family, spec)
        detector._warm_up()
        return detector

    def prepare(self, image: BgrImage) -> tuple[NDArray[Any], Letterbox]:
        """Write an image (height, width, 3), BGR, into the network's input tensor."""
        return self._preprocess(image)

    def run(self, tensor: NDArray[Any]) -> Outputs:
        """Run the network on a prepared tensor."""
        outputs: Outputs = self._session.run(None, {self._input_name: tensor})
        return outputs

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
            found = self._family.decode(outputs, threshold)
        if len(class_ids):
            found = found[np.isin(found.class_ids, class_ids)]
        found = found[np.isfinite(found.xyxy).all(axis=1) & np.isfinite(found.scores)]
        found = _best(found, settings.max_candidates)
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
            labels[i] if 0 <= i < len(labels) else f'class_{i}' for i in found.class_ids.tolist()]
        return sv.Detections(
            xyxy=boxes[visible].astype(np.float32), confidence=np.clip(found.scores, 0.0, 1.0),
            class_id=found.class_ids.astype(int), data={'class_name': np.array(names, dtype=str)})

    def _warm_up(self) -> None:
        spec = self._preprocess.spec
        grey = np.full((spec.height, spec.width, 3), 127, dtype=np.uint8)
        tensor, letterbox = self.prepare(grey)
        shapes = 'none'
        try:
            for _ in range(WARM_UP_RUNS):
                outputs = self.run(tensor)
            shapes = ', '.join(str(tuple(output.shape)) for output in outputs)
            self.read(outputs, letterbox, DetectSettings(), threshold=0.0)
        except (*ORT_ERRORS, IndexError, ValueError) as error:
            raise ModelError(
                'model.id', self.info.path, f'failed on its first run as {self.info.family}: '
                f'{_one_line(error)}', f'its outputs were {shapes}; set model.family') from error


def usable_cores() -> int:
    """Count the cores that this process may use, by affinity and by its cgroup's quota."""
    cores = len(os.sched_getaffinity(0))
    try:
        with open('/sys/fs/cgroup/cpu.max', encoding='ascii') as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == 'max' else max(1, min(cores, round(int(quota) / int(period))))


def _open_session(model_id: str, path: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between frames take the cores from the rest of the robot.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    except ORT_ERRORS as error:
        raise ModelError(
            'model.id', model_id, f'must be a whole ONNX file that ONNX Runtime '
            f'{ort.__version__} can load, but: {_one_line(error)}',
            'export or copy it again') from error


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())[:300]


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
