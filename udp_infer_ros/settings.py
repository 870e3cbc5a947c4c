# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The parameters, each declared once: type, default, range, unit, description, time of change.

The dotted name of a ROS parameter is the path of a field in `Settings`. The declarations in the
node, `config/udp_infer.yaml` and the table in docs/parameters.md are generated from this file and
dataset_settings.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
import re
from typing import Literal

from udp_infer_ros.dataset_settings import DatasetSettings
from udp_infer_ros.errors import SettingError
from udp_infer_ros.parameter import declared_by, param, Parameter, ParameterSet, Value

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
    concurrency: int = param(0, (
        'Frames of one camera that the model processes at once. More of them increase the rate '
        'and, with a live source, the age of the results. 0: measured at configure if the source '
        'waits for the model (policy every) and no other camera shares it, otherwise 1.'),
        low=0, high=64)
    max_batch: int = param(0, (
        'Cameras that share the model in one process: largest number of their frames in one '
        'call, where the model has a free first axis. Only frames that already wait are '
        'combined. 0: 1 on the CPU and with OpenVINO, 8 on a GPU.'), low=0, high=64)
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
        'Busy-wait between the operators of a run: about a tenth faster on an idle machine, much '
        'slower beside other programs.'))

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
        return {**declared_by(type(self)), **{
            f'{_prefix(rule.name)}{name}': replace(item, name=f'{_prefix(rule.name)}{name}')
            for rule in self.dataset.definitions for name, item in rule.parameters().items()}}

    def accepts(self, name: str) -> bool:
        """Return whether a name is a parameter, or that of a rule of the dataset."""
        return name in declared_by(type(self)) or _is_of_rule(name)

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


PARAMETERS = Settings().parameters()
"""Every parameter of udp_infer by its dotted name."""
