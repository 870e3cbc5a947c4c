# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Tests of the core: in a lane of `make test` they run as if there were no ROS.

UDP_INFER_WITHOUT_ROS says so; then importing rclpy, cv_bridge or launch fails, as it does on a
machine that has none.
"""

import os
import sys

if os.environ.get('UDP_INFER_WITHOUT_ROS'):
    sys.modules.update(dict.fromkeys(('rclpy', 'cv_bridge', 'launch', 'launch_ros')))
