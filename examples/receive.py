# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Print the detections that udp_infer sends. Needs only Python; usage: receive.py [PORT]."""

import json
import socket
import sys

receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(('', int(sys.argv[1]) if len(sys.argv) > 1 else 37020))
while True:
    message = json.loads(receiver.recv(65535))
    for item in message['predictions']:
        print(message['frame_id'], item['class'], item.get('tracker_id', '-'),
              item['x'], item['y'], item['width'], item['height'], flush=True)
