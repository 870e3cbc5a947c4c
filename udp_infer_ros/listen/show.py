# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Output of the listener: one line per frame, or a live table."""

from __future__ import annotations

from collections.abc import Callable
import sys
import time
from typing import Any

from udp_infer_ros.listen.message import Message, ReceivedObject
from udp_infer_ros.listen.senders import Sender, Senders

REFRESH_S = 0.2
MAX_TABLE_OBJECTS = 20
"""Objects of each sender in the table."""
IDLE_AFTER_S = 2.0
"""After this long without a frame, the table shows the time instead of the rate."""

Display = Callable[[Message], None]


def line(message: Message) -> str:
    """Return one frame as one line."""
    words = [message.sender, f'frame {message.frame_id}']
    if message.seq is not None:
        words.append(f'seq {message.seq}')
    if message.latency_ms is not None:
        words.append(f'{message.latency_ms:.1f} ms')
    words.append(_count(len(message.objects), 'object'))
    if message.without_box:
        words.append(f'{message.without_box} without a box')
    return printable('  '.join([*words, *map(_object, message.objects)]))


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def _object(item: ReceivedObject) -> str:
    track = '' if item.tracker_id is None else f'#{item.tracker_id}'
    return (
        f'[{item.label}{track} {item.confidence:.2f} at {item.x:.0f},{item.y:.0f} '
        f'{item.width:.0f}x{item.height:.0f}]')


def printable(text: str) -> str:
    """Replace unprintable characters, so that a sender cannot control the terminal."""
    return ''.join(character if character.isprintable() else '?' for character in text)


def show_line(message: Message) -> None:
    """Print one frame as one line."""
    print(line(message), flush=True)


def show_json(message: Message) -> None:
    """Print the JSON of a datagram unchanged."""
    print(message.text, flush=True)


class Table:
    """
    A live table of senders and their latest objects, drawn with rich.

    :raises ImportError: if rich is not installed.
    """

    def __init__(self, senders: Senders) -> None:
        from rich.live import Live
        self._senders = senders
        self._live = Live(refresh_per_second=1 / REFRESH_S, get_renderable=self._draw)

    def __enter__(self) -> Table:
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def show(self, message: Message) -> None:
        """Do nothing: the table is redrawn periodically from the senders."""

    def _draw(self) -> Any:
        """Draw the table, in rich's thread."""
        from rich.console import Group
        from rich.table import Table as RichTable
        senders = RichTable('sender', 'source', 'frames', 'rate', 'age', 'lost', 'objects')
        objects = RichTable('sender', 'object', 'id', 'score', 'x', 'y', 'width', 'height')
        for sender in list(self._senders.by_name.values()):
            message = sender.last
            if message is None:
                continue  # Its first message is being added in the other thread.
            senders.add_row(*_sender_row(sender, message))
            for item in message.objects[:MAX_TABLE_OBJECTS]:
                objects.add_row(sender.name, *_object_row(item))
        return Group(senders, objects, _invalid_note(self._senders))


def _sender_row(sender: Sender, message: Message) -> list[str]:
    from rich.markup import escape
    idle_s = time.time() - message.received_s
    age = '' if message.age_s is None else f'{message.age_s * 1e3:.0f} ms'
    return [
        sender.name, escape(printable(message.source)), str(sender.frames),
        f'{sender.rate_hz:.1f} Hz' if idle_s < IDLE_AFTER_S else f'silent for {idle_s:.0f} s',
        age, str(sender.lost), str(len(message.objects))]


def _object_row(item: ReceivedObject) -> list[str]:
    from rich.markup import escape
    return [
        escape(printable(item.label)), '' if item.tracker_id is None else str(item.tracker_id),
        f'{item.confidence:.2f}', *(f'{value:.1f}' for value in (
            item.x, item.y, item.width, item.height))]


def summary(senders: Senders) -> None:
    """Print to stderr what was received from each sender."""
    for sender in senders.by_name.values():
        print(f'{sender.name}: {_count(sender.frames, "frame")}, {sender.lost} lost',
              file=sys.stderr)
    if senders.invalid:
        print(_invalid_note(senders), file=sys.stderr)


def _invalid_note(senders: Senders) -> str:
    """Return how many datagrams were invalid; empty if none was."""
    if not senders.invalid:
        return ''
    return f'{_count(senders.invalid, "datagram")} not from udp_infer or UdpStream'
