# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Pictures of what was seen, drawn only while somebody looks."""

from __future__ import annotations

import array
from collections.abc import Callable
import time
from typing import Any

import cv2
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from udp_infer_ros.frame import BgrImage, NO_TRACK, Result
from udp_infer_ros.outputs.annotate import Annotator
from udp_infer_ros.ros.convert import header_to_ros
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.pace import Pace
try:
    from foxglove_msgs.msg import (
        Color, ImageAnnotations, Point2, PointsAnnotation, TextAnnotation)
except ImportError:
    ImageAnnotations = None

LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
FONT_SIZE_PX = 14.0


class ImageOutput:
    """
    Publishes `~/image_annotated` and `~/image_annotated/compressed`.

    Where foxglove_msgs is installed, `~/annotations` too, which Foxglove draws itself.
    Nothing is drawn, converted or published on a topic that nobody subscribes to.

    :param clock_s: a monotonic clock in seconds.
    """

    name = 'image_annotated'

    def __init__(
        self, node: LifecycleNode, settings: Settings,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._settings = settings.annotate
        self._clock_s = clock_s
        self._pace = Pace(settings.annotate.max_fps)
        self._annotator = Annotator()
        self._raw = node.create_lifecycle_publisher(Image, '~/image_annotated', LATEST)
        self._compressed = node.create_lifecycle_publisher(
            CompressedImage, '~/image_annotated/compressed', LATEST)
        self._annotations = None if ImageAnnotations is None else (
            node.create_lifecycle_publisher(ImageAnnotations, '~/annotations', LATEST))

    def configure(self, settings: Settings) -> None:
        """Take other settings."""
        self._settings = settings.annotate
        self._pace = Pace(settings.annotate.max_fps)

    def tell(self, result: Result, image: BgrImage) -> None:
        """Draw one Result, if somebody looks and it is time for another picture."""
        if not self._node.context.ok():
            return
        if self._wanted(self._annotations):
            self._annotations.publish(annotations_to_foxglove(result))
        raw, compressed = self._wanted(self._raw), self._wanted(self._compressed)
        if not (raw or compressed) or not self._pace.admits(self._clock_s()):
            return
        scene = self._annotator.draw(image, result.detections, trails=self._settings.trails)
        header = header_to_ros(result.frame)
        if raw:
            self._raw.publish(image_to_ros(scene, header))
        if compressed:
            quality = [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality]
            message = CompressedImage(header=header, format='bgr8; jpeg compressed bgr8')
            message.data = array.array('B', cv2.imencode('.jpg', scene, quality)[1].tobytes())
            self._compressed.publish(message)

    def close(self) -> None:
        """Take the topics away."""
        for publisher in (self._raw, self._compressed, self._annotations):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    @staticmethod
    def _wanted(publisher: Any) -> bool:
        return publisher is not None and publisher.get_subscription_count() > 0


def image_to_ros(image: BgrImage, header: Header) -> Image:
    """Write a picture as a message."""
    height, width = image.shape[:2]
    message = Image(header=header, height=height, width=width, encoding='bgr8', step=width * 3)
    # The one way that no distribution converts element by element.
    data = array.array('B')
    data.frombytes(memoryview(image).cast('B'))
    message.data = data
    return message


def annotations_to_foxglove(result: Result) -> Any:
    """Write a Result as foxglove_msgs/ImageAnnotations: an outline and a caption for each."""
    stamp = header_to_ros(result.frame).stamp
    color = Color(r=0.6, g=0.9, b=0.1, a=1.0)
    message = ImageAnnotations()
    for found in result.objects:
        left, top = found.x - found.width / 2, found.y - found.height / 2
        right, bottom = left + found.width, top + found.height
        message.points.append(PointsAnnotation(
            timestamp=stamp, type=PointsAnnotation.LINE_LOOP, outline_color=color, thickness=2.0,
            points=[Point2(x=x, y=y) for x, y in (
                (left, top), (right, top), (right, bottom), (left, bottom))]))
        track = '' if found.track_id == NO_TRACK else f'#{found.track_id} '
        message.texts.append(TextAnnotation(
            timestamp=stamp, position=Point2(x=left, y=top), font_size=FONT_SIZE_PX,
            text=f'{track}{found.class_name} {found.score:.2f}', text_color=color))
    return message
