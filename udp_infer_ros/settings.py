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

"""
Every parameter, once: type, default, range or choices, unit, meaning, live or start-up only.

The dotted name of a ROS parameter is the path of a field in `Settings`. The declaration in the
node, `config/udp_infer.yaml` and the table in the README are all made from what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
import math
from typing import Any

from udp_infer_ros.errors import SettingError

Scalar = bool | int | float | str
Value = Scalar | tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter, as a user meets it."""

    name: str
    """Dotted, e.g. `detect.confidence`."""
    default: Value
    meaning: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    """It may change while the node runs; the others are set at start-up."""
    items: type = str
    """Of a list: str or float."""

    @property
    def kind(self) -> type:
        """Tell its type: bool, int, float, str, or tuple for a list."""
        return type(self.default)

    @property
    def rule(self) -> str:
        """Say which values are allowed, as the end of a sentence: `must be …`."""
        if self.choices:
            return 'must be one of ' + ', '.join(self.choices)
        noun = {
            bool: 'true or false', int: 'a whole number', float: 'a number',
            str: 'text', tuple: 'a list of ' + ('text' if self.items is str else 'numbers'),
        }[self.kind]
        if self.low is not None and self.high is not None:
            return f'must be {noun} from {self.low:g} to {self.high:g}'
        if self.low is not None:
            return f'must be {noun}, {self.low:g} or more'
        return f'must be {noun}'

    def check(self, value: object) -> Value:
        """
        Bring a value from YAML or the command line to this parameter's type.

        A whole number is accepted where a number is wanted, and numbers where text is wanted
        (a device index, a class index), because YAML cannot tell what the reader meant.

        :raises SettingError: if it cannot be had, or is out of range.
        """
        accepted = self._convert(value)
        if accepted is None:
            a_list = self.kind is tuple and isinstance(value, str)
            raise self._refusal(value, _as_list(str(value)) if a_list else '')
        if self.choices and accepted not in self.choices:
            near = get_close_matches(str(accepted), self.choices, n=1)
            raise self._refusal(value, f'did you mean {near[0]}?' if near else '')
        if isinstance(accepted, (int, float)) and not isinstance(accepted, bool):
            if not math.isfinite(accepted):
                raise self._refusal(value)
            if self.low is not None and accepted < self.low:
                raise self._refusal(value)
            if self.high is not None and accepted > self.high:
                raise self._refusal(value)
        return accepted

    def _convert(self, value: object) -> Value | None:
        if self.kind is tuple:
            if isinstance(value, (str, bytes)) or not hasattr(value, '__iter__'):
                return None
            items = list(value)
            return _texts(items) if self.items is str else _numbers(items)
        if self.kind is str:
            return _text(value)
        if isinstance(value, bool) or self.kind is bool:
            return value if isinstance(value, bool) and self.kind is bool else None
        if self.kind is float and isinstance(value, (int, float)):
            return float(value)
        return value if isinstance(value, int) else None

    def _refusal(self, value: object, remedy: str = '') -> SettingError:
        shown = list(self.default) if isinstance(self.default, tuple) else self.default
        return SettingError(
            self.name, value, self.rule, remedy or f'the default is {shown!r}')


def _as_list(text: str) -> str:
    items = [item.strip(' "\'') for item in text.strip('[] ').split(',')]
    return f'write {items}, each in quotes'


def _texts(values: list[object]) -> tuple[str, ...] | None:
    items = [_text(value) for value in values]
    # An empty text stands for an empty list, where ROS cannot have one.
    return None if None in items else tuple(item for item in items if item)


def _numbers(values: list[object]) -> tuple[float, ...] | None:
    items = [
        float(value) for value in values
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        and math.isfinite(value)]
    return tuple(items) if len(items) == len(values) else None


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value)


def _param(
    default: Value, meaning: str, *, unit: str = '', low: float | None = None,
    high: float | None = None, choices: tuple[str, ...] = (), live: bool = False,
    items: type = str,
) -> Any:
    return field(default=default, metadata={'parameter': Parameter(
        '', default, meaning, unit, low, high, choices, live, items)})


