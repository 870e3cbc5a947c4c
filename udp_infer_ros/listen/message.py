# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Parse datagrams of this node and of Roboflow's UdpStream and UDPSink; reassemble frames."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
import json
import math
from typing import Any

MAX_INCOMPLETE = 64
"""Incomplete frames that are kept; of more, the oldest is passed on without its missing parts."""
MAX_PARTS = 4096
"""More than any frame needs. Datagrams are not trusted, and could claim any number."""


class InvalidMessage(ValueError):
    """A datagram is not a message in a supported format."""


@dataclass(frozen=True, kw_only=True)
class ReceivedObject:
    """One detected object in a message."""

    label: str
    confidence: float
    x: float
    """Center of the box, px."""
    y: float
    """Center of the box, px."""
    width: float
    height: float
    tracker_id: int | None


@dataclass(frozen=True, kw_only=True)
class Message:
    """One frame, or one part of it."""

    sender: str
    """host:port"""
    received_s: float
    """Time of arrival, seconds since 1970."""
    text: str
    """The JSON text as received, on one line."""
    content: dict[str, Any]
    """The parsed JSON."""
    frame_id: int
    objects: tuple[ReceivedObject, ...]
    without_box: int
    """Number of elements without a finite box."""
    seq: int | None = None
    part: int = 0
    parts: int = 1
    age_s: float | None = None
    """Seconds from the stamp of the image to the arrival, if both clocks agree."""
    latency_ms: float | None = None
    source: str = ''

    @classmethod
    def parse(cls, data: bytes, sender: str, received_s: float) -> Message:
        """
        Parse a datagram, which may contain anything.

        :raises InvalidMessage: if it is not a message.
        """
        try:
            text = data.decode('utf-8')
            return cls._from_content(text, json.loads(text), sender, received_s)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
                RecursionError) as error:
            raise InvalidMessage(f'{len(data)} bytes, {type(error).__name__}') from error

    @classmethod
    def _from_content(
        cls, text: str, content: dict[str, Any], sender: str, received_s: float,
    ) -> Message:
        objects = [_parse_object(item) for item in content['predictions']]
        # UDPSink has the frame number in inference_metadata.
        parent = content if 'frame_id' in content else content['inference_metadata']
        message = cls(
            sender=sender, received_s=received_s, text=' '.join(text.splitlines()),
            content=content, frame_id=int(parent['frame_id']),
            objects=tuple(item for item in objects if item is not None),
            without_box=objects.count(None))
        extra = content.get('udp_infer')
        if extra is None:
            return message
        stamp, part, parts = extra['stamp'], int(extra['part']), int(extra['parts'])
        if not 0 <= part < parts <= MAX_PARTS:
            raise ValueError('part')
        return replace(
            message, seq=int(extra['seq']), part=part, parts=parts,
            age_s=received_s - int(stamp['sec']) - int(stamp['nanosec']) / 1e9,
            latency_ms=float(extra['latency_ms']['total']), source=str(extra['source']))


def _parse_object(item: dict[str, Any]) -> ReceivedObject | None:
    box = [item[key] for key in ('x', 'y', 'width', 'height', 'confidence')]
    # pydantic 2 writes NaN as null.
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in box):
        return None
    x, y, width, height, confidence = map(float, box)
    tracker_id = item.get('tracker_id')
    return ReceivedObject(
        # UdpStream before its release 0.8.1 sends class_name.
        label=str(item.get('class', item.get('class_name', '?'))), confidence=confidence, x=x,
        y=y, width=width, height=height,
        tracker_id=None if tracker_id is None else int(tracker_id))


class Reassembler:
    """Reassembles frames that were split into several datagrams."""

    def __init__(self) -> None:
        self._incomplete: OrderedDict[tuple[str, int], dict[int, Message]] = OrderedDict()

    def add(self, message: Message) -> list[Message]:
        """
        Add a datagram.

        :return: the frames that are complete now, and those that are no longer waited for.
        """
        if message.parts <= 1 or message.seq is None:
            return [message]
        key = (message.sender, message.seq)
        parts = self._incomplete.setdefault(key, {})
        parts[message.part] = message
        if len(parts) >= message.parts:
            return [_reassembled(self._incomplete.pop(key))]
        expired = []
        while len(self._incomplete) > MAX_INCOMPLETE:
            expired.append(_reassembled(self._incomplete.popitem(last=False)[1]))
        return expired

    def flush(self) -> list[Message]:
        """Return the frames that are still incomplete, and forget them."""
        frames = [_reassembled(parts) for parts in self._incomplete.values()]
        self._incomplete.clear()
        return frames


def _reassembled(parts: dict[int, Message]) -> Message:
    in_order = [parts[number] for number in sorted(parts)]
    return replace(
        in_order[0], objects=tuple(item for part in in_order for item in part.objects),
        without_box=sum(part.without_box for part in in_order))
