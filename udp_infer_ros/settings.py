# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The parameters, each declared once: type, default, range, unit, description, time of change.

The dotted name of a ROS parameter is the path of a field in `Settings`. The declarations in the
node, `config/udp_infer.yaml` and the table in docs/parameters.md are generated from this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from functools import cache
import math
import re
from typing import Any, cast, get_args, get_origin, get_type_hints, Literal, TypeVar

from udp_infer_ros.errors import SettingError

Scalar = bool | int | float | str
Value = Scalar | tuple[str, ...] | tuple[float, ...]
T = TypeVar('T')

Change = Literal['live', 'configure', 'start']
"""
When a change of a parameter takes effect.

live: before the next frame. configure: at the next configure, so it is accepted only while the
node is unconfigured. start: at the start of the process.
"""
Transport = Literal['auto', 'raw', 'compressed']
Policy = Literal['auto', 'latest', 'every']
FamilyName = Literal[
    'auto', 'yolo', 'yolov5', 'yolov6', 'yolox', 'yolox_decoded', 'nanodet', 'nanodet_split',
    'end2end', 'yolov7_end2end', 'deepstream', 'rtdetr', 'ultralytics_rtdetr',
    'ultralytics_rtdetr_scores', 'rfdetr', 'hf_rtdetr', 'detr', 'paddle', 'batched_nms',
    'mmdeploy', 'torchvision', 'tensorflow']
Resize = Literal['letterbox', 'letterbox_top_left', 'stretch']
Color = Literal['rgb', 'bgr']
Device = Literal['auto', 'cpu', 'cuda', 'tensorrt', 'openvino']
TrackerType = Literal['bytetrack', 'none']
CameraMotionMode = Literal['auto', 'none']
ClassIdFormat = Literal['name', 'index']
Payload = Literal['full', 'roboflow']
Overflow = Literal['split', 'truncate']
Annotations = Literal['coco', 'yolo']
ImageFormat = Literal['jpeg', 'png']
WhenFull = Literal['stop', 'drop_oldest']

BLUR_SCORE = 0.1
"""Boxes with a lower score are not blurred."""
LOWEST_SCORE = 0.01
"""Lower scores are noise, and would only take time."""


FAMILY_OF_YOLO = {
    '7': 'yolov5', '8': 'yolo', '9': 'yolo', '10': 'end2end', '11': 'yolo', '12': 'yolo',
    '26': 'end2end'}
"""The family of the usual exports of a version of YOLO; only suggested, because exports differ."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """The declaration of one parameter."""

    name: str
    """Dotted, e.g. `detect.confidence`."""
    kind: type
    """bool, int, float, str, or tuple for a list."""
    items: type = str
    """Element type of a list: str or float."""
    default: Value
    meaning: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    change: Change = 'configure'

    @property
    def rule(self) -> str:
        """Return the rule for valid values, as in errors: `must be …`."""
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
        Convert a value from YAML or the command line to the type of this parameter.

        An integer is also accepted for a float and for text (a device index, a class index),
        because YAML infers the type from the spelling.

        :raises SettingError: if the value has another type or is out of range.
        """
        converted = self._convert(value)
        if converted is None:
            a_list = self.kind is tuple and isinstance(value, str)
            raise self._refusal(value, _as_list(self.name, str(value)) if a_list else '')
        if self.choices and converted not in self.choices:
            near = _nearest(str(converted), self.choices)
            raise self._refusal(value, f'did you mean {near}?' if near else '')
        if isinstance(converted, (int, float)) and not self._in_range(converted):
            raise self._refusal(value)
        return converted

    def _in_range(self, value: float) -> bool:
        finite = isinstance(value, int) or math.isfinite(value)
        return isinstance(value, bool) or finite and (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high))

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
            return _float(value)
        return value if isinstance(value, int) else None

    def _refusal(self, value: object, remedy: str = '') -> SettingError:
        default = list(self.default) if isinstance(self.default, tuple) else self.default
        return SettingError(
            self.name, value, self.rule, remedy or f'the default is {default!r}')


def _nearest(text: str, choices: Sequence[str]) -> str:
    """Return the choice that another text probably means; empty if there is none."""
    version = re.fullmatch(r'yolo[-_]?v?([0-9]+)[-_]?[a-z]?', text.lower())
    if version and (family := FAMILY_OF_YOLO.get(version[1])) in choices:
        return str(family)
    near = get_close_matches(text, choices, n=1)
    return near[0] if near else ''


