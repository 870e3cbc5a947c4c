# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Encoding of a Result as JSON, schema 1, one object per datagram.

The top level has the keys of Roboflow's UdpStream, so that its receivers keep working. Stamps,
sequence numbers and dropped frames are in one additional object, `udp_infer`. The format is
specified by `payload.v1.schema.json` in this package.
"""

from __future__ import annotations

from functools import lru_cache
import json
import sys
from typing import Any
import uuid

from udp_infer_ros.frame import DetectedObject, NO_TRACK, Result
from udp_infer_ros.settings import Overflow, Payload

SCHEMA = 1
MAX_NAME_BYTES = 96
"""Longer names of sources, models and frames are shortened, so that 1024 bytes always suffice."""


def encode(
    result: Result, *, payload: Payload = 'full', max_bytes: int = 65507,
    overflow: Overflow = 'split',
) -> list[bytes]:
    """
    Encode a Result as datagrams.

    :param payload: full, or roboflow for exactly the keys of UdpStream.
    :param max_bytes: size of the largest datagram, at least 1024.
    :param overflow: split: put detections that do not fit into further datagrams, each complete
        by itself. truncate: leave them out and count them in `udp_infer.truncated`.
    :return: UTF-8 texts; more than one only if one does not suffice.
    """
    roboflow = payload == 'roboflow'
    predictions = [_prediction(found, with_uuid=roboflow) for found in result.objects]
    head = (
        f'{{"frame_id":{result.frame.index},"image":{{"width":{result.frame.width},'
        f'"height":{result.frame.height}}},"predictions":[')
    tail = '' if roboflow else _full_tail(result)
    # The part numbers are not known yet; reserve space for the largest possible ones.
    most = len(predictions)
    space = max_bytes - len(head.encode()) - len(
        _close(tail, part=most, parts=most, truncated=most).encode())
    groups, left_out = _fit(predictions, space)
    if overflow == 'truncate' and len(groups) > 1:
        left_out += sum(map(len, groups[1:]))
        groups = groups[:1]
    return [
        (head + ','.join(group)
         + _close(tail, part=part, parts=len(groups), truncated=left_out)).encode()
        for part, group in enumerate(groups)]


def to_json(result: Result, *, payload: Payload = 'full') -> str:
    """Encode a Result as one JSON object on one line, however long, without a line break."""
    return encode(result, payload=payload, max_bytes=sys.maxsize)[0].decode()


def _prediction(found: DetectedObject, *, with_uuid: bool) -> str:
    # Formatted by hand: json.dumps takes four times as long, and this is nearly all of the cost.
    # Every number is finite, and the repr of a finite float is valid JSON.
    track = '' if found.track_id == NO_TRACK else f',"tracker_id":{found.track_id}'
    unique = f',"detection_id":"{uuid.uuid4()}"' if with_uuid else ''
    return (
        f'{{"x":{found.x!r},"y":{found.y!r},"width":{found.width!r},"height":{found.height!r},'
        f'"confidence":{found.score!r},"class":{_text(found.class_name)},'
        f'"class_id":{found.class_id}{track}{unique}}}')


def _full_tail(result: Result) -> str:
    sec, nanosec = divmod(result.frame.stamp_ns, 1_000_000_000)
    about: dict[str, Any] = {
        'source': _shortened(result.frame.source),
        'ros_frame': _shortened(result.frame.frame_id),
        'stamp': {'sec': sec, 'nanosec': nanosec},
        'model': _shortened(result.model),
        'dropped': dict(result.dropped),
        'latency_ms': {stage: round(ms, 3) for stage, ms in result.latency_ms.items()},
    }
    seconds = round(result.latency_ms['total'] / 1e3, 6)
    return (
        f'],"time":{seconds!r},"udp_infer":{{"schema":{SCHEMA},"seq":{result.seq},'
        f'"part":%d,"parts":%d,"truncated":%d,'
        + _compact(about)[1:].replace('%', '%%') + '}')


def _close(tail: str, *, part: int, parts: int, truncated: int) -> str:
    return tail % (part, parts, truncated) if tail else ']}'


def _fit(predictions: list[str], space: int) -> tuple[list[list[str]], int]:
    """Split texts into as few groups as possible, in order; count those that fit in none."""
    groups: list[list[str]] = [[]]
    used = 0
    left_out = 0
    for text in predictions:
        size = len(text.encode()) + 1
        if size > space:
            left_out += 1
            continue
        if used + size > space:
            groups.append([])
            used = 0
        groups[-1].append(text)
        used += size
    return groups, left_out


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False, allow_nan=False)


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    # A lone surrogate in a label (invalid metadata) cannot be encoded as UTF-8.
    return json.dumps(
        value.encode('utf-8', 'replace').decode('utf-8'), ensure_ascii=False)


def _shortened(name: str) -> str:
    """Shorten a long name to its end, where paths differ."""
    data = name.encode('utf-8', 'replace')
    if len(data) <= MAX_NAME_BYTES:
        return data.decode('utf-8')
    return '…' + data[3 - MAX_NAME_BYTES:].decode('utf-8', 'ignore')