@dataclass(frozen=True)
class SourceSettings:
    """Where frames come from."""

    uri: str = _param('', (
        'Empty: the topic image_raw. Else a camera (0, /dev/video0 or /dev/v4l/by-id/...), a '
        'video file, a folder or glob of images, a stream (rtsp://, http://, udp://, tcp://) '
        'or a GStreamer pipeline that ends in appsink. ${NAME} is a variable of the '
        'environment, for a password that nobody shall see.'))
    transport: str = _param('auto', (
        'Topic only: raw subscribes to sensor_msgs/Image, compressed to '
        'sensor_msgs/CompressedImage on <topic>/compressed; auto: to what is published, raw if '
        'both are.'), choices=('auto', 'raw', 'compressed'))
    policy: str = _param('auto', (
        'latest: the newest frame wins and the others are counted as dropped; every: the source '
        'waits and none is lost; auto: every for a file, else latest.'),
        choices=('auto', 'latest', 'every'))
    realtime: bool = _param(False, (
        'File only: play it at its own rate, as if it were a camera, instead of as fast as '
        'the model can go. policy auto is then latest.'))
    loop: bool = _param(False, 'File only: start again at its end.')
    exit_at_end: bool = _param(False, (
        'File only: end the process at its end, with exit code 0; else the node stays up, idle.'))
    frame_id: str = _param('camera_optical_frame', (
        'frame_id of the headers when the node opens the source itself. A topic has its own.'))
    stall_timeout_s: float = _param(5.0, (
        'When no frame has come for so long: warn, and open a camera or stream again.'),
        unit='s', low=0.1, high=3600.0)
    wait_for_source: bool = _param(False, (
        'Camera or stream that cannot be opened at start: true tries again for ever, false is an '
        'error. One that is lost later is always tried again.'))
    max_fps: float = _param(0.0, (
        'Look at no more frames a second than this; 0: at all. Of a file, by its own time.'),
        unit='1/s', low=0.0, high=1000.0)
    max_age_s: float = _param(0.0, (
        'Drop a frame whose stamp is older than this when its turn comes; 0: never. Not with '
        'files, nor where stamps are 0, ahead of the clock or more than a minute behind it.'),
        unit='s', low=0.0, high=60.0)
    fourcc: str = _param('', (
        'Camera only: pixel format to ask for, e.g. MJPG or YUYV. Empty: that of the driver.'))
    width: int = _param(0, (
        'Camera only: image width to ask for, with source.height; 0: that of the driver.'),
        unit='px', low=0, high=65535)
    height: int = _param(0, (
        'Camera only: image height to ask for, with source.width; 0: that of the driver.'),
        unit='px', low=0, high=65535)
    fps: float = _param(0.0, (
        'Camera: frame rate to ask for, 0: that of the driver. Images: how many of them are a '
        'second, 0: 30.'), unit='1/s', low=0.0, high=1000.0)


@dataclass(frozen=True)
class ModelSettings:
    """Which detector, and how it runs."""

    id: str = _param('nanodet_g_416', (  # noqa: A003
        'A model that comes with the package (nanodet_g_416), the path of an ONNX file, '
        'package://<package>/<path in its share folder>, or an http(s) URL with model.sha256.'))
    sha256: str = _param('', (
        'Checksum of the file. With a URL it is needed; the file is fetched once and kept.'))
    labels: tuple[str, ...] = _param((), (
        'Class names in the order of the class index, or one path of a text, YAML or JSON file '
        'with them. Empty: those in the model file.'))
    family: str = _param('auto', (
        'Whose export it is. auto: decided from the file, and refused if it does not say enough.'),
        choices=(
            'auto', 'yolo', 'yolov5', 'yolov6', 'yolox', 'yolox_decoded', 'nanodet', 'end2end',
            'yolov7_end2end', 'rtdetr', 'ultralytics_rtdetr', 'ultralytics_rtdetr_scores',
            'rfdetr', 'hf_rtdetr', 'detr', 'paddle', 'batched_nms', 'mmdeploy', 'torchvision',
            'tensorflow'))
    resize: str = _param('auto', (
        'letterbox keeps the aspect ratio and pads around, letterbox_top_left pads right and '
        'below, stretch does not keep it; auto: what the family was trained with.'),
        choices=('auto', 'letterbox', 'letterbox_top_left', 'stretch'))
    color: str = _param(
        'auto', 'Order of the channels; auto: what the family was trained with.',
        choices=('auto', 'rgb', 'bgr'))
    mean: tuple[float, ...] = _param((), (
        'Three numbers to subtract from the pixels (0 to 255) of the channels. Empty: those of '
        'the family.'), items=float)
    std: tuple[float, ...] = _param((), (
        'Three numbers to divide by after that, e.g. [255.0, 255.0, 255.0] for pixels from 0 to '
        '1. Empty: those of the family.'), items=float)
    device: str = _param('auto', (
        'Where it runs. auto: CUDA, OpenVINO or the CPU, the first that this onnxruntime has; '
        'another one that is not there is an error.'),
        choices=('auto', 'cpu', 'cuda', 'tensorrt', 'openvino'))
    threads: int = _param(0, (
        'CPU threads for inference. 0: the cores that this process may use.'), low=0, high=1024)
    spinning: bool = _param(False, (
        'Let these threads wait busily: a little faster on a quiet machine, and much slower for '
        'everybody on a busy one.'))


