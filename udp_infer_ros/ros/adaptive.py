# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A subscription whose reliability follows the publishers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError
from udp_infer_ros.ros.params import overrides


class AdaptiveSubscription:
    """
    Subscribes reliably if all publishers are reliable, and otherwise with best effort.

    Best effort is compatible with every publisher, and reliable delivers large messages complete.
    `qos_overrides.<topic>.subscription.reliability` overrides the choice.

    :param lost: called with the event `message_lost`; None to ignore it.
    """

    def __init__(
        self, node: Node, message: type, topic: str, callback: Callable[[Any], None], *,
        depth: int = 1, lost: Callable[[Any], None] | None = None,
    ) -> None:
        self._node = node
        self._message, self.topic, self._callback = message, topic, callback
        self._depth, self._lost = depth, lost
        self._reliability: ReliabilityPolicy | None = None
        self._subscription: Any = None
        self.adapt()

    def adapt(self) -> None:
        """Subscribe again if the publishers require it; call this a few times per second."""
        reliability = self._choose()
        fixed = f'qos_overrides.{self.topic}.subscription.reliability' in overrides(self._node)
        if self._subscription is not None:
            if fixed or reliability == self._reliability:
                return
            self._node.destroy_subscription(self._subscription)
        self._reliability = reliability
        policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        policies += [QoSPolicyKind.RELIABILITY] * fixed
        try:
            self._subscription = self._subscribe(policies, self._lost)
        except UnsupportedEventTypeError:
            self._subscription = self._subscribe(policies, None)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _choose(self) -> ReliabilityPolicy:
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if not publishers and self._reliability is not None:
            return self._reliability
        reliable = bool(publishers) and all(
            item.qos_profile.reliability == ReliabilityPolicy.RELIABLE for item in publishers)
        return ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT

    def _subscribe(
        self, policies: list[QoSPolicyKind], lost: Callable[[Any], None] | None,
    ) -> Any:
        return self._node.create_subscription(
            self._message, self.topic, self._callback,
            QoSProfile(
                history=HistoryPolicy.KEEP_LAST, depth=self._depth,
                reliability=self._reliability),
            event_callbacks=SubscriptionEventCallbacks(message_lost=lost),
            qos_overriding_options=QoSOverridingOptions(policies))
