# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From a datagram to a message, whoever sent it: this node, or Roboflow's UdpStream or UDPSink."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
import json
import math
from typing import Any

MAX_UNJOINED = 64
"""Frames of which parts are missing that are remembered; older ones are shown as they are."""
MAX_PARTS = 4096
"""More than any frame needs; a stranger could claim any number."""


class NotAMessage(ValueError):
    """A datagram is not what this receiver understands."""


@dataclass(frozen=True)
class SeenObject:
    """One object as a datagram tells it."""

    label: str
    confidence: float
    x: float
    y: float
    width: float
    height: float
    tracker_id: int | None


@dataclass(frozen=True)
class Message:
    """One frame, or a part of one."""

    sender: str
    """host:port"""
    received_s: float
    """Seconds since 1970."""
    text: str
    """The JSON text as it came, on one line."""
    content: dict[str, Any]
    """What it says."""
    frame_id: int
    objects: tuple[SeenObject, ...]
    left_out: int
    """Elements that had no usable box."""
    seq: int | None = None
    part: int = 0
    parts: int = 1
    age_s: float | None = None
    """From the image's stamp to the arrival of the datagram, if both clocks agree."""
    latency_ms: float | None = None
    source: str = ''

    @classmethod
    def parse(cls, data: bytes, sender: str, received_s: float) -> Message:
        """
        Read a datagram. Nothing in it is trusted.

        :raises NotAMessage: if it is not a message.
        """
        try:
            text = data.decode('utf-8')
            return cls._read(text, json.loads(text), sender, received_s)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
                RecursionError) as error:
            raise NotAMessage(f'{len(data)} bytes, {type(error).__name__}') from error

    @classmethod
    def _read(
        cls, text: str, content: dict[str, Any], sender: str, received_s: float,
    ) -> Message:
        found = [_object(item) for item in content['predictions']]
        objects = tuple(item for item in found if item is not None)
        # UDPSink has the number in another place.
        place = content if 'frame_id' in content else content['inference_metadata']
        message = cls(
            sender, received_s, ' '.join(text.splitlines()), content, int(place['frame_id']),
            objects, len(found) - len(objects))
        about = content.get('udp_infer')
        if about is None:
            return message
        stamp, part, parts = about['stamp'], int(about['part']), int(about['parts'])
        if not 0 <= part < parts <= MAX_PARTS:
            raise ValueError('part')
        return replace(
            message, seq=int(about['seq']), part=part, parts=parts,
            age_s=received_s - int(stamp['sec']) - int(stamp['nanosec']) / 1e9,
            latency_ms=float(about['latency_ms']['total']), source=str(about['source']))


def _object(item: dict[str, Any]) -> SeenObject | None:
    box = [item[key] for key in ('x', 'y', 'width', 'height', 'confidence')]
    # null is how newer pydantic writes NaN.
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in box):
        return None
    x, y, width, height, confidence = map(float, box)
    tracker_id = item.get('tracker_id')
    # `class_name` is what UdpStream called it before its release 0.8.1.
    return SeenObject(
        str(item.get('class', item.get('class_name', '?'))), confidence, x, y, width, height,
        None if tracker_id is None else int(tracker_id))


class Joiner:
    """Puts frames together again that came in several datagrams."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, int], dict[int, Message]] = OrderedDict()

    def add(self, message: Message) -> list[Message]:
        """
        Take a datagram.

        :return: the frames that are complete now, and those that will never be.
        """
        if message.parts <= 1 or message.seq is None:
            return [message]
        key = (message.sender, message.seq)
        parts = self._waiting.setdefault(key, {})
        parts[message.part] = message
        if len(parts) >= message.parts:
            return [_joined(self._waiting.pop(key))]
        given_up = []
        while len(self._waiting) > MAX_UNJOINED:
            given_up.append(_joined(self._waiting.popitem(last=False)[1]))
        return given_up

    def rest(self) -> list[Message]:
        """Give what is still incomplete."""
        rest = [_joined(parts) for parts in self._waiting.values()]
        self._waiting.clear()
        return rest


def _joined(parts: dict[int, Message]) -> Message:
    in_order = [parts[number] for number in sorted(parts)]
    first = in_order[0]
    return replace(
        first, objects=tuple(item for part in in_order for item in part.objects),
        left_out=sum(part.left_out for part in in_order))