def _as_list(name: str, text: str) -> str:
    items = [item.strip(' "\'') for item in text.strip('[] ').split(',')]
    return f'write {items}, in a shell -p "{name}:={items}"'


def _texts(values: list[object]) -> tuple[str, ...] | None:
    items = [_text(value) for value in values]
    # Launch files cannot contain an empty list, so a list of one empty text is read as one.
    return None if None in items else tuple(item for item in items if item)


def _numbers(values: list[object]) -> tuple[float, ...] | None:
    numbers = [
        _float(value) for value in values
        if isinstance(value, (int, float)) and not isinstance(value, bool)]
    items = tuple(number for number in numbers if number is not None and math.isfinite(number))
    return items if len(items) == len(values) else None


def _float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value)


def param(
    default: T, meaning: str, *, unit: str = '', low: float | None = None,
    high: float | None = None, change: Change = 'configure',
) -> T:
    """Declare a parameter as a dataclass field; the annotation has its type and choices."""
    declared: T = field(default=default, metadata={'declared': {
        'meaning': meaning, 'unit': unit, 'low': low, 'high': high, 'change': change}})
    return declared


def replace_default(cls: type, name: str, default: T) -> T:
    """Declare a parameter as in a base class, with another default."""
    [declared] = [item.metadata['declared'] for item in fields(cls) if item.name == name]
    return field(default=default, metadata={'declared': declared})


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """The source of frames."""

    uri: str = param('', (
        'Empty: the topic image_raw. Otherwise a camera (0, /dev/video0 or /dev/v4l/by-id/...), '
        'a video file, a folder or glob of images, a stream (rtsp://, http://, udp://, tcp://) '
        'or a GStreamer pipeline that ends in appsink. ${NAME} is replaced by an environment '
        'variable, e.g. to keep a password out of the parameters.'))
    transport: Transport = param('auto', (
        'Topic only. raw: sensor_msgs/Image. compressed: sensor_msgs/CompressedImage on '
        '<topic>/compressed. auto: whichever is published, raw if both are.'))
    policy: Policy = param('auto', (
        'latest: a newer frame replaces the waiting one, which is counted as dropped. every: the '
        'source waits and no frame is dropped. auto: every for a file, latest otherwise.'))
    realtime: bool = param(False, (
        'File only: play it at its own frame rate instead of as fast as the model allows. '
        'policy auto then means latest, and latest implies realtime.'))
    loop: bool = param(False, 'File only: restart at its end.')
    exit_at_end: bool = param(False, (
        'File only: exit with code 0 at its end. Otherwise the node stays up, idle.'))
    frame_id: str = param('camera_optical_frame', (
        'frame_id of the headers when the node opens the source itself. On a topic, the '
        'frame_id of the images is used.'))
    stall_timeout_s: float = param(5.0, (
        'After this long without a frame, log a warning and reopen a camera or stream.'),
        unit='s', low=0.1, high=3600.0)
    wait_for_source: bool = param(False, (
        'If a camera or stream cannot be opened at start: true retries indefinitely, false is an '
        'error. A camera or stream that is lost later is always reopened.'))
    max_fps: float = param(0.0, (
        'Process at most this many frames per second; 0: no limit. For files, in media time.'),
        unit='Hz', low=0.0, high=1000.0)
    max_age_s: float = param(0.0, (
        'Drop frames older than this before inference; 0: never. Ignored for files and for '
        'implausible stamps (0, in the future, older than 60 s).'),
        unit='s', low=0.0, high=60.0)
    fourcc: str = param('', (
        'Camera only: requested pixel format, e.g. MJPG or YUYV. Empty: the default of the '
        'driver.'))
    width: int = param(0, (
        'Camera only: requested image width, together with source.height; 0: the default of the '
        'driver.'), unit='px', low=0, high=65535)
    height: int = param(0, (
        'Camera only: requested image height, together with source.width; 0: the default of the '
        'driver.'), unit='px', low=0, high=65535)
    fps: float = param(0.0, (
        'Camera: requested frame rate; 0: the default of the driver. Images: frame rate at which '
        'they are played; 0: 30.'), unit='Hz', low=0.0, high=1000.0)

    def validate(self) -> None:
        """
        Check rules between fields.

        :raises SettingError: if one is broken.
        """
        if self.policy == 'every' and not self.uri:
            raise SettingError(
                'source.policy', 'every', 'needs source.uri, because a topic does not wait',
                'use latest or auto, or open the file or device with source.uri')
        if len(self.fourcc) not in (0, 4) or not self.fourcc.isascii():
            raise SettingError(
                'source.fourcc', self.fourcc, 'must be four letters, e.g. MJPG or YUYV')
        if bool(self.width) != bool(self.height):
            raise SettingError(
                'source.width', self.width,
                f'must be set together with source.height, which is {self.height}',
                'set both or neither')


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The model, its preprocessing, and the device that runs it."""

    id: str = param('nanodet_g_416', (  # noqa: A003
        'Name of a model (udp_infer --list-models lists them), path of an ONNX file, '
        'package://<package>/<path in its share folder>, an http(s) URL with model.sha256, or '
        'grpc(s)://<host>:<port>/<model>[/<version>], a model on a server. '
        'Models other than nanodet_g_416 are downloaded once and cached.'))
    sha256: str = param('', (
        'Checksum of the model file. Required for a URL.'))
    labels: tuple[str, ...] = param((), (
        'Class names in the order of the class index, or a list with the path of one text, YAML '
        'or JSON file with them. Empty: the names in the model file.'))
    family: FamilyName = param('auto', (
        'Output format of the model. auto: detected from the file; ambiguous files are '
        'rejected.'))
    resize: Literal['auto'] | Resize = param('auto', (
        'letterbox: keep the aspect ratio, pad on all sides. letterbox_top_left: keep it, pad on '
        'the right and at the bottom. stretch: fill the input, without the aspect ratio. auto: '
        'as the family was trained.'))
    color: Literal['auto'] | Color = param(
        'auto', 'Channel order; auto: as the family was trained.')
    mean: tuple[float, ...] = param((), (
        'Three numbers subtracted from the channels, which are 0 to 255. Empty: as the family '
        'was trained.'))
    std: tuple[float, ...] = param((), (
        'Three numbers that divide the channels after model.mean is subtracted, e.g. '
        '[255.0, 255.0, 255.0] for pixels from 0 to 1. Empty: as the family was trained.'))
    device: Device = param('auto', (
        'Where the model runs. auto: CUDA, OpenVINO or the CPU, the first that the installed '
        'onnxruntime supports; any other device that is unavailable is an error.'))
    threads: int = param(0, (
        'CPU threads for inference. 0: the number of cores available to this process; cameras '
        'that share the model in one process divide them.'),
        low=0, high=1024)
    max_batch: int = param(0, (
        'Cameras that share the model in one process: largest number of their frames in one '
        'call, where the model has a free first axis. Only frames that already wait are '
        'combined. 0: 1 on the CPU, 8 on other devices.'), low=0, high=64)
    timeout_s: float = param(1.0, (
        'Model on a server: a frame without an answer after this time is dropped.'), unit='s',
        low=0.01, high=3600.0)
    wait_for_server: bool = param(False, (
        'Model on a server: if the server or the model is not ready at configure, true waits, '
        'false is an error. If it is lost later, the node always continues when it is back.'))
    headers: tuple[str, ...] = param((), (
        "Model on a server: headers of each call, e.g. ['Authorization: Bearer ${TOKEN}']. "
        '${NAME} is replaced by an environment variable, and required in each.'))
    ca_file: str = param('', (
        'Model on a server, grpcs://: file with the PEM certificates of the authority that '
        'signed that of the server. Empty: those of gRPC.'))
    spinning: bool = param(False, (
        'Busy-wait between operators: slightly faster on an idle machine, much slower on a '
        'loaded one.'))

    def validate(self) -> None:
        """
        Check rules between fields.

        :raises SettingError: if one is broken.
        """
        for name, values in (('model.mean', self.mean), ('model.std', self.std)):
            if len(values) not in (0, 3) or (name == 'model.std' and min(values, default=1) <= 0):
                raise SettingError(
                    name, list(values), 'must be three numbers, for model.std above 0',
                    'give one for each channel, for pixels from 0 to 255')
        for line in self.headers:
            # The parameters are published, so a value may not be in them.
            if not re.fullmatch(r'[\w.-]+ *: *[^\r\n]*\$\{\w+\}[^\r\n]*', line):
                raise SettingError(
                    'model.headers', line.partition(':')[0] if ':' in line else '',
                    'must be "name: value" with an environment variable ${NAME} in the value',
                    'e.g. "Authorization: Bearer ${TOKEN}"')


@dataclass(frozen=True, kw_only=True)
class DetectSettings:
    """Selection of detections from the boxes of the model."""

    confidence: float = param(
        0.4, 'Lowest score of a detection.', low=0.0, high=1.0, change='live')
    iou: float = param(0.45, (
        'Non-maximum suppression: of two boxes of a class with a larger intersection over union '
        'than this, the one with the lower score is dropped.'), low=0.0, high=1.0, change='live')
    class_agnostic: bool = param(
        False, 'true: non-maximum suppression also between boxes of different classes.',
        change='live')
    max_candidates: int = param(1000, (
        'Boxes that enter non-maximum suppression, highest scores first. Bounds the time of a '
        'frame with many boxes.'), low=1, high=100000, change='live')
    max_detections: int = param(
        300, 'Detections per frame, highest scores first.', low=1, high=10000, change='live')
    classes: tuple[str, ...] = param(
        (), "Class names or indices to keep, e.g. ['person', '2']. Empty: all.", change='live')


@dataclass(frozen=True, kw_only=True)
class TrackSettings:
    """Association of detections to tracks."""

    type: TrackerType = param('bytetrack', (  # noqa: A003
        'bytetrack: assign a track id to each object. none: no ids.'))
    high_threshold: float = param(0.4, (
        'Detections from this score on are matched to tracks first. Higher: more objects depend '
        'on the second association, which only finds those that hardly moved.'),
        low=0.0, high=1.0, change='live')
    low_threshold: float = param(0.1, (
        'Boxes from this score on can keep an unmatched track alive. Those below '
        'detect.confidence are used for this only and not published. Lower: bridges longer dips '
        'of the score, and keeps more false tracks alive.'), low=0.0, high=1.0, change='live')
    new_threshold: float = param(
        0.4, 'Lowest score that starts a track.', low=0.0, high=1.0, change='live')
    match_iou: float = param(0.2, (
        'Lowest intersection over union of a detection and the predicted box of its track. '
        'Lower: follows faster objects, and confuses close ones sooner.'),
        low=0.0, high=1.0, change='live')
    min_hits: int = param(2, (
        'Consecutive frames with a match before a track gets its id; in the first frame, ids are '
        'given at once. Higher: fewer short false tracks, later ids.'),
        low=1, high=100, change='live')
    camera_motion: CameraMotionMode = param('auto', (
        'auto: estimate the motion of the camera from the images, and move the tracks with it. '
        'none: the camera is fixed.'), change='live')
    lost_s: float = param(1.0, (
        'How long a track without a match is kept. A longer gap between two frames ends all '
        'tracks.'), unit='s', low=0.0, high=3600.0, change='live')

    def validate(self) -> None:
        """
        Check rules between fields.

        :raises SettingError: if one is broken.
        """
        if self.low_threshold > self.high_threshold:
            raise SettingError(
                'track.low_threshold', self.low_threshold,
                f'must not be above track.high_threshold, which is {self.high_threshold}',
                'set both')


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """Content of the ROS messages."""

    class_id: ClassIdFormat = param('name', (
        'Content of hypothesis.class_id. name: the class name. index: the class index, which '
        '~/label_info maps to the name.'), change='live')


@dataclass(frozen=True, kw_only=True)
class AnnotateSettings:
    """Drawing of ~/image_annotated."""

    max_fps: float = param(
        15.0, 'Highest rate of annotated images; 0: every frame.', unit='Hz', low=0.0,
        high=1000.0, change='live')
    trails: bool = param(True, 'Draw the recent path of tracked objects.', change='live')
    jpeg_quality: int = param(
        80, 'JPEG quality of ~/image_annotated/compressed.', low=1, high=100, change='live')


@dataclass(frozen=True, kw_only=True)
class UdpSettings:
    """UDP receivers, and format of the datagrams."""

    targets: tuple[str, ...] = param(('127.0.0.1:37020',), (
        'host:port of each receiver: a machine, a broadcast address or a multicast group, IPv4 or '
        '[IPv6]. Empty: no datagrams.'), change='live')
    multicast_ttl: int = param(
        1, 'Time to live of multicast datagrams: 1 stays in the local network.', low=0, high=255,
        change='live')
    interface: str = param('', (
        'Network interface for multicast, e.g. eth0. Empty: chosen by the system.'),
        change='live')
    payload: Payload = param('full', (
        "full: Roboflow's keys without detection_id, and the keys time and udp_infer with stamps, "
        'sequence number, latency and dropped frames. roboflow: exactly the keys of '
        "Roboflow's UdpStream."), change='live')
    max_bytes: int = param(1400, (
        'Size of the largest datagram. 1400 fits an Ethernet frame; larger ones, up to 65507, '
        'are sent as IP fragments, and one lost fragment loses the datagram.'),
        unit='bytes', low=1024, high=65507, change='live')
    overflow: Overflow = param('split', (
        'If a frame does not fit max_bytes. split: send several datagrams, each complete by '
        'itself, highest scores first. truncate: send one and count the detections left out.'),
        change='live')


RuleType = Literal[
    'random', 'interval', 'close_to_threshold', 'count', 'class_seen', 'new_track', 'empty']
CLASSES = "Class names, e.g. ['bicycle']."


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """A rule that selects frames for the dataset. Its parameters are `dataset.<name>.*`."""

    name: str
    """In `dataset.rules`."""
    type: RuleType = param('random', (  # noqa: A003
        'Which frames match. random: any. interval: one per interval_s. close_to_threshold: '
        'those with uncertain boxes. count: those with more or fewer detections. class_seen: '
        'those with a detection of a class. new_track: those in which a track has its first '
        'detection. empty: those without a detection.'), change='live')
    probability: float = param(
        1.0, 'Share of the matching frames that is collected.', low=0.0, high=1.0, change='live')
    per_minute: int = param(
        0, 'Most images in any minute; 0: no limit.', low=0, high=100000, change='live')
    per_hour: int = param(
        0, 'Most images in any hour; 0: no limit.', low=0, high=100000, change='live')
    per_day: int = param(
        0, 'Most images in any 24 hours; 0: no limit.', low=0, high=1000000, change='live')
    tags: tuple[str, ...] = param(
        (), 'Texts that are stored with each image of this rule.', change='live')
    snapshot: bool = param(
        False, 'Also call dataset.snapshot_service.', change='live')

    @classmethod
    def parameters(cls) -> Mapping[str, Parameter]:
        """Return the parameters of this type of rule, by the last part of their names."""
        return _declared(cls)


@dataclass(frozen=True, kw_only=True)
class RandomRule(RuleSettings):
    """Collects a random share of all frames."""

    type: RuleType = replace_default(RuleSettings, 'type', 'random')  # noqa: A003
    fraction: float = param(
        0.01, 'Share of the frames that matches.', low=0.0, high=1.0, change='live')


@dataclass(frozen=True, kw_only=True)
class IntervalRule(RuleSettings):
    """Collects frames at intervals."""

    type: RuleType = replace_default(RuleSettings, 'type', 'interval')  # noqa: A003
    interval_s: float = param(
        60.0, 'Least time between two images of this rule, by their stamps.', unit='s', low=0.0,
        high=86400.0, change='live')


@dataclass(frozen=True, kw_only=True)
class CloseToThresholdRule(RuleSettings):
    """Collects frames with uncertain boxes, also those below `detect.confidence`."""

    type: RuleType = replace_default(  # noqa: A003
        RuleSettings, 'type', 'close_to_threshold')
    threshold: float = param(
        0.4, 'Score of the most uncertain boxes.', low=0.0, high=1.0, change='live')
    epsilon: float = param(
        0.1, 'Boxes match if their scores differ from the threshold by less than this.', low=0.0,
        high=1.0, change='live')
    minimum_objects: int = param(
        1, 'Least number of such boxes.', low=1, high=10000, change='live')
    classes: tuple[str, ...] = param((), f'{CLASSES} Empty: all.', change='live')


@dataclass(frozen=True, kw_only=True)
class CountRule(RuleSettings):
    """Collects frames with more, or fewer, detections than a number."""

    type: RuleType = replace_default(RuleSettings, 'type', 'count')  # noqa: A003
    more_than: int = param(
        -1, 'Collect frames with more detections than this; -1: no limit.', low=-1, high=10000,
        change='live')
    less_than: int = param(
        -1, 'Collect frames with fewer detections than this; -1: no limit.', low=-1, high=10000,
        change='live')
    classes: tuple[str, ...] = param(
        (), f'Classes to count. {CLASSES} Empty: all.', change='live')


@dataclass(frozen=True, kw_only=True)
class ClassSeenRule(RuleSettings):
    """Collects frames with a detection of a class, e.g. a rare one."""

    type: RuleType = replace_default(RuleSettings, 'type', 'class_seen')  # noqa: A003
    classes: tuple[str, ...] = param((), f'{CLASSES} Empty: any.', change='live')


@dataclass(frozen=True, kw_only=True)
class NewTrackRule(RuleSettings):
    """Collects the first frame of each track."""

    type: RuleType = replace_default(RuleSettings, 'type', 'new_track')  # noqa: A003


@dataclass(frozen=True, kw_only=True)
class EmptyRule(RuleSettings):
    """Collects frames without detections."""

    type: RuleType = replace_default(RuleSettings, 'type', 'empty')  # noqa: A003


RULES: Mapping[str, type[RuleSettings]] = {
    'random': RandomRule, 'interval': IntervalRule, 'close_to_threshold': CloseToThresholdRule,
    'count': CountRule, 'class_seen': ClassSeenRule, 'new_track': NewTrackRule,
    'empty': EmptyRule}
"""The settings of a rule, by its type."""


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Collection of images with their detections, as a dataset."""

    directory: str = param('', (
        'Folder of the dataset, with one folder per day. Empty: nothing is collected.'),
        change='live')
    rules: tuple[str, ...] = param((), (
        'Names of the rules that select frames. They are applied in this order; the first that '
        'matches, and whose limits allow it, collects the frame. The parameters of a rule are '
        'dataset.<name>.type and those of its type.'), change='live')
    definitions: tuple[RuleSettings, ...] = ()
    """The rules that have parameters, by name; only those in `rules` are applied."""
    annotations: Annotations = param('coco', (
        'coco: annotations.json. yolo: also a text file per image, and data.yaml.'),
        change='live')
    image_format: ImageFormat = param('jpeg', (
        'Format of images that do not arrive as JPEG, or are changed; a JPEG that arrives is '
        'stored byte for byte.'), change='live')
    jpeg_quality: int = param(95, 'Quality of JPEG files.', low=1, high=100, change='live')
    max_image_px: int = param(0, (
        'Larger images are reduced so that their longer side has this size, and their boxes with '
        'them; 0: never.'), unit='px', low=0, high=65535, change='live')
    blur_classes: tuple[str, ...] = param((), (
        "Classes whose boxes are made unrecognizable in the stored images, e.g. ['person'], down "
        'to a score of 0.1.'), change='live')
    max_bytes: int = param(10_000_000_000, (
        'Largest size of the dataset; 0: no limit.'), unit='bytes', low=0, high=10**15,
        change='live')
    min_free_bytes: int = param(1_000_000_000, (
        'Space that stays free on the disk.'), unit='bytes', low=0, high=10**15, change='live')
    when_full: WhenFull = param('stop', (
        'When a limit is reached. stop: collect nothing more. drop_oldest: remove the oldest '
        'day, but not the current one.'), change='live')
    snapshot_service: str = param('', (
        'Service of a recorder of rosbag2 in snapshot mode, e.g. /rosbag2_recorder/snapshot, '
        'called when a rule with snapshot collects a frame. Empty: none.'), change='live')
    snapshot_delay_s: float = param(0.0, (
        'Delay of the call, so that the bag also holds what follows.'), unit='s', low=0.0,
        high=3600.0, change='live')
    snapshot_period_s: float = param(60.0, (
        'Least time between two calls.'), unit='s', low=0.0, high=86400.0, change='live')

    @property
    def active(self) -> tuple[RuleSettings, ...]:
        """Return the rules that are applied, in their order; none without a directory."""
        by_name = {rule.name: rule for rule in self.definitions}
        return tuple(by_name[name] for name in self.rules) if self.directory else ()

    @property
    def lowest_score(self) -> float | None:
        """Return the score down to which boxes are needed; None: no more than the detections."""
        scores = [
            rule.threshold - rule.epsilon for rule in self.active
            if isinstance(rule, CloseToThresholdRule)]
        if self.blur_classes and self.directory:
            scores.append(BLUR_SCORE)
        return max(min(scores), LOWEST_SCORE) if scores else None

    def with_rules(self, groups: Mapping[str, Mapping[str, object]]) -> DatasetSettings:
        """
        Return a copy with other values of rules.

        :param groups: values by the name of the rule and the last part of the parameter.
        :raises SettingError: if one is unknown or invalid, or a rule in `rules` has no type.
        """
        by_name = {rule.name: rule for rule in self.definitions}
        for name, leaves in groups.items():
            by_name[name] = _rule_with(name, by_name.get(name), leaves)
        for name in self.rules:
            if name not in by_name:
                near = get_close_matches(name, by_name, n=1)
                raise SettingError(
                    'dataset.rules', list(self.rules), f'dataset.{name}.type is not set',
                    f'did you mean {near[0]}?' if near else
                    f'set it to one of {", ".join(RULES)}')
        return replace(self, definitions=tuple(by_name.values()))


