# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The executable `udp_infer_3d`: as `udp_infer`, with the node that locates detections."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from udp_infer_ros.ros.main import run_node, run_program
from udp_infer_ros.standard_streams import with_standard_streams

if TYPE_CHECKING:
    from udp_infer_ros.ros.positions_node import UdpInfer3dNode

NAME = 'udp_infer_3d'


@with_standard_streams(cannot_write=1)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until a signal arrives; return the exit code."""
    return run_program(
        NAME, arguments, parse, lambda options, words: run_node(words, NAME, make_node))


def make_node() -> UdpInfer3dNode:
    """Create the node."""
    from udp_infer_ros.ros.positions_node import UdpInfer3dNode
    return UdpInfer3dNode()


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments other than ROS arguments; exit if there is one."""
    return argparse.ArgumentParser(
        prog=NAME, description='Locate detections in space by a depth image, and publish them as '
        'vision_msgs/Detection3DArray.', epilog='Set parameters and topics as for every ROS node: '
        '--ros-args -r depth:=/camera/depth/image_raw -p max_depth_m:=8.0').parse_args(words)
