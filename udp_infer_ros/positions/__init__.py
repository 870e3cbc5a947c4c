# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Positions of detections in space, from depth images: NumPy and OpenCV, without ROS."""
