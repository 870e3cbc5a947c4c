# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The executable `udp_infer`: arguments, signals, exit codes.

SIGINT and SIGTERM end the process with exit code 0 from its first instruction on. Therefore this
module needs only the standard library; the rest is imported after the handlers are installed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
import os
import queue
import signal
import sys
import threading
from typing import Any, TYPE_CHECKING

from udp_infer_ros.standard_streams import with_standard_streams

if TYPE_CHECKING:
    from udp_infer_ros.ros.lifecycle import Finish
    from udp_infer_ros.ros.node import UdpInferNode

SIGNAL_PERIOD_S = 0.2


@with_standard_streams(cannot_write=1)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it ends or a signal arrives; return the exit code."""
    # No resource is open yet, and an exception could interrupt an import.
    on_signal(lambda name: os._exit(0))
    argv = list(sys.argv if arguments is None else ['udp_infer', *arguments])
    try:
        import rclpy
        from rclpy.utilities import remove_ros_args
    except ImportError as error:
        return main_without_ros(argv, error)
    try:
        options = parse(remove_ros_args(argv)[1:])
        if not options.list_models:
            init_ros(argv)
    except (RuntimeError, ValueError) as error:  # RCLError
        return refuse('udp_infer', error)
    try:
        if is_about_models(options):
            from udp_infer_ros.ros import model_command
            code = model_command.run(options, argv)
        else:
            code = run_node(argv, 'udp_infer', make_node)
    finally:
        rclpy.try_shutdown()
    return leave(code)


def run_program(
    name: str, arguments: Sequence[str] | None,
    parse_words: Callable[[Sequence[str]], argparse.Namespace],
    run: Callable[[argparse.Namespace, Sequence[str]], int],
) -> int:
    """
    Run another executable of this package, with the signals and exit codes of `udp_infer`.

    :param name: of the executable.
    :param arguments: None for those of the process.
    :param parse_words: parses the arguments other than ROS arguments.
    :param run: called with what it returns and the command line; returns the exit code.
    """
    # No resource is open yet, and an exception could interrupt an import.
    on_signal(lambda name: os._exit(0))
    argv = list(sys.argv if arguments is None else [name, *arguments])
    try:
        import rclpy
        from rclpy.utilities import remove_ros_args
    except ImportError as error:
        print(f'{name} needs ROS 2 ({error}): source its setup.bash', file=sys.stderr)
        return 1
    try:
        options = parse_words(remove_ros_args(argv)[1:])
        init_ros(argv)
    except (RuntimeError, ValueError) as error:  # RCLError
        return refuse(name, error)
    try:
        code = run(options, argv)
    finally:
        rclpy.try_shutdown()
    return leave(code)


def init_ros(words: Sequence[str]) -> None:
    """
    Initialize rclpy without its signal handlers.

    They would shut the context down while the worker uses it.

    :param words: the command line.
    :raises RuntimeError: if a ROS argument is invalid.
    """
    import rclpy
    rclpy.init(
        args=list(words), signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)


def refuse(program: str, error: Exception) -> int:
    """Print why the ROS arguments are invalid; return the exit code."""
    from udp_infer_ros.redact import redacted
    print(f'{program}: invalid ROS arguments: {redacted(str(error))}', file=sys.stderr)
    return 1


def main_without_ros(words: Sequence[str], cause: ImportError) -> int:
    """
    Run the options about models, which need ROS only for parameters; return the exit code.

    :param words: the command line.
    :param cause: why rclpy cannot be imported.
    """
    if '--ros-args' not in words and is_about_models(options := parse(words[1:])):
        try:
            from udp_infer_ros.ros import model_command
        except ImportError as error:
            print(f"udp_infer: {error}; install what the engine needs: pip install '.[engine]'",
                  file=sys.stderr)
            return 1
        return leave(model_command.run(options, words))
    print(f'udp_infer needs ROS 2 ({cause}): source its setup.bash; without ROS there are '
          '--list-models, --describe-model ID, and examples/detect_video.py', file=sys.stderr)
    return 1


def leave(code: int) -> int:
    """Return the exit code; if a daemon thread still runs, end the process with it."""
    if any(thread.daemon for thread in threading.enumerate()):
        # A thread that loads a model, or hangs in a driver, would abort the process if it
        # returned to Python while the interpreter is finalized.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def make_node() -> UdpInferNode:
    """Create the node; what it imports takes a second."""
    from udp_infer_ros.ros.node import UdpInferNode
    return UdpInferNode()


def run_node(words: Sequence[str], name: str, make: Callable[[], Any]) -> int:
    """
    Run one node; return the exit code.

    :param words: the command line.
    :param name: the default name of the node, for an error before it exists.
    :param make: creates it: a lifecycle node with `settings`, `bring_up` and `finished`.
    """
    from rclpy.exceptions import ParameterException
    from rclpy.logging import get_logger
    from udp_infer_ros.errors import UdpInferError
    from udp_infer_ros.ros.lifecycle import Finish
    from udp_infer_ros.ros.params import unmatched_files
    from udp_infer_ros.ros.spinner import Spinner
    try:
        node = make()
    except (UdpInferError, ParameterException) as error:
        get_logger(name).error(str(error))
        return 1
    # Signals only queue the exit code, because an exception could occur while a lock is held.
    on_signal(lambda name: node.finished.put(Finish(0, name)))

    async def start() -> None:
        if node.settings.autostart and not await node.bring_up():
            node.finished.put(Finish(1, 'autostart did not succeed'))
    try:
        for text in unmatched_files(words, [node.get_fully_qualified_name()]):
            node.get_logger().warning(text)
        spinner = Spinner(node, start)
        try:
            code, cause = finish_of(node)
            node.get_logger().info(f'stopping with exit code {code}: {cause}')
            return code
        finally:
            spinner.stop()
    finally:
        node.destroy_node()


def finish_of(node: Any) -> Finish:
    """Wait until a node is finished; return its exit code and the cause."""
    while True:
        try:
            finish: Finish = node.finished.get(timeout=SIGNAL_PERIOD_S)
            return finish
        except queue.Empty:
            # Another thread may receive the signal, which does not wake the main thread; but only
            # the main thread runs Python's signal handlers.
            continue


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments other than ROS arguments; exit if one is unknown."""
    parser = argparse.ArgumentParser(
        prog='udp_infer', description='Detect and track objects in images, and publish them on '
        'a topic and by UDP.', epilog='Set parameters as for every ROS node: --ros-args '
        '-p source.uri:=street.mp4 or --ros-args --params-file my.yaml')
    parser.add_argument(
        '--list-models', action='store_true',
        help='print the models that model.id can name, and exit')
    parser.add_argument(
        '--describe-model', metavar='ID', nargs='?', const='',
        help='print how the node would run a model, and exit; without ID, that of the parameter '
        'model.id. Other parameters are used too: --describe-model --ros-args -p model.id:=ID '
        '-p model.family:=yolo')
    parser.add_argument(
        '--image', metavar='PICTURE',
        help='with --describe-model: also print what the model detects in a picture')
    parser.add_argument(
        '--out', metavar='FILE', help='with --image: draw it into a copy of the picture')
    options = parser.parse_args(words)
    if options.image and options.describe_model is None:
        parser.error('--image needs --describe-model')
    if options.out and not options.image:
        parser.error('--out needs --image')
    return options


def is_about_models(options: argparse.Namespace) -> bool:
    """Return whether the arguments ask for text about models, so that no node is started."""
    return options.list_models or options.describe_model is not None


def on_signal(handle: Callable[[str], object]) -> None:
    """Install a handler for SIGINT and SIGTERM, which receives the name of the signal."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: handle(signal.Signals(number).name))
