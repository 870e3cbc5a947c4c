# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Health reports on `/diagnostics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from std_msgs.msg import Header
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.ros.convert import health_to_ros


class Diagnostics:
    """
    Publishes the health reports of the parts of an engine.

    :param node: the node that publishes.
    :param names: of the parts that are reported before there is an engine.
    """

    def __init__(self, node: Node, names: tuple[str, ...] = ('model',)) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._names = names

    def publish(self, state: str, parts: Sequence[PartHealth] | None) -> None:
        """
        Publish one message with a status for each part.

        :param state: of the node: unconfigured, inactive, disabled, active or idle.
        :param parts: None without an engine. The parts of the previous engine are then reported
            as not loaded; otherwise, an aggregator would report them as stale.
        """
        if parts is None:
            parts = [PartHealth(name=name, message='not loaded') for name in self._names]
        self._names = tuple(part.name for part in parts)
        self._publisher.publish(health_to_ros(
            [_with_state(part, state) for part in parts],
            node_name=self._node.get_fully_qualified_name(),
            header=Header(stamp=self._node.get_clock().now().to_msg())))


def _with_state(part: PartHealth, state: str) -> PartHealth:
    message = part.message
    if part.level == Level.OK and state not in ('active', 'idle'):
        message = f'{state}: {message}'
    return replace(part, message=message, values={'state': state, **part.values})