def _rule_with(
    name: str, before: RuleSettings | None, leaves: Mapping[str, object],
) -> RuleSettings:
    """Return a rule with other values; if its type changes, with those that both types have."""
    prefix = f'dataset.{name}.'
    if not re.fullmatch(r'[a-z][a-z0-9_]*', name):
        raise SettingError(
            'dataset.rules', name, 'must have lower-case letters, digits and _ only')
    if 'type' not in leaves and before is None:
        raise SettingError(f'{prefix}type', '', f'must be one of {", ".join(RULES)}')
    declared = replace(RuleSettings.parameters()['type'], name=f'{prefix}type')
    kind = RULES[str(declared.check(leaves.get('type', before.type if before else '')))]
    values: dict[str, Any] = {
        item.name: getattr(before, item.name) for item in fields(kind)
        if item.name not in ('name', 'type') and hasattr(before, item.name)}
    for leaf, value in leaves.items():
        parameter = kind.parameters().get(leaf)
        if parameter is None:
            near = get_close_matches(leaf, kind.parameters(), n=1, cutoff=0.0)
            raise SettingError(
                f'{prefix}{leaf}', value,
                f'is not a parameter of a rule of type {kind.parameters()["type"].default}',
                f'did you mean {prefix}{near[0]}?')
        # ROS parses `[]` in YAML as a parameter without a value.
        empty = value is None and parameter.kind is tuple
        values[leaf] = replace(parameter, name=f'{prefix}{leaf}').check(() if empty else value)
    return kind(name=name, **values)


