# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The page of udp_infer_listen --web. Only server.py imports aiohttp."""
