# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Tests with OpenVINO: `make test-openvino` runs them, no other command collects them."""

import os

collect_ignore_glob = [] if os.environ.get('UDP_INFER_OPENVINO') else ['test_*.py']
