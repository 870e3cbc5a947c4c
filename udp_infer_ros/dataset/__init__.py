# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The command `udp_infer_dataset`, for datasets that were collected."""