@dataclass(frozen=True)
class DetectSettings:
    """Which of the model's boxes are detections."""

    confidence: float = _param(
        0.4, 'Lowest score of a detection.', low=0.0, high=1.0, live=True)
    iou: float = _param(0.45, (
        'Non-maximum suppression: of two boxes of a class that overlap more than this, the one '
        'with the lower score goes.'), low=0.0, high=1.0, live=True)
    class_agnostic: bool = _param(
        False, 'Non-maximum suppression across classes.', live=True)
    max_candidates: int = _param(1000, (
        'Boxes that enter non-maximum suppression, best first; bounds the time that a garbage '
        'frame can take.'), low=1, high=100000, live=True)
    max_detections: int = _param(
        300, 'Detections in a frame, best first.', low=1, high=10000, live=True)
    classes: tuple[str, ...] = _param(
        (), "Class names or indices to keep, e.g. ['person', '2']. Empty: all.", live=True)


@dataclass(frozen=True)
class TrackSettings:
    """How detections of successive frames become tracks."""

    type: str = _param('bytetrack', (  # noqa: A003
        'bytetrack gives detections an id that stays with the object; none gives no ids.'),
        choices=('bytetrack', 'none'))
    high_threshold: float = _param(0.4, (
        'Detections from this score on are matched to tracks first.'),
        low=0.0, high=1.0, live=True)
    low_threshold: float = _param(0.1, (
        'Boxes from this score on may keep a track alive that found no better one. Those below '
        'detect.confidence are used for this only and are not published.'),
        low=0.0, high=1.0, live=True)
    new_threshold: float = _param(
        0.4, 'Lowest score that starts a track.', low=0.0, high=1.0, live=True)
    match_iou: float = _param(
        0.2, 'Least overlap between where a track is expected and a detection.',
        low=0.0, high=1.0, live=True)
    min_hits: int = _param(2, (
        'Frames in a row in which an object must be seen before it gets its id; those of the '
        'first frame get theirs at once.'), low=1, high=100, live=True)
    lost_s: float = _param(1.0, (
        'How long an object may be out of sight and keep its id.'),
        unit='s', low=0.0, high=3600.0, live=True)


@dataclass(frozen=True)
class PublishSettings:
    """What stands in the ROS messages."""

    class_id: str = _param('name', (
        'What hypothesis.class_id holds: the class name, or its index, which ~/label_info '
        'translates.'), choices=('name', 'index'), live=True)


@dataclass(frozen=True)
class AnnotateSettings:
    """What ~/image_annotated looks like."""

    max_fps: float = _param(
        15.0, 'Pictures a second at most; 0: every frame.', unit='Hz', low=0.0, high=1000.0,
        live=True)
    trails: bool = _param(True, 'Draw where tracked objects have been.', live=True)
    jpeg_quality: int = _param(
        80, 'Of ~/image_annotated/compressed.', low=1, high=100, live=True)


