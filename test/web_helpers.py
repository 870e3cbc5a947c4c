# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The page of a listener, for tests."""

import json
import re

from helpers import wait_until


def url_of(listener):
    """Return the address of the page of a listener."""
    wait_until(lambda: 'page: ' in listener.stderr.read_text()
               or listener.process.poll() is not None)
    return re.search(r'page: (\S+)', listener.stderr.read_text())[1]


def datagram(seq=1, *, boxes=(), source='front', width=640, height=480, **more):
    """
    Return a datagram.

    :param boxes: rows of name, score, x, y, width, height, track number.
    """
    keys = ('class', 'confidence', 'x', 'y', 'width', 'height', 'tracker_id')
    return json.dumps({
        'frame_id': seq, 'image': {'width': width, 'height': height},
        'predictions': [{**dict(zip(keys, box)), 'class_id': 0} for box in boxes], 'time': 0.02,
        'udp_infer': {
            'schema': 1, 'seq': seq, 'part': 0, 'parts': 1, 'truncated': 0, 'source': source,
            'ros_frame': 'camera', 'stamp': {'sec': 1, 'nanosec': 0}, 'model': 'm', 'dropped': {},
            'latency_ms': {'inference': 15.0, 'track': 5.0, 'total': 20.0}, **more}}).encode()
