# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The process around the node: arguments, signals, exit codes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import signal
import sys
import threading
import traceback
from typing import Any

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import (
    ExternalShutdownException, ShutdownException, SingleThreadedExecutor)
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from udp_infer_ros.detection.describe import describe_model
from udp_infer_ros.errors import UdpInferError
from udp_infer_ros.ros.node import UdpInferNode


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
