# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The node: parameters in, lifecycle around, everything else handed to the core."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
import logging
import queue
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.errors import UdpInferError
from udp_infer_ros.outputs.udp import check_interface, resolve_targets, UdpOutput
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.ros import params
from udp_infer_ros.ros.diagnostics import diagnostics, Health
from udp_infer_ros.ros.image_output import ImageOutput
from udp_infer_ros.ros.log_handler import RosLogHandler
from udp_infer_ros.ros.topic_output import TopicOutput
from udp_infer_ros.ros.topic_source import TopicSource
from udp_infer_ros.runner import Runner
from udp_infer_ros.sources.capture import CaptureSource, waits
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats

SUPERVISION_PERIOD_S = 0.5
DIAGNOSTICS_PERIOD_S = 1.0
CORE_LOG = logging.getLogger('udp_infer_ros')

Transition = Callable[['UdpInferNode', LifecycleState], TransitionCallbackReturn]


def transition(callback: Transition) -> Transition:
    """Log what a transition raises, which rclpy would swallow, and undo what it began."""
    @wraps(callback)
    def logged(node: UdpInferNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return callback(node, state)
        except UdpInferError as error:
            node.get_logger().error(str(error))
            result = TransitionCallbackReturn.FAILURE
        except Exception:
            node.get_logger().error(f'{callback.__name__} failed:\n{traceback.format_exc()}')
            result = TransitionCallbackReturn.ERROR
        node.stop()
        if callback.__name__ == 'on_configure':
            node.free()
        return result
    return logged


class UdpInferNode(LifecycleNode):  # type: ignore[misc]
    """
    Detects and tracks objects in images.

    Subscribes: `image_raw` (sensor_msgs/Image) or `image_raw/compressed`
    (sensor_msgs/CompressedImage), unless `source.uri` names something else.

    Publishes: `~/detections` (vision_msgs/Detection2DArray), latched `~/label_info`
    (vision_msgs/LabelInfo) and `~/vision_info` (vision_msgs/VisionInfo), `~/image_annotated`
    (sensor_msgs/Image) and its compressed twin while somebody looks, `/diagnostics`
    (diagnostic_msgs/DiagnosticArray); datagrams to `udp.targets`.

    Serves: `~/enable` (std_srvs/SetBool), `~/reset_tracker` (std_srvs/Trigger).

    States: configured, it has the model in memory; active, it looks at frames.

    :param keywords: as for `rclpy.node.Node`.
    :raises SettingError: if a parameter has a value that it cannot have.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__('udp_infer', **keywords)
        self._log_handler = RosLogHandler(self.get_logger())
        CORE_LOG.addHandler(self._log_handler)
        CORE_LOG.setLevel(logging.DEBUG)
        CORE_LOG.propagate = False
        try:
            self.settings = params.declare(self)
        except (UdpInferError, ParameterException):
            self.destroy_node()
            raise
        for text in params.unknown(params.overrides(self)):
            self.get_logger().warning(text)
        self.stats = Stats()
        self.finished: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Gets an item at the end of a file if `source.exit_at_end`."""
        self._pipeline: Pipeline | None = None
        self._detector: Detector | None = None
        self._udp: UdpOutput | None = None
        self._topics: TopicOutput | None = None
        self._images: ImageOutput | None = None
        self._source: CaptureSource | TopicSource | None = None
        self._runner: Runner | None = None
        self._active = False
        self._enabled = True
        self._idle = False
        self._told = self.stats.snapshot()
        self._offered = 0
        self._last_frame_s = 0.0
        self._stalled = False
        self.add_on_set_parameters_callback(self._on_set_parameters)
        if hasattr(self, 'add_pre_set_parameters_callback'):  # Not in Humble.
            self.add_pre_set_parameters_callback(params.normalised)
        self._answer_illegal_transitions()
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.create_service(Trigger, '~/reset_tracker', self._on_reset_tracker)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # A steady clock: with use_sim_time and no /clock, nothing else would say why all is still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(SUPERVISION_PERIOD_S, self._supervise, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnose, clock=steady)

    def _answer_illegal_transitions(self) -> None:
        """Have a request for a transition that is not possible now answered: no."""
        # Up to Jazzy, rclpy raises instead, and whoever asked waits for ever.
        service = self._service_change_state
        change_state = service.callback

        def answer(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RuntimeError as error:  # RCLError
                self.get_logger().warning(f'no such transition now: {error}')
                response.success = False
                return response
        service.callback = answer

    def bring_up(self) -> bool:
        """Configure and activate; False if that failed (and was logged)."""
        return (
            self.trigger_configure() == TransitionCallbackReturn.SUCCESS
            and self.trigger_activate() == TransitionCallbackReturn.SUCCESS)

    @transition
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, warm it up, open sockets and topics."""
        settings = self.settings
        targets = resolve_targets(settings.udp.targets)
        check_interface(settings.udp.interface)
        begin_s = time.monotonic()
        self._detector = Detector.load(settings.model)
        self._pipeline = Pipeline(self._detector, settings, self.stats)
        self._udp = UdpOutput(settings.udp, targets, self.stats)
        self._topics = TopicOutput(self, self._detector.info, settings)
        self._images = ImageOutput(self, settings)
        self.get_logger().info(
            f'model {self._detector.info}, ready in {time.monotonic() - begin_s:.1f} s')
        return super().on_configure(state)

    @transition
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to look at frames."""
        activated = super().on_activate(state)
        assert self._topics
        self._topics.tell_model()
        if self._enabled:
            self.begin()
        self._active = True
        return activated

    @transition
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the source go; the model stays in memory."""
        self._active = False
        self.stop()
        return super().on_deactivate(state)

    @transition
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model, the sockets and the topics."""
        self.free()
        return TransitionCallbackReturn.SUCCESS

    @transition
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, from any state."""
        self._active = False
        self.stop()
        self.free()
        return TransitionCallbackReturn.SUCCESS

    @transition
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to where the node can be configured anew."""
        self._active = False
        self.stop()
        self.free()
        return TransitionCallbackReturn.SUCCESS

    def begin(self) -> None:
        """
        Open the source and begin to look at its frames.

        :raises SourceError: if it does not open.
        """
        assert self._pipeline and self._udp and self._topics and self._images
        source = self.settings.source
        slot = FrameSlot(self.stats, wait=bool(source.uri) and waits(source))
        self._source = (
            CaptureSource(source, slot, self.stats, self._now_ns) if source.uri
            else TopicSource(self, source, slot, self.stats, self._now_ns))
        # Those whom others wait for come first.
        outputs = (self._udp, self._topics, self._images)
        self._runner = Runner(slot, self._pipeline, outputs, self.stats)
        self._idle = self._stalled = False
        self._last_frame_s = time.monotonic()
        self._runner.start()
        self._source.start()
        self.get_logger().info(
            f'{self._source.description} -> {self.resolve_topic_name("~/detections")} and udp '
            f'{", ".join(self.settings.udp.targets) or "nobody"}')

    def stop(self) -> None:
        """End the threads of the source and of the worker, if they run."""
        if self._source is not None and not self._source.stop():
            self.get_logger().warning(
                f'{self._source.description}: its driver hangs, its thread is left behind')
        if self._runner is not None and not self._runner.stop():
            self.get_logger().warning('the model does not return, its thread is left behind')
        self._source = self._runner = None

    def free(self) -> None:
        """Let go of the model, the sockets and the topics."""
        if self._udp is not None:
            self._udp.close()
        for topics in (self._topics, self._images):
            if topics is not None:
                topics.close()
        self._udp = self._topics = self._images = self._pipeline = self._detector = None

    def destroy_node(self) -> None:
        """Stop everything; nothing of this node is left afterwards."""
        if hasattr(self, '_runner'):
            self.stop()
            self.free()
        CORE_LOG.removeHandler(self._log_handler)
        super().destroy_node()

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_set_parameters(self, parameters: list[RosParameter]) -> SetParametersResult:
        """Check a change of live parameters; it takes effect between two frames, all at once."""
        try:
            settings = params.changed(self.settings, parameters)
            if settings == self.settings:
                return SetParametersResult(successful=True)
            if self._detector is not None:
                self._detector.class_ids(settings.detect.classes)
            targets = resolve_targets(settings.udp.targets)
            check_interface(settings.udp.interface)
        except UdpInferError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.settings = settings
        pipeline, udp = self._pipeline, self._udp
        topics, images = self._topics, self._images

        def apply() -> None:
            if pipeline and udp and topics and images:
                pipeline.configure(settings)
                udp.configure(settings.udp, targets)
                topics.configure(settings)
                images.configure(settings)
        if self._runner is None:
            apply()
        else:
            self._runner.between_frames(apply)
        return SetParametersResult(successful=True)

    def _on_enable(
        self, request: SetBool.Request, response: SetBool.Response,
    ) -> SetBool.Response:
        """Let the source go, or open it again; the model stays, and so does the state."""
        response.success = True
        if request.data == self._enabled:
            response.message = f'already {"enabled" if self._enabled else "disabled"}'
            return response
        try:
            if self._active and request.data:
                self.begin()
            elif self._active:
                self.stop()
        except UdpInferError as error:
            self.stop()
            response.success, response.message = False, str(error)
            return response
        self._enabled = request.data
        response.message = 'enabled' if self._enabled else 'disabled, the model stays in memory'
        return response

    def _on_reset_tracker(
        self, request: Trigger.Request, response: Trigger.Response,
    ) -> Trigger.Response:
        """Forget all tracks before the next frame; ids go on counting."""
        if self._pipeline is None:
            response.success, response.message = False, 'there is no tracker: not configured'
            return response
        if self._runner is None:
            self._pipeline.reset_tracker()
        else:
            self._runner.between_frames(self._pipeline.reset_tracker)
        response.success, response.message = True, 'all tracks are forgotten'
        return response

    def _diagnose(self) -> None:
        """Tell every second how the node is."""
        if self._detector is None:
            state = 'unconfigured'
        elif not self._active:
            state = 'inactive'
        elif not self._enabled:
            state = 'disabled'
        else:
            state = 'idle' if self._idle else 'active'
        source = self._source
        silent_s = time.monotonic() - self._last_frame_s
        stalled = source is not None and not self._idle and (
            silent_s >= self.settings.source.stall_timeout_s)
        now = self.stats.snapshot()
        health = Health(
            state, source.description if source else '', silent_s if stalled else None,
            source.publisher_count() if isinstance(source, TopicSource) else None,
            self._detector.info if self._detector else None, self.settings, now, self._told)
        self._told = now
        self._diagnostics.publish(diagnostics(
            self.get_fully_qualified_name(), health,
            Header(stamp=self.get_clock().now().to_msg())))

    def _supervise(self) -> None:
        """See every half second whether frames come, and say so if not."""
        if self._source is None or self._runner is None:
            return
        if isinstance(self._source, TopicSource):
            self._source.adapt()
        if self._runner.ended:
            if not self._idle:
                self._idle = True
                if self.settings.source.exit_at_end:
                    self.finished.put(None)
                else:
                    self.get_logger().info('idle from here on')
            return
        offered = self.stats.offered
        if offered != self._offered:
            self._offered, self._last_frame_s = offered, time.monotonic()
        if isinstance(self._source, TopicSource):  # The others watch themselves.
            self._watch_for_stall(self._source)

    def _watch_for_stall(self, source: TopicSource) -> None:
        silent_s = time.monotonic() - self._last_frame_s
        stalled = silent_s >= self.settings.source.stall_timeout_s
        if self._stalled and not stalled:
            self.get_logger().info(f'frames again from {source.description}')
        elif stalled and not self._stalled:
            text = (
                f'no image for {silent_s:.0f} s on {source.description}, publishers: '
                f'{source.publisher_count()}')
            self.stats.stalled()
            self.stats.trouble(text)
            self.get_logger().warning(text)
        self._stalled = stalled
