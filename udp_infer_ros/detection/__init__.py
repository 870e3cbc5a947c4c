# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From pixels to boxes: preprocessing, inference, decoding and non-maximum suppression."""
