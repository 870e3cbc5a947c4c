# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Parse datagrams of this node and of Roboflow's UdpStream and UDPSink; reassemble frames."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
import json
import math
from typing import Any

MAX_INCOMPLETE = 64
"""Incomplete frames that are kept; of more, the oldest is passed on without its missing parts."""
MAX_INCOMPLETE_BYTES = 4 << 20
"""Size of the datagrams of these frames. Their objects take up to eight times as much memory."""
MAX_PARTS = 4096
"""More than any frame needs. Datagrams are not trusted, and could claim any number."""
MAX_DEPTH = 32
"""Nested lists and objects in a message. Python can parse more of them than it can write."""
MAX_NUMBER = 2**63 - 1
"""Python neither adds up nor prints numbers of any size."""
MAX_TEXT = 200
"""Characters of a label or a source that are kept."""
MAX_STAGES = 16
"""Stages of the latency that are kept."""
MAX_SIDE = 65535
"""Side of an image, px."""


class InvalidMessage(ValueError):
    """A datagram is not a message in a supported format."""


@dataclass(frozen=True, kw_only=True, slots=True)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedFrame:
    """One frame, or one part of it."""

    sender: str
    """host:port"""
    received_s: float
    """Time of arrival, seconds since 1970."""
    frame_id: int
    objects: tuple[ReceivedObject, ...]
    without_box: int
    """Number of elements without a finite box."""
    seq: int | None = None
    age_s: float | None = None
    """Seconds from the stamp of the image to the arrival, if both clocks agree."""
    latency_ms: float | None = None
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    """Time of each stage; latency_ms is the total."""
    image_size: tuple[int, int] | None = None
    """Width and height, if the message has them."""
    source: str = ''
    complete: bool = True
    """False if parts are missing."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One datagram. Only its frame is kept, because the rest can take much more memory."""

    text: str
    """The JSON text on one line; unprintable characters are escaped."""
    content: dict[str, Any]
    """The parsed JSON."""
    size: int
    """Size of the datagram, bytes."""
    frame: ReceivedFrame
    part: int = 0
    parts: int = 1

    @classmethod
    def parse(cls, data: bytes, sender: str, received_s: float) -> Message:
        """
        Parse a datagram, which may contain anything.

        :raises InvalidMessage: if it is not a message.
        """
        try:
            text = data.decode('utf-8')
            content = json.loads(text)
            if _is_deeper(content, MAX_DEPTH):
                raise ValueError('depth')
            frame, part, parts = _parse_frame(content, sender, received_s)
            return cls(
                text=_one_line(text), content=content, size=len(data), frame=frame, part=part,
                parts=parts)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
                RecursionError) as error:
            raise InvalidMessage(f'{len(data)} bytes, {type(error).__name__}') from error


def _is_deeper(content: Any, levels: int) -> bool:
    """Return whether lists and objects are nested in more levels."""
    containers = [content]
    for _ in range(levels):
        containers = [
            value for container in containers
            for value in (container.values() if isinstance(container, dict) else container)
            if isinstance(value, (dict, list))]
        if not containers:
            return False
    return True


def _one_line(text: str) -> str:
    """Return JSON text of the same value on one line, without unprintable characters."""
    return text if text.isprintable() else ''.join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    # Between the values. Inside a string, these are always escaped.
    return ' ' if character in '\t\r\n' else json.dumps(character)[1:-1]


