# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The ROS node: the interface between ROS and the engine."""

from __future__ import annotations

from collections.abc import Callable
import queue
import threading
from typing import Any

import cv2
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import CallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool, Trigger
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.engine import Engine
from udp_infer_ros.errors import SourceError, UdpInferError
from udp_infer_ros.outputs.base import Output
from udp_infer_ros.outputs.dataset.output import DatasetOutput
from udp_infer_ros.outputs.udp import UdpOutput
from udp_infer_ros.ros.core_log import ros_log_handler
from udp_infer_ros.ros.diagnostics import Diagnostics
from udp_infer_ros.ros.image_output import ImageOutput
from udp_infer_ros.ros.lifecycle import Finish, logged
from udp_infer_ros.ros.opener import Opener
from udp_infer_ros.ros.parameter_server import ParameterServer
from udp_infer_ros.ros.snapshot import SnapshotClient
from udp_infer_ros.ros.tasks import in_background, outcome_of, replace_callback, Turn
from udp_infer_ros.ros.topic_output import TopicOutput
from udp_infer_ros.ros.topic_source import TopicSource
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.base import Source
from udp_infer_ros.sources.open import make_source
from udp_infer_ros.stats import Stats

POLL_PERIOD_S = 0.25
DIAGNOSTICS_PERIOD_S = 1.0
SHARED_NAME_AFTER_S = 30.0
"""A node that was killed stays in the graph for the lease of its participant, 20 s by default."""

LABELS = ('configure', 'activate', 'deactivate', 'cleanup', 'shutdown')
"""Of the transitions that can be requested."""
REMEDIES = {
    'unconfigured': 'configure and activate it first', 'inactive': 'activate it first',
    'finalized': 'start a new process'}
"""What to do before images can be processed, by lifecycle state."""


