# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Object detection and tracking in camera images, published as vision_msgs and JSON over UDP."""

__version__ = '0.1.0'