P = TypeVar('P', bound='ParameterSet')


@dataclass(frozen=True, kw_only=True)
class ParameterSet:
    """
    Base class of the parameters of a node: its fields are parameters, or groups of them.

    Only `with_values` checks values.
    """

    def parameters(self) -> Mapping[str, Parameter]:
        """Return every parameter by its dotted name."""
        return _declared(type(self))

    def accepts(self, name: str) -> bool:
        """Return whether `with_values` accepts a name, or refuses it with a better reason."""
        return name in self.parameters()

    def with_values(self: P, values: Mapping[str, object]) -> P:
        """
        Return a copy in which some parameters have other values.

        :param values: values from ROS or YAML, by dotted name.
        :raises SettingError: if a name is unknown, or a value or a combination is invalid.
        """
        parameters = _declared(type(self))
        changes: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            if name not in parameters:
                raise SettingError(
                    name, value, 'is not a parameter', suggestion(name, parameters))
            group, _, leaf = name.rpartition('.')
            changes.setdefault(group, {})[leaf] = parameters[name].check(value)
        changed = _replaced(self, changes.pop('', {}))
        for group, leaves in changes.items():
            changed = replace(
                changed, **{group: _replaced(getattr(changed, group), leaves)})
        return changed

    def flat(self) -> dict[str, Value]:
        """Return the value of every parameter by its dotted name."""
        values: dict[str, Value] = {}
        for name in _declared(type(self)):
            group, _, leaf = name.rpartition('.')
            values[name] = getattr(getattr(self, group) if group else self, leaf)
        return values


