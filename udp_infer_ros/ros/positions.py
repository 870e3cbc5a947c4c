# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What the node udp_infer_3d does with its messages while it has subscribers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo as RosCameraInfo
from udp_infer_ros.errors import FrameError
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.positions.camera import Camera, camera_from_info, CameraInfo
from udp_infer_ros.positions.locate import locate
from udp_infer_ros.positions.pairing import Depth, Match, Pairing, PairingStats, Reason
from udp_infer_ros.positions.settings import PositionSettings
from udp_infer_ros.positions.surfaces import DepthRange
from udp_infer_ros.ros.adaptive import AdaptiveSubscription
from udp_infer_ros.ros.convert import stamp_ns_from_ros
from udp_infer_ros.ros.convert_3d import (
    boxes_from_ros, camera_info_from_ros, depth_from_ros, markers_to_ros, positions_to_ros)
from udp_infer_ros.ros.depth_input import DepthInput
from vision_msgs.msg import Detection2DArray, Detection3DArray
try:
    from visualization_msgs.msg import MarkerArray
except ImportError:
    MarkerArray = None

QUEUE = 5
"""Depth of the queues of detections, in and out."""


@dataclass(frozen=True)
class _Inputs:
    """The subscriptions, which exist only while there are subscribers of the outputs."""

    depth: DepthInput
    others: tuple[AdaptiveSubscription, ...]

    def poll(self) -> None:
        self.depth.poll()
        for subscription in self.others:
            subscription.adapt()

    def close(self) -> None:
        self.depth.close()
        for subscription in self.others:
            subscription.close()


class CameraCache:
    """Builds the projection of a camera once for each value of its CameraInfo."""

    def __init__(self) -> None:
        self.message: RosCameraInfo | None = None
        """The latest that was received."""
        self._key: tuple[CameraInfo, bool] | None = None
        self._camera: Camera | None = None

    def camera(self, *, rectified: bool) -> Camera | None:
        """
        Return the projection; None before the first message.

        :raises FrameError: if the message is invalid.
        """
        if self.message is None:
            return None
        key = camera_info_from_ros(self.message), rectified
        if key != self._key:
            self._camera = camera_from_info(key[0], rectified=rectified)
            self._key = key
        return self._camera


