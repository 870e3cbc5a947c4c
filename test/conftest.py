# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Tests of the core: `make test` runs them once as if ROS were not installed.

With UDP_INFER_WITHOUT_ROS set, importing rclpy, cv_bridge or launch fails.
"""

import os
import socket
import sys

import pytest

if os.environ.get('UDP_INFER_WITHOUT_ROS'):
    sys.modules.update(dict.fromkeys(('rclpy', 'cv_bridge', 'launch', 'launch_ros')))


@pytest.fixture
def receiver():
    """Open a UDP receiver."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(('127.0.0.1', 0))
        opened.settimeout(20.0)
        yield opened
