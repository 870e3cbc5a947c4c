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

"""The node: parameters in, lifecycle around, everything else handed to the core."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
import logging
import queue
import signal
import sys
import threading
import time
import traceback
from typing import Any

from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import (
    ExternalShutdownException, ShutdownException, SingleThreadedExecutor)
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from udp_infer_ros.detection.describe import describe_model
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.errors import UdpInferError
from udp_infer_ros.log import Throttle
from udp_infer_ros.outputs.udp import check_interface, resolve_targets, UdpOutput
from udp_infer_ros.pipeline import Pipeline
from udp_infer_ros.ros import params
from udp_infer_ros.ros.log_handler import RosLogHandler
from udp_infer_ros.ros.topic_output import TopicOutput
from udp_infer_ros.ros.topic_source import TopicSource
from udp_infer_ros.runner import Runner
from udp_infer_ros.sources.capture import CaptureSource, waits
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats

SUPERVISION_PERIOD_S = 0.5
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
    (vision_msgs/LabelInfo) and `~/vision_info` (vision_msgs/VisionInfo); datagrams to
    `udp.targets`.

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
        self._warnings = Throttle(period_s=30.0)
        self._pipeline: Pipeline | None = None
        self._detector: Detector | None = None
        self._udp: UdpOutput | None = None
        self._topics: TopicOutput | None = None
        self._source: CaptureSource | TopicSource | None = None
        self._runner: Runner | None = None
        self._idle = False
        self._offered = 0
        self._last_frame_s = 0.0
        self._stalled = False
        self.add_on_set_parameters_callback(self._on_set_parameters)
        if hasattr(self, 'add_pre_set_parameters_callback'):  # Not in Humble.
            self.add_pre_set_parameters_callback(params.normalised)
        self._answer_illegal_transitions()
        # A steady clock: with use_sim_time and no /clock, nothing else would say why all is still.
        self._supervision = self.create_timer(
            SUPERVISION_PERIOD_S, self._supervise, clock=Clock(clock_type=ClockType.STEADY_TIME))

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
        self.get_logger().info(
            f'model {self._detector.info}, ready in {time.monotonic() - begin_s:.1f} s')
        return super().on_configure(state)

    @transition
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to look at frames."""
        assert self._pipeline and self._udp and self._topics
        source = self.settings.source
        slot = FrameSlot(self.stats, wait=bool(source.uri) and waits(source))
        self._source = (
            CaptureSource(source, slot, self.stats, self._now_ns) if source.uri
            else TopicSource(self, source, slot, self.stats, self._now_ns))
        activated = super().on_activate(state)
        self._runner = Runner(slot, self._pipeline, (self._udp, self._topics), self.stats)
        self._topics.tell_model()
        self._idle = self._stalled = False
        self._last_frame_s = time.monotonic()
        self._runner.start()
        self._source.start()
        self.get_logger().info(
            f'{self._source.description} -> {self.resolve_topic_name("~/detections")} and udp '
            f'{", ".join(self.settings.udp.targets) or "nobody"}')
        return activated

    @transition
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the source go; the model stays in memory."""
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
        self.stop()
        self.free()
        return TransitionCallbackReturn.SUCCESS

    @transition
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to where the node can be configured anew."""
        self.stop()
        self.free()
        return TransitionCallbackReturn.SUCCESS

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
        if self._topics is not None:
            self._topics.close()
        self._udp = self._topics = self._pipeline = self._detector = None

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
        pipeline, udp, topics = self._pipeline, self._udp, self._topics

        def apply() -> None:
            if pipeline and udp and topics:
                pipeline.configure(settings)
                udp.configure(settings.udp, targets)
                topics.configure(settings)
        if self._runner is None:
            apply()
        else:
            self._runner.between_frames(apply)
        return SetParametersResult(successful=True)

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
        self._watch_for_stall()

    def _watch_for_stall(self) -> None:
        assert self._source is not None
        now_s = time.monotonic()
        offered = self.stats.snapshot().offered
        if offered != self._offered:
            self._offered, self._last_frame_s = offered, now_s
            if self._stalled:
                self._stalled = False
                self.get_logger().info(f'frames again from {self._source.description}')
            return
        silent_s = now_s - self._last_frame_s
        if silent_s >= self.settings.source.stall_timeout_s and not self._stalled:
            self._stalled = True
            text = f'no image for {silent_s:.0f} s on {self._source.description}'
            if isinstance(self._source, TopicSource):
                text += f', publishers: {self._source.publisher_count()}'
            self.get_logger().warning(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to end; return the exit code."""
    words = list(sys.argv if arguments is None else ['udp_infer', *arguments])
    try:
        options = parse(remove_ros_args(words)[1:])
        if options.describe_model:
            return describe(options.describe_model)
        # rclpy's own handlers take the context away at once, under the feet of the worker.
        rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, ValueError) as error:  # RCLError: the command line is not ROS's
        print(f'udp_infer: the ROS arguments are not understood: {error}', file=sys.stderr)
        return 1
    on_signal(signal.default_int_handler)
    node: UdpInferNode | None = None
    try:
        node = UdpInferNode()
        with spinning(node):
            if node.settings.autostart and not node.bring_up():
                return 1
            # From here on a signal is a message: an exception could come amidst a lock.
            on_signal(lambda number, frame: node.finished.put(None))
            node.finished.get()
    except (UdpInferError, ParameterException) as error:
        rclpy.logging.get_logger('udp_infer').error(str(error))
        return 1
    except KeyboardInterrupt:
        pass  # SIGINT and SIGTERM are how it ends.
    finally:
        on_signal(signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the arguments that are not ROS's; ends the process if there is one too many."""
    parser = argparse.ArgumentParser(
        prog='udp_infer', description='Detect and track objects in images, and tell of them on '
        'a topic and by UDP.', epilog='Parameters are given as to every ROS node: --ros-args '
        '-p source.uri:=street.mp4 or --ros-args --params-file my.yaml')
    parser.add_argument(
        '--describe-model', metavar='ID',
        help='tell what the node would do with a model (as in model.id), and end')
    return parser.parse_args(words)


def describe(model_id: str) -> int:
    """Tell what the node would do with a model; return the exit code. Needs no ROS graph."""
    try:
        print(describe_model(model_id))
    except UdpInferError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def on_signal(handler: Any) -> None:
    """Have the signals that end a process handled."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


@contextmanager
def spinning(node: UdpInferNode) -> Iterator[None]:
    """
    Serve a node's callbacks in a thread of its own.

    The main thread then waits in Python, where a signal reaches it at once.
    """
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    def spin() -> None:
        while node.context.ok():
            try:
                executor.spin()
                return
            except (ExternalShutdownException, ShutdownException):
                return
            except Exception:  # One callback failed; the node goes on.
                node.get_logger().error(traceback.format_exc())
    thread = threading.Thread(target=spin, name='udp_infer executor', daemon=True)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join(2.0)
