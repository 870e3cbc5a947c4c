# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Property tests of the ROS interface; they are not collected where rclpy is not installed."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec('rclpy') else ['test_*.py']
