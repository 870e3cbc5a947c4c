# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Where results go: datagrams, drawings and whatever else implements `Output`."""
