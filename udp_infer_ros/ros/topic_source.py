# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames from an image topic."""

from __future__ import annotations

from collections.abc import Callable
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
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.pace import Freshness, Pace
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Drop, Stats


MESSAGES = {
    'raw': (Image, image_from_ros), 'compressed': (CompressedImage, image_from_ros_compressed)}


class TopicSource:
    """
    Subscribes to `image_raw`, or to `<image_raw>/compressed`.

    The reliability is that of the publishers: reliable if all of them are, so that large images
    arrive whole, else best effort, which every publisher can serve. `adapt` follows them;
    `qos_overrides.<topic>.subscription.reliability` decides instead, where it is set.

    :param settings: `source.*`; transport auto follows what is published, raw if both are.
    :param slot: where the frames go.
    :param stats: numbers the frames.
    :param now_ns: the clock of the stamps, by which a frame is too old.
    """

    def __init__(
        self, node: Node, settings: SourceSettings, slot: FrameSlot, stats: Stats,
        now_ns: Callable[[], int],
    ) -> None:
        self._node = node
        self._auto = settings.transport == 'auto'
        self._slot = slot
        self._stats = stats
        self._pace = Pace(settings.max_fps)
        self._freshness = Freshness(settings.max_age_s, now_ns)
        # The remapped name is resolved before the suffix, as image_transport does.
        name = node.resolve_topic_name('image_raw')
        self._topics = {'raw': name, 'compressed': f'{name}/compressed'}
        self._transport = 'raw' if self._auto else settings.transport
        self._subscription: Any = None
        self._reliability: ReliabilityPolicy | None = None
        self._frame_id: str | None = None

    @property
    def topic(self) -> str:
        """Tell which topic is subscribed to."""
        return self._topics[self._transport]

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
        """Subscribe anew if what is published has changed. Call it now and then."""
        transport = self._wanted_transport()
        fixed = self._is_fixed(self._topics[transport])
        reliability = self._wanted_reliability(self._topics[transport])
        if self._subscription is not None:
            if transport == self._transport and (fixed or reliability == self._reliability):
                return
            self._node.destroy_subscription(self._subscription)
            if transport != self._transport:
                self._node.get_logger().info(
                    f'topic {self._topics[transport]} from here on, {self.topic} has no publisher')
        self._transport, self._reliability = transport, reliability
        message, decode = MESSAGES[transport]
        policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        if fixed:
            policies.append(QoSPolicyKind.RELIABILITY)
        self._subscription = self._node.create_subscription(
            message, self.topic, partial(self._take, self.topic, decode),
            QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=reliability),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._incompatible),
            qos_overriding_options=QoSOverridingOptions(policies))

    def _is_fixed(self, topic: str) -> bool:
        return f'qos_overrides.{topic}.subscription.reliability' in overrides(self._node)

    def _wanted_transport(self) -> str:
        if not self._auto:
            return self._transport
        published = [
            name for name, topic in self._topics.items() if self._node.count_publishers(topic)]
        # While nothing is published, what was may come back.
        return published[0] if published else self._transport

    def _wanted_reliability(self, topic: str) -> ReliabilityPolicy:
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers and self._reliability is not None:
            return self._reliability
        reliable = bool(publishers) and all(
            item.qos_profile.reliability == ReliabilityPolicy.RELIABLE for item in publishers)
        return ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT

    def _take(self, topic: str, decode: Callable[[Any], Any], message: Any) -> None:
        index, born_s = self._stats.offer(), time.monotonic()
        if not self._pace.admits(born_s):
            self._stats.drop(Drop.MAX_FPS)
            return
        if message.header.frame_id != self._frame_id:
            self._see_frame_id(message.header.frame_id)
        self._slot.put(partial(
            self._frame, topic, decode, message, index=index, born_s=born_s))

    def _frame(
        self, topic: str, decode: Callable[[Any], Any], message: Any, *, index: int,
        born_s: float,
    ) -> Frame:
        stamp_ns = stamp_ns_from_ros(message.header)
        self._freshness.check(stamp_ns)
        return Frame.of(
            decode(message), index=index, stamp_ns=stamp_ns, frame_id=message.header.frame_id,
            source=topic, born_s=born_s)

    def _see_frame_id(self, frame_id: str) -> None:
        """Warn when a second camera speaks on the topic: tracks would mix the two."""
        before, self._frame_id = self._frame_id, frame_id
        if before is None:
            return
        count = self.publisher_count()
        if count > 1:
            self._node.get_logger().warning(
                f'{count} publishers on {self.topic}, with frame_id {before!r} and {frame_id!r}: '
                'two cameras cannot be tracked as one, remap one of them', once=True)

    def _incompatible(self, event: Any) -> None:
        if self._is_fixed(self.topic):
            self._node.get_logger().warning(
                f'a publisher of {self.topic} offers another QoS than this node asks for, so '
                f'nothing comes from it: remove qos_overrides.{self.topic}.subscription, or '
                'change the publisher', once=True)
