# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Run udp_infer_listen as `python -m udp_infer_ros.listen`."""

import sys

from udp_infer_ros.listen.command import main

if __name__ == '__main__':
    sys.exit(main())
