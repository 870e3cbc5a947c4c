# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""udp_infer_listen: a receiver for detections. Needs only the standard library."""
