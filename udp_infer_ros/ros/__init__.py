# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The ROS interface. Only this folder imports rclpy, message packages or cv_bridge."""