def _parse_frame(
    content: dict[str, Any], sender: str, received_s: float,
) -> tuple[ReceivedFrame, int, int]:
    """Return a frame, the number of this part of it, and the number of parts."""
    objects = [_parse_object(item) for item in content['predictions']]
    # UDPSink has the frame number in inference_metadata.
    parent = content if 'frame_id' in content else content['inference_metadata']
    frame = ReceivedFrame(
        sender=sender, received_s=received_s, frame_id=_integer(parent['frame_id']),
        objects=tuple(item for item in objects if item is not None),
        without_box=objects.count(None), image_size=_image_size(content.get('image')))
    extra = content.get('udp_infer')
    if extra is None:
        return frame, 0, 1
    stamp, part, parts = extra['stamp'], int(extra['part']), int(extra['parts'])
    if not 0 <= part < parts <= MAX_PARTS:
        raise ValueError('part')
    return replace(
        frame, seq=_integer(extra['seq']),
        age_s=received_s - int(stamp['sec']) - int(stamp['nanosec']) / 1e9,
        latency_ms=float(extra['latency_ms']['total']), stages_ms=_stages(extra['latency_ms']),
        source=str(extra['source'])[:MAX_TEXT]), part, parts


def _integer(value: Any) -> int:
    number = int(value)
    if abs(number) > MAX_NUMBER:
        raise ValueError('number')
    return number


def _image_size(image: Any) -> tuple[int, int] | None:
    if not isinstance(image, dict):
        return None
    sides = [image.get('width'), image.get('height')]
    width, height = [
        side if type(side) is int and 0 < side <= MAX_SIDE else None for side in sides]
    return None if width is None or height is None else (width, height)


def _stages(latency_ms: Mapping[str, Any]) -> dict[str, float]:
    stages = {
        name[:MAX_TEXT]: float(value) for name, value in latency_ms.items()
        if name != 'total' and isinstance(value, (int, float)) and math.isfinite(value)}
    return dict(islice(stages.items(), MAX_STAGES))


def _parse_object(item: dict[str, Any]) -> ReceivedObject | None:
    box = [item[key] for key in ('x', 'y', 'width', 'height', 'confidence')]
    # pydantic 2 writes NaN as null.
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in box):
        return None
    x, y, width, height, confidence = map(float, box)
    tracker_id = item.get('tracker_id')
    return ReceivedObject(
        # UdpStream before its release 0.8.1 sends class_name.
        label=str(item.get('class', item.get('class_name', '?')))[:MAX_TEXT],
        confidence=confidence, x=x, y=y, width=width, height=height,
        tracker_id=None if tracker_id is None else _integer(tracker_id))


@dataclass
class _Incomplete:
    parts: dict[int, ReceivedFrame] = field(default_factory=dict)
    size: int = 0
    """Size of the datagrams, bytes."""


class Reassembler:
    """Reassembles frames that were split into several datagrams."""

    def __init__(self) -> None:
        self._incomplete: OrderedDict[tuple[str, int], _Incomplete] = OrderedDict()
        self._size = 0

    def add(self, message: Message) -> list[ReceivedFrame]:
        """
        Add a datagram.

        :return: the frames that are complete now, and those that are no longer waited for.
        """
        frame = message.frame
        if message.parts <= 1 or frame.seq is None:
            return [frame]
        key = (frame.sender, frame.seq)
        waiting = self._incomplete.setdefault(key, _Incomplete())
        if message.part not in waiting.parts:
            waiting.parts[message.part] = frame
            waiting.size += message.size
            self._size += message.size
        if len(waiting.parts) >= message.parts:
            self._incomplete.pop(key)
            self._size -= waiting.size
            return [_reassembled(waiting, complete=True)]
        return self._expire(MAX_INCOMPLETE, MAX_INCOMPLETE_BYTES)

    def flush(self) -> list[ReceivedFrame]:
        """Return the frames that are still incomplete, and forget them."""
        return self._expire(0, 0)

    def _expire(self, max_frames: int, max_size: int) -> list[ReceivedFrame]:
        frames = []
        while len(self._incomplete) > max_frames or self._size > max_size:
            _, oldest = self._incomplete.popitem(last=False)
            self._size -= oldest.size
            frames.append(_reassembled(oldest, complete=False))
        return frames


def _reassembled(frame: _Incomplete, *, complete: bool) -> ReceivedFrame:
    in_order = [frame.parts[number] for number in sorted(frame.parts)]
    return replace(
        in_order[0], objects=tuple(item for part in in_order for item in part.objects),
        without_box=sum(part.without_box for part in in_order), complete=complete)
