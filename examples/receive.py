# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Print what udp_infer sends. Needs nothing but Python; the port is the first argument."""

import json
import socket
import sys

receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(('', int(sys.argv[1]) if len(sys.argv) > 1 else 37020))
while True:
    message = json.loads(receiver.recv(65535))
    for found in message['predictions']:
        print(message['frame_id'], found['class'], found.get('tracker_id', '-'),
              found['x'], found['y'], found['width'], found['height'], flush=True)
