# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The executable `udp_infer_3d`: as `udp_infer`, with the node that locates detections."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import os
import sys
from typing import TYPE_CHECKING

from udp_infer_ros.ros.main import init_ros, leave, on_signal, refuse, run_node
from udp_infer_ros.standard_streams import with_standard_streams

if TYPE_CHECKING:
    from udp_infer_ros.ros.positions_node import UdpInfer3dNode

NAME = 'udp_infer_3d'


@with_standard_streams(cannot_write=1)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until a signal arrives; return the exit code."""
    # No resource is open yet, and an exception could interrupt an import.
    on_signal(lambda name: os._exit(0))
    argv = list(sys.argv if arguments is None else [NAME, *arguments])
    try:
        import rclpy
        from rclpy.utilities import remove_ros_args
    except ImportError as error:
        print(f'{NAME} needs ROS 2 ({error}): source its setup.bash', file=sys.stderr)
        return 1
    try:
        parse(remove_ros_args(argv)[1:])
        init_ros(argv)
    except (RuntimeError, ValueError) as error:  # RCLError
        return refuse(NAME, error)
    try:
        code = run_node(argv, NAME, make_node)
    finally:
        rclpy.try_shutdown()
    return leave(code)


def make_node() -> UdpInfer3dNode:
    """Create the node."""
    from udp_infer_ros.ros.positions_node import UdpInfer3dNode
    return UdpInfer3dNode()


def parse(words: Sequence[str]) -> None:
    """Parse the arguments other than ROS arguments; exit if there is one."""
    argparse.ArgumentParser(
        prog=NAME, description='Locate detections in space by a depth image, and publish them as '
        'vision_msgs/Detection3DArray.', epilog='Set parameters and topics as for every ROS node: '
        '--ros-args -r depth:=/camera/depth/image_raw -p max_depth_m:=8.0').parse_args(words)
