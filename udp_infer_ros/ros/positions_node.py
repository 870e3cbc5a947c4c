# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The ROS node udp_infer_3d: a lifecycle around the engine of positions."""

from __future__ import annotations

import queue
from typing import Any

from rclpy.callback_groups import CallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from udp_infer_ros.positions.pairing import PairingStats
from udp_infer_ros.positions.settings import PositionSettings
from udp_infer_ros.ros.diagnostics import Diagnostics
from udp_infer_ros.ros.lifecycle import Finish, logged
from udp_infer_ros.ros.parameter_server import ParameterServer
from udp_infer_ros.ros.positions import PositionEngine

POLL_PERIOD_S = 0.25
WAIT_PERIOD_S = 0.01
DIAGNOSTICS_PERIOD_S = 1.0


class UdpInfer3dNode(LifecycleNode):
    """
    Locates detections in space by the depth image with the nearest stamp.

    Subscribes, while its outputs have subscribers: `detections` (vision_msgs/Detection2DArray),
    `depth` (sensor_msgs/Image) or `depth/compressedDepth` (sensor_msgs/CompressedImage),
    `camera_info` (sensor_msgs/CameraInfo) of the color image, and optionally
    `depth_camera_info`, that of the depth image.

    Publishes: `~/detections_3d` (vision_msgs/Detection3DArray); `~/markers`
    (visualization_msgs/MarkerArray) if that package is installed; `/diagnostics`.

    The subscribers are counted by a timer, because the events for matched subscribers do not exist
    in Humble. Everything runs in the executor's thread; use a SingleThreadedExecutor.

    :param keywords: as for `rclpy.node.Node`.
    :raises SettingError: if a parameter has an invalid value.
    """

    def __init__(self, **keywords: Any) -> None:
        # For all callbacks: a mutually exclusive group would serve none of them while a coroutine
        # of the parameter server is suspended.
        self._group = ReentrantCallbackGroup()
        super().__init__('udp_infer_3d', **keywords)
        try:
            self._parameter_server = ParameterServer(
                self, lambda: self._engine, PositionSettings())
        except BaseException:
            super().destroy_node()
            raise
        self.stats = PairingStats()
        self.finished: queue.SimpleQueue[Finish] = queue.SimpleQueue()
        """Receives the exit code and the cause when the process should end."""
        self._engine: PositionEngine | None = None
        self._active = False
        self._diagnostics = Diagnostics(self, ('positions',))
        # A steady clock, so that the timers run also with use_sim_time and no /clock.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(POLL_PERIOD_S, self._poll, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnose, clock=steady)
        self._waiting = self.create_timer(WAIT_PERIOD_S, self._work, clock=steady)
        self._waiting.cancel()

    @property
    def default_callback_group(self) -> CallbackGroup:
        """Return the group of all callbacks of this node."""
        return self._group

    @property
    def settings(self) -> PositionSettings:
        """Return the current values of the parameters."""
        return self._parameter_server.settings

    async def bring_up(self) -> bool:
        """Configure and activate; return whether the node is active."""
        return all(
            trigger() == TransitionCallbackReturn.SUCCESS
            for trigger in (self.trigger_configure, self.trigger_activate))

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the publishers."""
        self._engine = PositionEngine(self, self.settings, self.stats, self._waiting.reset)
        return self._changed('inactive', super().on_configure(state))

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to publish for subscribers."""
        self._active = True
        return self._changed('active', super().on_activate(state))

    @logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe from all inputs."""
        self._active = False
        self._poll()
        return self._changed('inactive', super().on_deactivate(state))

    @logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Destroy the publishers."""
        self._release()
        return self._changed('unconfigured', TransitionCallbackReturn.SUCCESS)

    @logged
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node becomes unconfigured."""
        self._release()
        return self._changed('unconfigured', TransitionCallbackReturn.SUCCESS)

    @logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node cannot be configured again."""
        self._release()
        return self._changed('finalized', TransitionCallbackReturn.SUCCESS)

    def destroy_node(self) -> None:
        """Stop everything, and destroy the node."""
        self._release()
        super().destroy_node()

    def _changed(
        self, state: str, result: TransitionCallbackReturn,
    ) -> TransitionCallbackReturn:
        self.get_logger().info(f'the node is {state}')
        return result

    def _release(self) -> None:
        self._active = False
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _poll(self) -> None:
        if self._engine is not None:
            self._engine.poll(active=self._active)

    def _work(self) -> None:
        if self._engine is not None:
            self._engine.work()
        if self._engine is None or not self._engine.is_waiting:
            self._waiting.cancel()

    def _diagnose(self) -> None:
        engine = self._engine
        if engine is not None:
            engine.report()
        state = 'unconfigured' if engine is None else 'active' if self._active else 'inactive'
        self._diagnostics.publish(state, [engine.health()] if engine else None)
