# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Tests of the core: `make test` runs them once as if ROS were not installed.

With UDP_INFER_WITHOUT_ROS set, importing rclpy, cv_bridge or launch fails. All tests run in a ROS
domain of their own, whatever ROS_DOMAIN_ID is.
"""

import os
import signal
import socket
import sys

import pytest

# Also by `pythonpath` of pyproject.toml, which this file may not depend on.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from domain import leave_the_domain_of_the_robot  # noqa: E402, I100

DOMAIN_LOCK = leave_the_domain_of_the_robot()
LONGEST_ID = 60

# A shell ignores SIGINT in jobs in the background, and processes inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if os.environ.get('UDP_INFER_WITHOUT_ROS'):
    sys.modules.update(dict.fromkeys(('rclpy', 'cv_bridge', 'launch', 'launch_ros')))


def pytest_make_parametrize_id(val, argname):
    """Shorten long ids: colcon stops reading the output at a line of more than 64 KiB."""
    if isinstance(val, (str, bytes)) and len(val) > LONGEST_ID:
        return f'{argname}-of-{len(val)}'
    if isinstance(val, int) and val.bit_length() > LONGEST_ID:
        return f'{argname}-of-{val.bit_length()}-bits'
    return None


@pytest.fixture
def receiver():
    """Open a UDP receiver."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(('127.0.0.1', 0))
        opened.settimeout(20.0)
        yield opened
