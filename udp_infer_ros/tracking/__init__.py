# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Multi-object tracking: association, motion model and the ByteTrack algorithm."""
