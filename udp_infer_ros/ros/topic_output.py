# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What the node tells on topics."""

from __future__ import annotations

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header
from udp_infer_ros.detection.detector import ModelInfo
from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.ros.convert import detections_to_ros, labels_to_ros
from udp_infer_ros.settings import Settings
from vision_msgs.msg import Detection2DArray, LabelInfo, VisionInfo

DETECTIONS_DEPTH = 5
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class TopicOutput:
    """
    Publishes `~/detections`, and latched `~/label_info` and `~/vision_info`.

    Nothing leaves it while the node is not active: its publishers are lifecycle publishers.
    """

    name = 'topic'

    def __init__(self, node: LifecycleNode, model: ModelInfo, settings: Settings) -> None:
        self._node = node
        self._model = model
        self._settings = settings
        self._detections = node.create_lifecycle_publisher(
            Detection2DArray, '~/detections',
            QoSProfile(depth=DETECTIONS_DEPTH, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        self._label_info = node.create_lifecycle_publisher(LabelInfo, '~/label_info', LATCHED)
        self._vision_info = node.create_lifecycle_publisher(VisionInfo, '~/vision_info', LATCHED)

    def configure(self, settings: Settings) -> None:
        """Take other settings; tell the labels again if the threshold has changed."""
        before, self._settings = self._settings, settings
        if before.detect.confidence != settings.detect.confidence:
            self.tell_model()

    def tell(self, result: Result, image: BgrImage) -> None:
        """Publish one Result, from the worker's thread, if somebody listens."""
        if self._node.context.ok() and self._detections.get_subscription_count():
            self._detections.publish(detections_to_ros(result, self._settings.publish.class_id))

    def tell_model(self) -> None:
        """Publish what the model is and what its classes are called."""
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._label_info.publish(
            labels_to_ros(self._model.labels, self._settings.detect.confidence, header))
        self._vision_info.publish(VisionInfo(
            header=header, method=str(self._model),
            database_location=self._node.resolve_topic_name('~/label_info'),
            database_version=1))

    def close(self) -> None:
        """Take the topics away."""
        for publisher in (self._detections, self._label_info, self._vision_info):
            self._node.destroy_lifecycle_publisher(publisher)
