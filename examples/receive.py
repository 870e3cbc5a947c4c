# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Print the detections that udp_infer sends. Needs only Python; usage: receive.py [PORT]."""

import json
import signal
import socket
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the program quietly.
port = int(sys.argv[1]) if len(sys.argv) > 1 else 37020
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    receiver.bind(('', port))
except OSError as error:
    sys.exit(f'port {port}: {error}')
while True:
    message = json.loads(receiver.recv(65535))
    for item in message['predictions']:
        print(message['frame_id'], item['class'], item.get('tracker_id', '-'),
              item['x'], item['y'], item['width'], item['height'], flush=True)
