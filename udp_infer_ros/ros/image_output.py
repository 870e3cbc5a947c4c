# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Annotated images on ROS topics, drawn only while they have subscribers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
import time
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.annotate import Annotator
from udp_infer_ros.outputs.base import Commit, nothing_to_commit
from udp_infer_ros.ros.convert import (
    annotations_to_foxglove, header_to_ros, image_to_ros, image_to_ros_compressed)
from udp_infer_ros.settings import AnnotateSettings, Settings
from udp_infer_ros.sources.intake import RateLimiter
try:
    from foxglove_msgs.msg import ImageAnnotations
except ImportError:
    ImageAnnotations = None

LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class ImageOutput:
    """
    Publishes `~/image_annotated` and `~/image_annotated/compressed`.

    If foxglove_msgs is installed, it also publishes `~/annotations`, which Foxglove draws.
    Without subscribers, no image is drawn and no message is converted. The node's thread creates
    and closes the output; the worker's thread writes and commits.

    :param node: the node that publishes.
    :param clock_s: a monotonic clock in seconds.
    """

    name = 'images'

    def __init__(
        self, node: LifecycleNode, clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._clock_s = clock_s
        self._settings = AnnotateSettings()
        self._rate_limiter = RateLimiter(self._settings.max_fps)
        self._raw = node.create_lifecycle_publisher(Image, '~/image_annotated', LATEST)
        self._compressed = node.create_lifecycle_publisher(
            CompressedImage, '~/image_annotated/compressed', LATEST)
        self._annotations = None if ImageAnnotations is None else (
            node.create_lifecycle_publisher(ImageAnnotations, '~/annotations', LATEST))

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """Accept all settings."""
        if previous is not None and previous.annotate == settings.annotate:
            return nothing_to_commit

        def commit() -> None:
            if self._settings.max_fps != settings.annotate.max_fps:
                self._rate_limiter = RateLimiter(settings.annotate.max_fps)
            self._settings = settings.annotate
        return commit

    def write(self, result: Result, image: BgrImage) -> None:
        """Draw and publish a Result for the subscribers; images only at `annotate.max_fps`."""
        if not self._node.context.ok():
            return
        if self._annotations is not None and _has_subscribers(self._annotations):
            self._annotations.publish(annotations_to_foxglove(result))
        raw, compressed = _has_subscribers(self._raw), _has_subscribers(self._compressed)
        if not (raw or compressed) or not self._rate_limiter.accepts(self._clock_s()):
            return
        scene = self._annotator.draw(image, result.detections, trails=self._settings.trails)
        header = header_to_ros(result.frame)
        if raw:
            self._raw.publish(image_to_ros(scene, header))
        if compressed:
            self._compressed.publish(
                image_to_ros_compressed(scene, header, self._settings.jpeg_quality))

    @cached_property
    def _annotator(self) -> Annotator:
        """Return the annotator, which is created for the first subscriber."""
        return Annotator()

    def health(self) -> PartHealth:
        """Return the number of subscribers."""
        counts = {
            publisher.topic_name: publisher.get_subscription_count() for publisher in (
                self._raw, self._compressed, self._annotations) if publisher is not None}
        return PartHealth(
            name=self.name, message=f'{sum(counts.values())} subscribers', values=counts)

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in (self._raw, self._compressed, self._annotations):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)


def _has_subscribers(publisher: Any) -> bool:
    return bool(publisher.get_subscription_count() > 0)
