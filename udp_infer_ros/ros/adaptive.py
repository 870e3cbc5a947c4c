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

EventCallback = Callable[[Any], None]


class AdaptiveSubscription:
    """
    Subscribes reliably if all publishers are reliable, and otherwise with best effort.

    Best effort is compatible with every publisher, and reliable delivers large messages complete.
    `qos_overrides.<topic>.subscription.reliability` overrides the choice.

    :param make_lost: returns a callback for the event `message_lost` of a new subscription, whose
        counts begin at 0; None to ignore the event.
    """

    def __init__(
        self, node: Node, message: type, topic: str, callback: Callable[[Any], None], *,
        depth: int = 1, make_lost: Callable[[], EventCallback] | None = None,
    ) -> None:
        self._node = node
        self._message, self.topic, self._callback = message, topic, callback
        self._depth, self._make_lost = depth, make_lost
        self._reliability: ReliabilityPolicy | None = None
        self._subscription: Any = None
        self.reports_loss = False
        """Whether the middleware reports lost messages."""
        self.adapt()

    @property
    def qos_profile(self) -> QoSProfile:
        """Return the QoS of the subscription."""
        return self._subscription.qos_profile  # type: ignore[no-any-return]

    def adapt(self) -> None:
        """Subscribe again if the publishers require it; call this a few times per second."""
        reliability, fixed = self._choose(), self._is_fixed()
        if self._subscription is not None:
            if fixed or reliability == self._reliability:
                return
            self._node.destroy_subscription(self._subscription)
        self._node.get_logger().debug(
            f'subscribing to {self.topic}: reliability {reliability.name}'
            f'{" unless qos_overrides change it" if fixed else ""}; publishers: '
            f'{publishers_text(self._node, self.topic)}')
        self._reliability = reliability
        try:
            self._subscription = self._subscribe(
                fixed, self._make_lost() if self._make_lost else None)
            self.reports_loss = self._make_lost is not None
        except UnsupportedEventTypeError:
            self._subscription = self._subscribe(fixed, None)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _is_fixed(self) -> bool:
        return f'qos_overrides.{self.topic}.subscription.reliability' in overrides(self._node)

    def _choose(self) -> ReliabilityPolicy:
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if not publishers and self._reliability is not None:
            return self._reliability
        reliable = bool(publishers) and all(
            item.qos_profile.reliability == ReliabilityPolicy.RELIABLE for item in publishers)
        return ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT

    def _subscribe(self, fixed: bool, lost: EventCallback | None) -> Any:
        policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        if fixed:
            policies.append(QoSPolicyKind.RELIABILITY)
        return self._node.create_subscription(
            self._message, self.topic, self._callback,
            QoSProfile(
                history=HistoryPolicy.KEEP_LAST, depth=self._depth,
                reliability=self._reliability),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._on_incompatible_qos, message_lost=lost),
            qos_overriding_options=QoSOverridingOptions(policies))

    def _on_incompatible_qos(self, event: Any) -> None:
        if self._is_fixed():
            self._node.get_logger().warning(
                f'a publisher of {self.topic} offers a QoS that is incompatible with this '
                f'subscription, so none of its messages arrive; remove qos_overrides.{self.topic}.'
                'subscription, or change the publisher', once=True)


def publishers_text(node: Node, topic: str) -> str:
    """Return the names and the QoS of the publishers of a topic, for the log."""
    return ', '.join(
        f'{item.node_namespace.rstrip("/")}/{item.node_name} {qos_text(item.qos_profile)}'
        for item in node.get_publishers_info_by_topic(topic)) or 'none'


def qos_text(profile: QoSProfile) -> str:
    """Return the reliability and the durability of a profile, for the log."""
    return f'{profile.reliability.name} {profile.durability.name}'.replace('_', ' ').lower()
