# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
A Result as JSON: schema 1, one object per datagram.

The top level is what Roboflow's UdpStream sends, so that its receivers go on working; what it
lacks (time stamps, sequence numbers, losses) stands in one more object, `udp_infer`. The format is
described by `payload.v1.schema.json` next to this package's modules.
"""

from __future__ import annotations

from functools import lru_cache
import json
from typing import Any
import uuid

from udp_infer_ros.frame import DetectedObject, NO_TRACK, Result

SCHEMA = 1
MAX_NAME_BYTES = 96
"""Longer names of sources, models and frames are shortened, so that any envelope fits 1024."""


def encode(
    result: Result, *, payload: str = 'full', max_bytes: int = 65507, overflow: str = 'split',
) -> list[bytes]:
    """
    Write a Result as datagrams.

    :param payload: full, or roboflow for exactly the keys of UdpStream.
    :param max_bytes: the largest datagram, at least 1024.
    :param overflow: what becomes of detections that do not fit the first datagram: split puts
        them into more datagrams, each complete by itself; truncate leaves them out and counts
        them in `udp_infer.truncated`.
    :return: UTF-8 texts; more than one only where one does not suffice.
    """
    roboflow = payload == 'roboflow'
    predictions = [_prediction(found, with_uuid=roboflow) for found in result.objects]
    head = (
        f'{{"frame_id":{result.frame.index},"image":{{"width":{result.frame.width},'
        f'"height":{result.frame.height}}},"predictions":[')
    tail = '' if roboflow else _full_tail(result)
    # The envelope is largest with the largest numbers that can stand in it.
    most = len(predictions)
    room = max_bytes - len(head.encode()) - len(
        _close(tail, part=most, parts=most, truncated=most).encode())
    groups, left_out = _fit(predictions, room)
    if overflow == 'truncate' and len(groups) > 1:
        left_out += sum(map(len, groups[1:]))
        groups = groups[:1]
    return [
        (head + ','.join(group)
         + _close(tail, part=part, parts=len(groups), truncated=left_out)).encode()
        for part, group in enumerate(groups)]


def _prediction(found: DetectedObject, *, with_uuid: bool) -> str:
    # Written by hand because it is all of the cost: json.dumps takes four times as long.
    # Every number is finite, and the repr of a finite float is JSON.
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


def _fit(predictions: list[str], room: int) -> tuple[list[list[str]], int]:
    """Put texts into as few groups as they fit in, in order; count those that fit in none."""
    groups: list[list[str]] = [[]]
    used = 0
    left_out = 0
    for text in predictions:
        size = len(text.encode()) + 1
        if size > room:
            left_out += 1
            continue
        if used + size > room:
            groups.append([])
            used = 0
        groups[-1].append(text)
        used += size
    return groups, left_out


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False, allow_nan=False)


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    # A lone surrogate in a label (bad metadata) cannot be UTF-8.
    return json.dumps(
        value.encode('utf-8', 'replace').decode('utf-8'), ensure_ascii=False)


def _shortened(name: str) -> str:
    """Keep the end of a long name, where paths differ."""
    data = name.encode('utf-8', 'replace')
    if len(data) <= MAX_NAME_BYTES:
        return data.decode('utf-8')
    return '…' + data[3 - MAX_NAME_BYTES:].decode('utf-8', 'ignore')