@dataclass(frozen=True)
class UdpSettings:
    """Who is told by UDP, and in which form."""

    targets: tuple[str, ...] = _param(('127.0.0.1:37020',), (
        'host:port of each receiver: a machine, a broadcast address or a multicast group, IPv4 or '
        '[IPv6]. Empty: no datagrams.'),
        live=True)
    multicast_ttl: int = _param(
        1, 'Routers that a multicast datagram may pass, plus 1.', low=0, high=255, live=True)
    interface: str = _param('', (
        'Network interface for multicast, e.g. eth0. Empty: the one that the system chooses.'),
        live=True)
    payload: str = _param('full', (
        "full: Roboflow's keys and an object udp_infer with time stamps, sequence number, "
        "latency and losses; roboflow: exactly the keys of Roboflow's UdpStream."),
        choices=('full', 'roboflow'), live=True)
    max_bytes: int = _param(1400, (
        'Largest datagram. 1400 fits an Ethernet frame; up to 65507 may be cut into IP '
        'fragments, and one lost fragment loses all.'),
        unit='bytes', low=1024, high=65507, live=True)
    overflow: str = _param('split', (
        'A frame that does not fit max_bytes: split sends it in parts that each stand alone, '
        'best detections first; truncate sends one and says how many it left out.'),
        choices=('split', 'truncate'), live=True)


@dataclass(frozen=True)
class Settings:
    """All parameters of the node, checked."""

    source: SourceSettings = field(default_factory=SourceSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    detect: DetectSettings = field(default_factory=DetectSettings)
    track: TrackSettings = field(default_factory=TrackSettings)
    publish: PublishSettings = field(default_factory=PublishSettings)
    annotate: AnnotateSettings = field(default_factory=AnnotateSettings)
    udp: UdpSettings = field(default_factory=UdpSettings)
    autostart: bool = _param(True, (
        'Configure and activate the node at start; false leaves that to a lifecycle manager.'))

    def with_values(self, values: Mapping[str, object]) -> Settings:
        """
        Make a copy in which some parameters have other values.

        :param values: dotted name to value, as ROS has them.
        :raises SettingError: if a name is not known, a value cannot be had, or two values
            contradict each other.
        """
        changed: Settings = self
        for name, value in values.items():
            if name not in PARAMETERS:
                raise SettingError(name, value, 'no such parameter', suggestion(name))
            group, _, leaf = name.rpartition('.')
            change: dict[str, Any] = {leaf: PARAMETERS[name].check(value)}
            if group:
                change = {group: replace(getattr(changed, group), **change)}
            changed = replace(changed, **change)
        changed._check_together()
        return changed

    def flat(self) -> dict[str, Value]:
        """Give every parameter's value under its dotted name."""
        values: dict[str, Value] = {}
        for name in PARAMETERS:
            group, _, leaf = name.rpartition('.')
            values[name] = getattr(getattr(self, group) if group else self, leaf)
        return values

    def _check_together(self) -> None:
        track = self.track
        if track.low_threshold > track.high_threshold:
            raise SettingError(
                'track.low_threshold', track.low_threshold,
                f'must not be above track.high_threshold, which is {track.high_threshold}',
                'set both')
        for name, values in (('model.mean', self.model.mean), ('model.std', self.model.std)):
            if len(values) not in (0, 3) or (name == 'model.std' and min(values, default=1) <= 0):
                raise SettingError(
                    name, list(values), 'must be three numbers, for model.std above 0',
                    'one for each channel, for pixels from 0 to 255')
        if self.source.policy == 'every' and not self.source.uri:
            raise SettingError(
                'source.policy', 'every', 'needs a source.uri, because a topic does not wait',
                'use latest or auto, or open the file or device with source.uri')
        if len(self.source.fourcc) not in (0, 4) or not self.source.fourcc.isascii():
            raise SettingError(
                'source.fourcc', self.source.fourcc, 'must be four letters, e.g. MJPG or YUYV')
        if bool(self.source.width) != bool(self.source.height):
            raise SettingError(
                'source.width', self.source.width,
                f'goes with source.height, which is {self.source.height}', 'set both or none')


def _walk(cls: type, prefix: str = '') -> Iterator[Parameter]:
    for item in fields(cls):
        if 'parameter' in item.metadata:
            yield replace(item.metadata['parameter'], name=prefix + item.name)
        else:
            group = item.default_factory
            assert isinstance(group, type) and is_dataclass(group)
            yield from _walk(group, f'{prefix}{item.name}.')


PARAMETERS: Mapping[str, Parameter] = {item.name: item for item in _walk(Settings)}
"""Every parameter of the node, by its dotted name."""


def suggestion(name: str) -> str:
    """Say which known parameter comes nearest to a name that is not known."""
    near = get_close_matches(name, PARAMETERS, n=1, cutoff=0.0)
    return f'did you mean {near[0]}?'
