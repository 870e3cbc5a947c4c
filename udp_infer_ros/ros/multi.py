# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The executable `udp_infer_multi`: one node per camera in one process.

As in main.py, SIGINT and SIGTERM end the process with exit code 0 from its first instruction on,
so the modules that take long to import are imported later.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import queue
import time
from typing import TYPE_CHECKING

from udp_infer_ros.ros.main import on_signal, run_program, SIGNAL_PERIOD_S
from udp_infer_ros.standard_streams import with_standard_streams

if TYPE_CHECKING:
    from udp_infer_ros.detection.pool import ModelPool
    from udp_infer_ros.ros.lifecycle import Finish
    from udp_infer_ros.ros.node import UdpInferNode
    from udp_infer_ros.sources.camera_list import Camera

PROGRAM = 'udp_infer_multi'
STOP_TIMEOUT_S = 1.5
"""So that the process ends within 2 s of a signal, whatever hangs."""
NAMESPACE = '__ns:='


@with_standard_streams(cannot_write=1)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the nodes until they end or a signal arrives; return the exit code."""
    return run_program(
        PROGRAM, arguments, parse, lambda options, words: run_cameras(options.cameras_file, words))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments other than ROS arguments; exit if one is unknown."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description='Run one udp_infer node per camera in one process. Nodes with '
        'the same model share it.', epilog='Parameters and remappings after --ros-args apply to '
        'all nodes, those of the cameras file take precedence. -r __ns:=/robot sets the '
        'namespace around those of the cameras.')
    parser.add_argument(
        'cameras_file', help='a YAML file like share/udp_infer_ros/config/udp_infer_multi.yaml')
    return parser.parse_args(words)


def run_cameras(path: str, words: Sequence[str]) -> int:
    """
    Run the nodes of a list of cameras; return the exit code.

    :param path: of the list.
    :param words: the command line.
    """
    from rclpy.exceptions import ParameterException
    from rclpy.logging import get_logger
    from udp_infer_ros.detection.pool import ModelPool
    from udp_infer_ros.errors import UdpInferError
    from udp_infer_ros.ros.params import unmatched_files
    from udp_infer_ros.sources.camera_list import read_cameras
    log = get_logger(PROGRAM)
    nodes: list[UdpInferNode] = []
    where = ''
    try:
        cameras = read_cameras(path)
        models = ModelPool(len(cameras))
        for camera in cameras:
            where = f'camera {camera.name}: '
            nodes.append(make_node(camera, models, words))
    except (UdpInferError, ParameterException) as error:
        log.error(f'{where}{error}')
        for node in nodes:
            node.destroy_node()
        return 1
    signals: queue.SimpleQueue[str] = queue.SimpleQueue()
    # Signals only queue their name, because an exception could occur while a lock is held.
    on_signal(signals.put)
    names = [node.get_fully_qualified_name() for node in nodes]
    for text in unmatched_files(words, names):
        log.warning(text)
    running = [CameraNode(node) for node in nodes]
    try:
        code, cause = wait_for_end(running, signals)
        log.info(f'stopping with exit code {code}: {cause}')
        return code
    finally:
        stop_all(running)


def make_node(camera: Camera, models: ModelPool, words: Sequence[str]) -> UdpInferNode:
    """
    Create the node of a camera.

    :param words: the command line, for the namespace around that of the camera.
    :raises SettingError: if a parameter has an invalid value.
    """
    from udp_infer_ros.ros.node import UdpInferNode
    from udp_infer_ros.ros.params import to_ros
    from udp_infer_ros.settings import PARAMETERS
    outer = next(
        (word.removeprefix(NAMESPACE) for word in reversed(words) if word.startswith(NAMESPACE)),
        '')
    arguments = ['--ros-args', '-r', f'{NAMESPACE}{outer.rstrip("/")}/{camera.name}']
    if camera.topic:
        arguments += ['-r', f'image_raw:={camera.topic}']
    return UdpInferNode(
        models=models, cli_args=arguments,
        parameter_overrides=[
            to_ros(PARAMETERS[name], value) for name, value in camera.parameters.items()])


class CameraNode:
    """A node with a thread of its own, so that it does not wait for the others."""

    def __init__(self, node: UdpInferNode) -> None:
        from udp_infer_ros.ros.spinner import Spinner
        self.node = node
        self._refused = False
        self._spinner = Spinner(node, self._start)

    async def _start(self) -> None:
        if self.node.settings.autostart:
            self._refused = not await self.node.bring_up()

    @property
    def failed(self) -> bool:
        """Return whether the node did not start, and has not been activated since."""
        return self._refused and not self.node.active

    def finished(self) -> Finish | None:
        """Return why the node is finished; None if it is not."""
        try:
            return self.node.finished.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        """Stop the node, in a thread of its own; wait a few seconds at most."""
        from udp_infer_ros.ros.core_log import log_as
        log_as(self.node.get_logger())
        self._spinner.stop()
        self.node.stop()


def wait_for_end(
    running: list[CameraNode], signals: queue.SimpleQueue[str],
) -> tuple[int, str]:
    """
    Wait for a signal, or until no camera is left. Cameras that are finished are stopped.

    A camera that did not start can still be configured by its services, while others run.

    :param running: the cameras; those that are finished are removed.
    :return: the exit code, and the cause of the end.
    """
    while not all(camera.failed for camera in running):
        try:
            return 0, signals.get(timeout=SIGNAL_PERIOD_S)
        except queue.Empty:
            pass
        for camera in list(running):
            if finish := camera.finished():
                camera.node.get_logger().info(f'stopping: {finish.cause}')
                running.remove(camera)
                stop_all([camera])
    if running:
        names = ', '.join(camera.node.get_fully_qualified_name() for camera in running)
        return 1, f'{names} did not start, and no other camera is left'
    return 0, 'all cameras are finished'


def stop_all(cameras: Sequence[CameraNode]) -> None:
    """Stop cameras at the same time, and destroy their nodes, except those that hang."""
    from udp_infer_ros.threads import BackgroundThread
    threads = [BackgroundThread(camera.stop, name='stop') for camera in cameras]
    for thread in threads:
        thread.start()
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    for thread, camera in zip(threads, cameras):
        thread.join(max(0.0, deadline_s - time.monotonic()))
        if thread.is_alive():
            camera.node.get_logger().warning('did not stop in time and is abandoned')
        else:
            camera.node.destroy_node()
