# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Outputs: the receivers of results, e.g. UDP datagrams."""
