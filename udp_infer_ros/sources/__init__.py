# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Where frames come from, and the intake through which every frame reaches the worker."""