@dataclass(frozen=True, kw_only=True)
class Settings(ParameterSet):
    """All parameters of udp_infer, by group."""

    source: SourceSettings = field(default_factory=SourceSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    detect: DetectSettings = field(default_factory=DetectSettings)
    track: TrackSettings = field(default_factory=TrackSettings)
    publish: PublishSettings = field(default_factory=PublishSettings)
    annotate: AnnotateSettings = field(default_factory=AnnotateSettings)
    udp: UdpSettings = field(default_factory=UdpSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    autostart: bool = param(True, (
        'Configure and activate the node at start. false leaves this to a lifecycle manager.'),
        change='start')

    def parameters(self) -> Mapping[str, Parameter]:
        """Return every parameter by its dotted name, also those of the rules of the dataset."""
        return {**_declared(type(self)), **{
            f'{_prefix(rule.name)}{name}': replace(item, name=f'{_prefix(rule.name)}{name}')
            for rule in self.dataset.definitions for name, item in rule.parameters().items()}}

    def accepts(self, name: str) -> bool:
        """Return whether a name is a parameter, or that of a rule of the dataset."""
        return name in _declared(type(self)) or _is_of_rule(name)

    def with_values(self, values: Mapping[str, object]) -> Settings:
        """
        Return a copy in which some parameters have other values.

        :param values: values from ROS or YAML, by dotted name.
        :raises SettingError: if a name is unknown, or a value or a combination is invalid.
        """
        groups: dict[str, dict[str, object]] = {}
        for name in filter(_is_of_rule, values):
            _, rule, leaf = name.split('.')
            groups.setdefault(rule, {})[leaf] = values[name]
        changed = super().with_values({
            name: value for name, value in values.items() if not _is_of_rule(name)})
        if groups or changed.dataset != self.dataset:
            changed = replace(changed, dataset=changed.dataset.with_rules(groups))
        return changed

    def flat(self) -> dict[str, Value]:
        """Return the value of every parameter by its dotted name."""
        return {**super().flat(), **{
            f'{_prefix(rule.name)}{name}': getattr(rule, name)
            for rule in self.dataset.definitions for name in rule.parameters()}}


def _prefix(rule: str) -> str:
    return f'dataset.{rule}.'


def _is_of_rule(name: str) -> bool:
    return name.startswith('dataset.') and name.count('.') == 2


def _replaced(part: T, leaves: Mapping[str, object]) -> T:
    """Return a copy of a set or group with other values, after its own check of them."""
    changed: T = replace(part, **leaves)  # type: ignore[type-var]
    if hasattr(changed, 'validate'):
        changed.validate()
    return changed


def _declared(cls: type) -> Mapping[str, Parameter]:
    # mypy takes the __hash__ of instances for that of the class.
    key: Any = cls
    return _declared_once(key)


@cache
def _declared_once(cls: type) -> Mapping[str, Parameter]:
    return {item.name: item for item in _walk(cls)}


def _walk(cls: type, prefix: str = '') -> Iterator[Parameter]:
    hints = get_type_hints(cls)
    for item in fields(cls):
        hint = hints[item.name]
        if not is_dataclass(hint) and 'declared' not in item.metadata:
            continue
        if is_dataclass(hint):
            assert isinstance(hint, type)
            yield from _walk(hint, f'{prefix}{item.name}.')
            continue
        kind, items, choices = _type_of(hint)
        yield Parameter(
            name=prefix + item.name, kind=kind, items=items, choices=choices,
            default=cast(Value, item.default), **item.metadata['declared'])


def _type_of(hint: Any) -> tuple[type, type, tuple[str, ...]]:
    """Return the type, the element type and the choices of an annotation."""
    if get_origin(hint) is tuple:
        return tuple, get_args(hint)[0], ()
    choices = tuple(_literals(hint))
    return (str if choices else hint), str, choices


def _literals(hint: Any) -> Iterator[str]:
    for argument in get_args(hint):
        if isinstance(argument, str):
            yield argument
        else:
            yield from _literals(argument)


PARAMETERS = Settings().parameters()
"""Every parameter of udp_infer by its dotted name."""


def suggestion(name: str, parameters: Iterable[str]) -> str:
    """Return `did you mean …?` with the valid name that is closest to an unknown one."""
    near = get_close_matches(name, parameters, n=1, cutoff=0.0)
    return f'did you mean {near[0]}?'