class PositionEngine:
    """
    Subscribes to detections and depth, and publishes positions, while these have subscribers.

    Everything runs in the node's thread.

    :param node: the node that publishes.
    :param stats: the counters of the node.
    :param on_wait: called when detections begin to wait for a depth image; then `work` has to be
        called until `is_waiting` is false.
    """

    def __init__(
        self, node: LifecycleNode, settings: PositionSettings, stats: PairingStats,
        on_wait: Callable[[], None],
    ) -> None:
        self._node = node
        self._stats = stats
        self._on_wait = on_wait
        self._pairing = Pairing(settings)
        self._color, self._depth_camera = CameraCache(), CameraCache()
        self._inputs: _Inputs | None = None
        self._reports = Reports(node, stats)
        self._lost_before = 0
        self._detections = node.create_lifecycle_publisher(
            Detection3DArray, '~/detections_3d',
            QoSProfile(depth=QUEUE, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        self._markers = None if MarkerArray is None else (
            node.create_lifecycle_publisher(MarkerArray, '~/markers', 1))

    @property
    def settings(self) -> PositionSettings:
        """Return the settings that apply."""
        return self._pairing.settings

    @property
    def is_waiting(self) -> bool:
        """Return whether detections wait for a depth image."""
        return self._pairing.is_waiting

    def prepare(self, settings: PositionSettings) -> Callable[[], None]:
        """Return a function that applies other settings."""
        def commit() -> None:
            self._pairing.settings = settings
        return commit

    def poll(self, *, active: bool) -> None:
        """Subscribe or unsubscribe; call this a few times per second."""
        wanted = active and self._subscribers() > 0
        if wanted and self._inputs is None:
            self._inputs = self._subscribe()
        elif not wanted and self._inputs is not None:
            self._unsubscribe()
        elif self._inputs is not None:
            self._inputs.poll()

    def report(self) -> None:
        """Warn if most detections have no positions; call this once per second."""
        if self._inputs is not None:
            self._reports.poll(self.settings, self._inputs.depth.topic)

    def health(self) -> PartHealth:
        """Return the counters since the start of the process."""
        stats, inputs = self._stats, self._inputs
        lost = self._lost_before + (inputs.depth.lost if inputs else 0)
        is_known = inputs is None or inputs.depth.reports_loss
        values: dict[str, object] = {
            'paired': stats.paired,
            **{f'unpaired_{reason.value}': count for reason, count in stats.unpaired.items()},
            'located': stats.located, 'left_out': stats.left_out,
            'invalid_stamps': stats.invalid_stamps,
            'depth_lost_by_middleware': lost if is_known else 'unknown',
            'detections_hz': round(stats.detections_hz, 1), 'depth_hz': round(stats.depth_hz, 1),
            'subscribers': self._subscribers()}
        warning = self._reports.text if inputs else ''
        message = warning or (
            f'{stats.located} detections located' if inputs else 'no subscribers')
        return PartHealth(
            name='positions', level=Level.WARN if warning else Level.OK, message=message,
            values=values)

    def work(self) -> None:
        """Publish the positions of all detections that need not wait."""
        for match in self._pairing.matches():
            self._process(match)

    def close(self) -> None:
        """Unsubscribe, and destroy the publishers."""
        self._unsubscribe()
        for publisher in (self._detections, self._markers):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    def _subscribers(self) -> int:
        return sum(
            publisher.get_subscription_count()
            for publisher in (self._detections, self._markers) if publisher is not None)

    def _subscribe(self) -> _Inputs:
        node = self._node

        def keep(cache: CameraCache) -> Callable[[Any], None]:
            return lambda message: setattr(cache, 'message', message)
        inputs = _Inputs(
            DepthInput(node, self.settings.transport, self._on_depth), (
                AdaptiveSubscription(
                    node, Detection2DArray, node.resolve_topic_name('detections'),
                    self._on_detections, depth=QUEUE),
                AdaptiveSubscription(
                    node, RosCameraInfo, node.resolve_topic_name('camera_info'),
                    keep(self._color)),
                AdaptiveSubscription(
                    node, RosCameraInfo, node.resolve_topic_name('depth_camera_info'),
                    keep(self._depth_camera))))
        node.get_logger().info(
            f'{inputs.others[0].topic} and {inputs.depth.topic} -> {self._detections.topic_name}')
        return inputs

    def _unsubscribe(self) -> None:
        inputs, self._inputs = self._inputs, None
        if inputs is not None:
            self._lost_before += inputs.depth.lost
            inputs.close()
            self._pairing.clear()

    def _on_depth(self, message: Any) -> None:
        self._stats.count_depth()
        try:
            stamp_ns = stamp_ns_from_ros(message.header)
        except FrameError as error:
            self._refuse_stamp(error)
            return
        self._reports.depth_ns = stamp_ns
        self._pairing.offer_depth(Depth(
            stamp_ns=stamp_ns, message=message, size_bytes=len(message.data)))
        self.work()

    def _on_detections(self, message: Detection2DArray) -> None:
        self._stats.count_detections()
        try:
            stamp_ns = stamp_ns_from_ros(message.header)
        except FrameError as error:
            self._refuse_stamp(error)
            return
        self._reports.detections_ns = stamp_ns
        self._pairing.offer_detections(message, stamp_ns, is_empty=not message.detections)
        self.work()
        if self.is_waiting:
            self._on_wait()

    def _refuse_stamp(self, error: FrameError) -> None:
        self._stats.invalid_stamps += 1
        self._node.get_logger().warning(str(error), throttle_duration_sec=10.0)

    def _process(self, match: Match) -> None:
        reason, text = match.reason, ''
        if reason is None and match.depth is None:
            self._publish(positions_to_ros(match.detections, None), 0)
            return
        if match.depth is not None:
            reason, text = self._locate(match.detections, match.depth)
        if reason is not None:
            self._stats.unpaired[reason] += 1
            self._reports.errors[reason] = text

    def _locate(self, message: Detection2DArray, depth: Depth) -> tuple[Reason | None, str]:
        """Publish the positions of detections; return why not, and the text of an error."""
        settings = self.settings
        try:
            image = depth_from_ros(depth.message)
        except FrameError as error:
            return Reason.BAD_DEPTH, str(error)
        try:
            color = self._color.camera(rectified=settings.rectified)
            if color is None:
                return Reason.NO_CAMERA_INFO, ''
            positions = locate(
                boxes_from_ros(message), color, image,
                DepthRange(low_m=settings.min_depth_m, high_m=settings.max_depth_m),
                self._depth_camera.camera(rectified=settings.rectified))
        except FrameError as error:
            return Reason.SIZES, str(error)
        self._reports.check_frames(message.header.frame_id, depth.message.header.frame_id)
        left_out = len(message.detections) - len(positions.index)
        self._publish(positions_to_ros(message, positions), left_out)
        return None, ''

    def _publish(self, message: Detection3DArray, left_out: int) -> None:
        self._stats.count_pair(len(message.detections), left_out)
        if not self._node.context.ok():
            return
        if self._detections.get_subscription_count():
            self._detections.publish(message)
        if self._markers is not None and self._markers.get_subscription_count():
            self._markers.publish(markers_to_ros(message))


class Reports:
    """
    One warning while most detections have no positions, with stamps, rates and what to check.

    :param node: the node that logs.
    """

    def __init__(self, node: LifecycleNode, stats: PairingStats) -> None:
        self._node = node
        self._stats = stats
        self.text = ''
        """The warning that applies now; empty if there is none."""
        self.errors: dict[Reason, str] = {}
        """The latest error by reason."""
        self.detections_ns: int | None = None
        self.depth_ns: int | None = None
        """The latest stamps."""
        self._reason: Reason | None = None
        self._paired = stats.paired
        self._unpaired = stats.unpaired.copy()

    def poll(self, settings: PositionSettings, topic: str) -> None:
        """Log when a reason becomes the most frequent one, and when positions are found again."""
        unpaired = self._stats.unpaired - self._unpaired
        paired = self._stats.paired - self._paired
        self._paired, self._unpaired = self._stats.paired, self._stats.unpaired.copy()
        if unpaired.total() > paired:
            [(reason, _)] = unpaired.most_common(1)
            self.text = f'no positions: {self._describe(reason, settings, topic)}'
            if reason != self._reason:
                self._node.get_logger().warning(self.text)
            self._reason = reason
        elif paired:
            if self._reason is not None:
                self._node.get_logger().info('positions are found again')
            self._reason, self.text = None, ''

    def check_frames(self, detections: str, depth: str) -> None:
        """Warn once if the depth image is not in the frame of the detections."""
        if detections != depth:
            self._node.get_logger().warning(
                f'the detections are in frame {detections!r}, the depth image in {depth!r}: '
                'positions are wrong unless the depth image is registered to the color image; '
                'see docs/positions.md', once=True)

    def _describe(self, reason: Reason, settings: PositionSettings, topic: str) -> str:
        stats = self._stats
        rates = (
            f'detections at {stats.detections_hz:.1f} Hz with stamps up to '
            f'{_seconds(self.detections_ns)}, depth images at {stats.depth_hz:.1f} Hz with stamps '
            f'up to {_seconds(self.depth_ns)}')
        if reason == Reason.NO_DEPTH:
            count = self._node.count_publishers(topic)
            return (
                f'no depth image arrived in time on {topic}, which has {count} publishers; '
                f'{rates}; check the remapping of depth, its QoS, and max_wait_s')
        if reason == Reason.TOO_FAR_APART:
            return (
                f'the nearest stamp of a depth image differs by more than max_difference_s = '
                f'{settings.max_difference_s}; {rates}; check that both have the same clock and '
                'that use_sim_time is the same, and raise max_difference_s or max_wait_s')
        if reason == Reason.NO_CAMERA_INFO:
            name = self._node.resolve_topic_name('camera_info')
            return (
                f'no camera_info arrived on {name}, which has '
                f'{self._node.count_publishers(name)} publishers; {rates}; remap camera_info to '
                'that of the color image')
        return f'{self.errors.get(reason, "")}; {rates}'


def _seconds(stamp_ns: int | None) -> str:
    return 'none' if stamp_ns is None else f'{stamp_ns * 1e-9:.3f} s'
