# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

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
