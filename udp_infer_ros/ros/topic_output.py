# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Results on ROS topics."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header
from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.base import Commit, nothing_to_commit
from udp_infer_ros.ros.convert import detections_to_ros, labels_to_ros, model_to_ros
from udp_infer_ros.ros.serialize import can_serialize, detections_to_bytes
from udp_infer_ros.settings import PublishSettings, Settings
from vision_msgs.msg import Detection2DArray, LabelInfo, VisionInfo

DETECTIONS_DEPTH = 5
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class TopicOutput:
    """
    Publishes `~/detections`, and latched `~/label_info` and `~/vision_info`.

    The publishers are lifecycle publishers, which publish only while the node is active. The
    node's thread creates and closes the output; the worker's thread writes and commits.

    :param node: the node that publishes.
    """

    name = 'topics'

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._publish = PublishSettings()
        self._detections = node.create_lifecycle_publisher(
            Detection2DArray, '~/detections',
            QoSProfile(depth=DETECTIONS_DEPTH, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        self._label_info = node.create_lifecycle_publisher(LabelInfo, '~/label_info', LATCHED)
        self._vision_info = node.create_lifecycle_publisher(VisionInfo, '~/vision_info', LATCHED)
        self._sends_bytes = can_serialize()
        node.get_logger().debug(f'{self._detections.topic_name} is written as ' + (
            'bytes' if self._sends_bytes else 'messages: vision_msgs or the middleware differs'))

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """Accept new settings. If the confidence changes, the commit publishes the model info."""
        republish = previous is not None and (
            previous.detect.confidence != settings.detect.confidence)
        if previous is not None and previous.publish == settings.publish and not republish:
            return nothing_to_commit

        def commit() -> None:
            self._publish = settings.publish
            if republish:
                self.publish_model_info(model, settings)
        return commit

    def write(self, result: Result, image: BgrImage) -> None:
        """Publish one Result, if `~/detections` has subscribers."""
        if not self._node.context.ok() or not self._detections.get_subscription_count():
            return
        class_id = self._publish.class_id
        if self._sends_bytes:
            try:
                self._detections.publish(detections_to_bytes(result, class_id))
                return
            except RuntimeError as error:  # RCLError: the middleware accepts messages only.
                self._sends_bytes = False
                self._node.get_logger().debug(
                    f'{self._detections.topic_name} is written as messages: {error}')
        self._detections.publish(detections_to_ros(result, class_id))

    def publish_model_info(self, model: ModelInfo, settings: Settings) -> None:
        """Publish `~/label_info` and `~/vision_info`."""
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._label_info.publish(
            labels_to_ros(model.labels, settings.detect.confidence, header))
        self._vision_info.publish(
            model_to_ros(model, self._node.resolve_topic_name('~/label_info'), header))

    def health(self) -> PartHealth:
        """Return the number of subscribers."""
        count = self._detections.get_subscription_count()
        return PartHealth(
            name=self.name, message=f'{count} subscribers of {self._detections.topic_name}',
            values={'subscribers': count})

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in (self._detections, self._label_info, self._vision_info):
            self._node.destroy_lifecycle_publisher(publisher)
