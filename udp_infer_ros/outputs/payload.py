# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Encoding of a Result as JSON, schema 1, one object per datagram.

The top level has the keys of Roboflow's UdpStream, for compatibility with its receivers. Stamps,
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
"""Longer names of sources, models and frames are shortened, so that they fit in 1024 bytes."""


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
    :return: JSON in UTF-8 for each datagram; several only with split, if one is too small.
    """
    roboflow = payload == 'roboflow'
    predictions = [_prediction(item, with_uuid=roboflow) for item in result.objects]
    head = (
        f'{{"frame_id":{result.frame.index},"image":{{"width":{result.frame.width},'
        f'"height":{result.frame.height}}},"predictions":[')
    tail = '' if roboflow else _full_tail(result)
    # The number of parts is not known yet; reserve space for the largest one.
    largest = len(predictions)
    max_group_bytes = max_bytes - len(head.encode()) - len(
        _close(tail, part=largest, parts=largest, truncated=largest).encode())
    groups, truncated = _split(predictions, max_group_bytes)
    if overflow == 'truncate' and len(groups) > 1:
        truncated += sum(map(len, groups[1:]))
        groups = groups[:1]
    return [
        (head + ','.join(group)
         + _close(tail, part=part, parts=len(groups), truncated=truncated)).encode()
        for part, group in enumerate(groups)]


def to_json(result: Result, *, payload: Payload = 'full') -> str:
    """Encode a Result as one JSON object of any length, without a line break."""
    return encode(result, payload=payload, max_bytes=sys.maxsize)[0].decode()


def _prediction(item: DetectedObject, *, with_uuid: bool) -> str:
    # Formatted directly, because this is most of the encoding time and json.dumps takes four
    # times as long. Every number is finite, and the repr of a finite float is valid JSON.
    track = '' if item.track_id == NO_TRACK else f',"tracker_id":{item.track_id}'
    detection_id = f',"detection_id":"{uuid.uuid4()}"' if with_uuid else ''
    return (
        f'{{"x":{item.x!r},"y":{item.y!r},"width":{item.width!r},"height":{item.height!r},'
        f'"confidence":{item.score!r},"class":{_text(item.class_name)},'
        f'"class_id":{item.class_id}{track}{detection_id}}}')


def _full_tail(result: Result) -> str:
    sec, nanosec = divmod(result.frame.stamp_ns, 1_000_000_000)
    dropped = dict(result.dropped)
    if result.transport_lost is not None:
        dropped['transport'] = result.transport_lost
    metadata: dict[str, Any] = {
        'source': _shortened(result.frame.source),
        'ros_frame': _shortened(result.frame.frame_id),
        'stamp': {'sec': sec, 'nanosec': nanosec},
        'model': _shortened(result.model),
        'dropped': dropped,
        'latency_ms': {stage: round(ms, 3) for stage, ms in result.latency_ms.items()},
    }
    if result.camera_motion is not None:
        metadata['camera_motion'] = [round(value, 5) for value in result.camera_motion]
    total_s = round(result.latency_ms['total'] / 1e3, 6)
    return (
        f'],"time":{total_s!r},"udp_infer":{{"schema":{SCHEMA},"seq":{result.seq},'
        f'"part":%d,"parts":%d,"truncated":%d,'
        + _compact(metadata)[1:].replace('%', '%%') + '}')


def _close(tail: str, *, part: int, parts: int, truncated: int) -> str:
    return tail % (part, parts, truncated) if tail else ']}'


def _split(predictions: list[str], max_group_bytes: int) -> tuple[list[list[str]], int]:
    """Split texts into groups, in order; return them and the number of texts too long for one."""
    groups: list[list[str]] = [[]]
    group_bytes = 0
    too_long = 0
    for text in predictions:
        text_bytes = len(text.encode()) + 1
        if text_bytes > max_group_bytes:
            too_long += 1
            continue
        if group_bytes + text_bytes > max_group_bytes:
            groups.append([])
            group_bytes = 0
        groups[-1].append(text)
        group_bytes += text_bytes
    return groups, too_long


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False, allow_nan=False)


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    # A lone surrogate in a label (invalid metadata) cannot be encoded as UTF-8.
    return json.dumps(
        value.encode('utf-8', 'replace').decode('utf-8'), ensure_ascii=False)


@lru_cache(maxsize=256)
def _shortened(name: str) -> str:
    """Return a name, or its end if it is too long in JSON: paths differ at their end."""
    name = name.encode('utf-8', 'replace').decode('utf-8')
    text, start = name, max(0, len(name) - MAX_NAME_BYTES)
    while len(_text(text).encode()) - 2 > MAX_NAME_BYTES:
        text = '…' + name[start:]
        start += 1
    return text
