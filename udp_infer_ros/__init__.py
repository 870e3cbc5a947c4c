# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Camera frames in, detections out: as vision_msgs on a topic and as JSON over UDP."""

__version__ = '0.1.0'
