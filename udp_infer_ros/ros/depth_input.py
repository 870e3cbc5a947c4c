# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The subscription to depth images, raw or compressed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from udp_infer_ros.ros.adaptive import AdaptiveSubscription
from udp_infer_ros.ros.transport_loss import remedy, TransportLoss
from udp_infer_ros.settings import Transport
from udp_infer_ros.stats import Stats

MESSAGES: dict[str, type] = {'raw': Image, 'compressed': CompressedImage}


class DepthInput:
    """
    Subscribes to `depth`, or to `<depth>/compressedDepth`.

    :param transport: auto: the published one, raw if both are.
    :param receive: called with each message.
    """

    def __init__(
        self, node: Node, transport: Transport, receive: Callable[[Any], None],
    ) -> None:
        self._node = node
        self._receive = receive
        self._auto = transport == 'auto'
        # Remap the name before the suffix is appended, as image_transport does.
        name = node.resolve_topic_name('depth')
        self._topics = {'raw': name, 'compressed': f'{name}/compressedDepth'}
        self._transport: str = 'raw' if self._auto else transport
        self._stats = Stats()
        self._loss = TransportLoss(self._stats)
        self._subscription = self._subscribe()

    @property
    def topic(self) -> str:
        """Return the topic of the subscription."""
        return self._topics[self._transport]

    @property
    def lost(self) -> int:
        """Return the number of images that the middleware lost."""
        return self._stats.transport_lost or 0

    @property
    def reports_loss(self) -> bool:
        """Return whether the middleware reports lost images."""
        return self._subscription.reports_loss

    def poll(self) -> None:
        """Adapt to changes of the publishers, and warn if many images are lost."""
        transport = self._choose()
        if transport != self._transport:
            self._subscription.close()
            self._transport = transport
            self._subscription = self._subscribe()
        self._subscription.adapt()
        if self._loss.poll():
            self._node.get_logger().warning(f'{self._loss.describe(self.topic)}; {remedy()}')

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()

    def _choose(self) -> str:
        published = [
            name for name, topic in self._topics.items() if self._node.count_publishers(topic)]
        # Without publishers, keep the subscription: a publisher may restart.
        return published[0] if self._auto and published else self._transport

    def _subscribe(self) -> AdaptiveSubscription:
        return AdaptiveSubscription(
            self._node, MESSAGES[self._transport], self.topic, self._on_message,
            make_lost=self._loss.make_callback)

    def _on_message(self, message: Any) -> None:
        self._stats.count_offered()
        self._receive(message)
