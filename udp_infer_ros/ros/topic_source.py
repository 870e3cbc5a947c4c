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

"""Frames from an image topic."""

from __future__ import annotations

from functools import partial
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks
from sensor_msgs.msg import CompressedImage, Image

from udp_infer_ros.frame import Frame
from udp_infer_ros.ros.convert import (
    image_from_ros, image_from_ros_compressed, stamp_ns_from_ros)
from udp_infer_ros.ros.params import overrides
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats


class TopicSource:
    """
    Subscribes to `image_raw`, or to `<image_raw>/compressed`.

    The reliability is that of the publishers: reliable if all of them are, so that large images
    arrive whole, else best effort, which every publisher can serve. `adapt` follows them;
    `qos_overrides.<topic>.subscription.reliability` decides instead, where it is set.

    :param transport: raw or compressed.
    :param slot: where the frames go.
    :param stats: numbers the frames.
    """

    def __init__(self, node: Node, transport: str, slot: FrameSlot, stats: Stats) -> None:
        self._node = node
        self._slot = slot
        self._stats = stats
        # The remapped name is resolved before the suffix, as image_transport does.
        self.topic = node.resolve_topic_name('image_raw')
        if transport == 'compressed':
            self.topic += '/compressed'
            self._type, self._decode = CompressedImage, image_from_ros_compressed
        else:
            self._type, self._decode = Image, image_from_ros
        self._policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        self._fixed = f'qos_overrides.{self.topic}.subscription.reliability' in overrides(node)
        if self._fixed:
            self._policies.append(QoSPolicyKind.RELIABILITY)
        self._subscription: Any = None
        self._reliability: ReliabilityPolicy | None = None

    @property
    def description(self) -> str:
        """Say what is subscribed to."""
        return f'topic {self.topic}'

    def start(self) -> None:
        """Subscribe."""
        self.adapt()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Unsubscribe and close the slot."""
        self._slot.close()
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
        return True

    def publisher_count(self) -> int:
        """Tell how many publishers the topic has."""
        return int(self._node.count_publishers(self.topic))

    def adapt(self) -> None:
        """Subscribe anew if the publishers ask for another reliability. Call it now and then."""
        reliability = self._wanted_reliability()
        if self._subscription is not None:
            if self._fixed or reliability == self._reliability:
                return
            self._node.destroy_subscription(self._subscription)
        self._reliability = reliability
        self._subscription = self._node.create_subscription(
            self._type, self.topic, self._take,
            QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=reliability),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._incompatible),
            qos_overriding_options=QoSOverridingOptions(self._policies))

    def _wanted_reliability(self) -> ReliabilityPolicy:
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if not publishers and self._reliability is not None:
            return self._reliability
        reliable = bool(publishers) and all(
            item.qos_profile.reliability == ReliabilityPolicy.RELIABLE for item in publishers)
        return ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT

    def _take(self, message: Any) -> None:
        self._slot.put(partial(
            self._frame, message, index=self._stats.offer(), born_s=time.monotonic()))

    def _frame(self, message: Any, *, index: int, born_s: float) -> Frame:
        return Frame.of(
            self._decode(message), index=index, stamp_ns=stamp_ns_from_ros(message.header),
            frame_id=message.header.frame_id, source=self.topic, born_s=born_s)

    def _incompatible(self, event: Any) -> None:
        if self._fixed:
            self._node.get_logger().warning(
                f'a publisher of {self.topic} offers another QoS than this node asks for, so '
                f'nothing comes from it: remove qos_overrides.{self.topic}.subscription, or '
                'change the publisher', once=True)