class UdpInferNode(LifecycleNode):
    """
    Detects and tracks objects in images.

    Subscribes: `image_raw` (sensor_msgs/Image) or `image_raw/compressed`
    (sensor_msgs/CompressedImage), unless `source.uri` names another source.

    Publishes: `~/detections` (vision_msgs/Detection2DArray), latched `~/label_info`
    (vision_msgs/LabelInfo) and `~/vision_info` (vision_msgs/VisionInfo), `~/image_annotated`
    (sensor_msgs/Image) and its compressed form while subscribed to, `/diagnostics`
    (diagnostic_msgs/DiagnosticArray); datagrams to `udp.targets`.

    Serves: `~/enable` (std_srvs/SetBool): in state active, opens or closes the source; in other
    states, fails and changes nothing. `~/reset_tracker` (std_srvs/Trigger): removes all tracks;
    fails without a tracker. `~/collect` (std_srvs/Trigger): stores the next frame in the dataset.
    The response and one line of the log describe the effect.

    The executor's thread owns the node and the engine; use a SingleThreadedExecutor. Slow work
    (loading a model, opening or closing a source, resolving a host name) runs in a background
    thread, while the executor serves other callbacks. `_transitions` and `ParameterServer.changes`
    serve requests in their order, so a response describes the state when it is sent.

    :param models: the networks that the nodes of this process share; None shares none.
    :param keywords: as for `rclpy.node.Node`.
    :raises SettingError: if a parameter has an invalid value.
    """

    def __init__(self, *, models: ModelPool | None = None, **keywords: Any) -> None:
        # For all callbacks: a mutually exclusive group would serve none of them while a coroutine
        # is suspended.
        self._group = ReentrantCallbackGroup()
        super().__init__('udp_infer', **keywords)
        # For the process. Threads of OpenCV would only delay those of the network.
        cv2.setNumThreads(1)
        ros_log_handler.attach(self.get_logger())
        try:
            self._parameter_server = ParameterServer(self, lambda: self._engine, Settings())
        except (UdpInferError, ParameterException):
            ros_log_handler.detach(self.get_logger())
            super().destroy_node()
            raise
        self._models = models
        self.stats = Stats()
        self.finished: queue.SimpleQueue[Finish] = queue.SimpleQueue()
        """Receives the exit code and the cause when the process should end."""
        self._engine: Engine | None = None
        self._opener = Opener(self, self._make_source)
        self._active = False
        self._abort_load = threading.Event()
        self._enabled = True
        self._idle = False
        self._leaving = False
        self._shared_name_s = 0.0
        self._ended = False
        """The node is finalized or destroyed."""
        self._transitions = Turn(self)
        """Held by transitions and ~/enable."""
        self._outputs: list[Output] = []
        # Results of background work, for transition callbacks, which cannot be coroutines.
        self._loaded: Callable[[], Engine] | None = None
        self._opened: Callable[[], Source | None] | None = None
        self._diagnostics = Diagnostics(self)
        self._serve()

    def _serve(self) -> None:
        self._change_state = replace_callback(self, 'change_state', self._on_change_state)
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.create_service(Trigger, '~/reset_tracker', self._on_reset_tracker)
        self.create_service(Trigger, '~/collect', self._on_collect)
        # A steady clock, so that the timers run also with use_sim_time and no /clock.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(POLL_PERIOD_S, self._poll, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnose, clock=steady)

    @property
    def default_callback_group(self) -> CallbackGroup:
        """Return the group of all callbacks of this node."""
        return self._group

    @property
    def settings(self) -> Settings:
        """Return the current values of the parameters."""
        return self._parameter_server.settings

    @property
    def active(self) -> bool:
        """Return whether the lifecycle state is active."""
        return self._active

    async def bring_up(self) -> bool:
        """
        Configure and activate, as a task of the executor.

        :return: whether the node is active; otherwise the reason has been logged.
        """
        for number in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = ChangeState.Request(transition=Transition(id=number))
            response = await self._change(request, ChangeState.Response(), 'autostart')
            if not response.success:
                return False
        return True

    # Transitions: slow work runs in the background, then rclpy calls the transition callback.

    async def _on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response,
    ) -> ChangeState.Response:
        return await self._change(request, response, 'service change_state')

    async def _change(
        self, request: ChangeState.Request, response: ChangeState.Response, cause: str,
    ) -> ChangeState.Response:
        """Make a transition, and log it with its cause."""
        goal = _goal(request.transition)
        if goal in ('deactivate', 'shutdown'):
            self._opener.abort()
        shuts_down = goal == 'shutdown' or goal.endswith('_shutdown')
        if shuts_down:
            self._abort_load.set()
        async with self._transitions:
            before = self._state
            try:
                response = await self._prepare_and_change(goal, request, response)
            except RuntimeError as error:  # RCLError, which rclpy answers only from Kilted on.
                self.get_logger().warning(f'the transition is not possible now: {error}')
                response.success = False
            finally:
                self._loaded = self._opened = None
            if shuts_down and not response.success:
                self._abort_load.clear()
            self.get_logger().info(
                f'{goal}: {before} -> {self._state} ({cause})' if response.success else
                f'{goal} did not succeed, the node is {self._state} ({cause})')
            return response

    async def _prepare_and_change(
        self, goal: str, request: ChangeState.Request, response: ChangeState.Response,
    ) -> ChangeState.Response:
        """Do the slow work of a transition in the background, then make the transition."""
        if goal == 'configure' and self._state == 'unconfigured':
            async with self._parameter_server.changes:
                self._outputs = self._make_outputs()
                self._loaded = await outcome_of(in_background(self, self._load))
                return self._change_state(request, response)
        if goal == 'activate' and self._state == 'inactive':
            self._opened = await outcome_of(self._opener.open())
        elif goal in ('deactivate', 'shutdown') and self._active:
            await self._stop()
        return self._change_state(request, response)

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, and create the outputs."""
        if self._loaded is None:
            self._outputs = self._make_outputs()
        try:
            self._engine = (self._loaded or self._load)()
        except BaseException:
            for output in self._outputs:
                output.close()
            raise
        self.get_logger().info(f'model {self._engine.model}')
        return super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the source and process its frames."""
        assert self._engine is not None
        source = (self._opened or self._opener.open_now)()
        try:
            activated = super().on_activate(state)
            self._topics.publish_model_info(self._engine.model, self.settings)
            if source is not None:
                self._start(self._engine, source)
        except BaseException:
            if source is not None:
                source.stop(timeout_s=0.0)
            super().on_deactivate(state)
            raise
        self._active = True
        return activated

    @logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the source; the model stays loaded."""
        self._active = False
        if self._engine is not None:
            self._engine.stop()
        return super().on_deactivate(state)

    @logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model, the sockets and the publishers."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    @logged
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node becomes unconfigured."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    @logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node cannot be configured again."""
        self._ended = True
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> None:
        """Release everything; only `destroy_node` may follow."""
        self._ended = True
        self._abort_load.set()
        self._opener.abort()
        self._release()

    def destroy_node(self) -> None:
        """Stop everything, and destroy the node."""
        self.stop()
        ros_log_handler.detach(self.get_logger())
        super().destroy_node()

    def _make_outputs(self) -> list[Output]:
        self._topics = TopicOutput(self)
        self._recorder = SnapshotClient(self)
        self._dataset = DatasetOutput(recorder=self._recorder, now_ns=self._now_ns)
        # UDP first: converting messages and drawing images must not delay datagrams.
        return [UdpOutput(), self._topics, ImageOutput(self), self._dataset]

    def _load(self) -> Engine:
        engine = Engine.load(
            self.settings, self._outputs, models=self._models, stats=self.stats,
            now_ns=self._now_ns, abort=self._abort_load)
        if self._ended:
            engine.close()
        return engine

    def _release(self) -> None:
        self._active = False
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _make_source(self) -> Source | None:
        """Create the source without opening it; return None if the node is disabled."""
        source = self.settings.source
        if not self._enabled:
            return None
        return make_source(source, self._now_ns) if source.uri else TopicSource(self, source)

    def _start(self, engine: Engine, source: Source) -> None:
        self._idle = False
        engine.start(source)
        self.get_logger().info(
            f'{source.description} -> {self.resolve_topic_name("~/detections")}, '
            f'udp {", ".join(self.settings.udp.targets) or "off"}')

    async def _stop(self) -> None:
        """Stop the engine without blocking the executor."""
        engine = self._engine
        if engine is not None:
            engine.begin_stop()
            await in_background(self, engine.stop)

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    # Services and timers.

    @property
    def _state(self) -> str:
        """Return the label of the lifecycle state."""
        if self._ended:
            return 'finalized'
        if self._engine is None:
            return 'unconfigured'
        return 'active' if self._active else 'inactive'

    @property
    def _activity(self) -> str:
        """Return the label of the lifecycle state, or disabled or idle for an active node."""
        if self._state != 'active':
            return self._state
        return 'disabled' if not self._enabled else 'idle' if self._idle else 'active'

    async def _on_enable(
        self, request: SetBool.Request, response: SetBool.Response,
    ) -> SetBool.Response:
        """Open or close the source; the model stays loaded, the lifecycle state unchanged."""
        if not request.data:
            self._opener.abort()
        async with self._transitions:
            try:
                response.success, response.message = await self._enable(request.data)
            except UdpInferError as error:
                self._enabled = False
                response.success, response.message = False, str(error)
            self._log_service(f'~/enable {str(request.data).lower()}', response)
            return response

    async def _enable(self, enable: bool) -> tuple[bool, str]:
        """
        Open or close the source, unless that is impossible or already done.

        :return: whether the node is in the requested state, and a text.
        :raises UdpInferError: if the source cannot be opened.
        """
        state, engine = self._state, self._engine
        if state != 'active' or engine is None:
            return False, (
                f'the node is {state}: it processes no images, and ~/enable changes nothing; '
                f'{REMEDIES[state]}')
        if enable and self._enabled and engine.ended:
            return False, (
                'the source has ended, so no images are processed; disable and enable the node '
                'to open it again')
        if enable == self._enabled:
            return True, f'already {"enabled" if enable else "disabled"}'
        self._enabled = enable
        if enable:
            await self._reopen(engine)
            return True, 'enabled'
        await self._stop()
        return True, 'disabled; the model stays loaded'

    def _log_service(self, request: str, response: SetBool.Response | Trigger.Response) -> None:
        # rclpy raises an error if one line of code logs with different severities.
        if response.success:
            self.get_logger().info(f'{request}: {response.message} (service)')
        else:
            self.get_logger().warning(f'{request} refused: {response.message}')

    async def _reopen(self, engine: Engine) -> None:
        source = await self._opener.open()
        if source is None:
            raise SourceError(
                '~/enable', True, 'a later request closed the source while it was opening')
        try:
            self._start(engine, source)
        except UdpInferError:
            source.stop(timeout_s=0.0)
            raise

    def _on_reset_tracker(
        self, request: Trigger.Request, response: Trigger.Response,
    ) -> Trigger.Response:
        """Remove all tracks before the next frame; their ids are not reused."""
        if self._engine is None:
            response.message = 'there is no tracker: the node is not configured'
        elif self.settings.track.type == 'none':
            response.message = 'there is no tracker: track.type is none'
        else:
            self._engine.reset_tracker()
            response.success, response.message = True, 'all tracks are removed'
            if self._activity != 'active':
                response.message += f'; no images are processed, the node is {self._activity}'
        self._log_service('~/reset_tracker', response)
        return response

    def _on_collect(
        self, request: Trigger.Request, response: Trigger.Response,
    ) -> Trigger.Response:
        """Store the next frame in the dataset, whatever its rules are."""
        if self._engine is None or self._activity != 'active':
            response.message = f'no images are processed, the node is {self._activity}'
        elif not self.settings.dataset.directory:
            response.message = 'there is no dataset: dataset.directory is empty'
        else:
            self._dataset.collect_next()
            response.success, response.message = True, 'the next frame will be collected'
        self._log_service('~/collect', response)
        return response

    def _poll(self) -> None:
        if self._engine is None:
            return
        self._engine.poll()
        self._recorder.poll(self.settings.dataset.snapshot_service)
        if self._active and self._engine.model_changed and not self._leaving:
            self._leaving = True
            assert self.executor is not None
            self.executor.create_task(self._leave_changed_model)
        if self._engine.ended and not self._idle:
            self._idle = True
            if self.settings.source.exit_at_end:
                self.finished.put(Finish(0, 'end of source (source.exit_at_end)'))
            else:
                self.get_logger().info(
                    'end of source, idle; to open it again, call ~/enable with false and true')

    async def _leave_changed_model(self) -> None:
        """Deactivate, because no frame can be processed."""
        request = ChangeState.Request(
            transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
        await self._change(
            request, ChangeState.Response(), 'the server has another model; to use it, cleanup, '
            'configure and activate')
        self._leaving = False

    def _diagnose(self) -> None:
        self._diagnostics.publish(self._activity, self._engine.health() if self._engine else None)
        name = (self.get_name(), self.get_namespace())
        shared = self.get_node_names_and_namespaces().count(name) > 1
        self._shared_name_s = (self._shared_name_s + DIAGNOSTICS_PERIOD_S) * shared
        if self._shared_name_s >= SHARED_NAME_AFTER_S:
            self.get_logger().warning(
                f'another node is named {self.get_fully_qualified_name()} too, so requests may '
                'reach either; rename one of them: --ros-args -r __node:=NAME', once=True)


def _goal(transition: Transition) -> str:
    """Return the label of a requested transition, which may be anything, given by label or id."""
    if transition.label:
        return str(transition.label) if transition.label in LABELS else (
            f'transition {transition.label[:40]!r}')
    return {
        Transition.TRANSITION_CONFIGURE: 'configure', Transition.TRANSITION_CLEANUP: 'cleanup',
        Transition.TRANSITION_ACTIVATE: 'activate',
        Transition.TRANSITION_DEACTIVATE: 'deactivate',
        Transition.TRANSITION_UNCONFIGURED_SHUTDOWN: 'unconfigured_shutdown',
        Transition.TRANSITION_INACTIVE_SHUTDOWN: 'inactive_shutdown',
        Transition.TRANSITION_ACTIVE_SHUTDOWN: 'shutdown',
    }.get(transition.id, f'transition {transition.id}')
