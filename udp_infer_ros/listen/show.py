# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What people see: a line a frame, or a live table."""

from __future__ import annotations

from collections.abc import Callable
import sys
import time
from typing import Any

from udp_infer_ros.listen.message import Message, SeenObject
from udp_infer_ros.listen.senders import Sender, Senders

REFRESH_S = 0.2
OBJECTS_SHOWN = 20

Show = Callable[[Message], None]


def line(message: Message) -> str:
    """Write a frame as one line."""
    words = [message.sender, f'frame {message.frame_id}']
    if message.seq is not None:
        words.append(f'seq {message.seq}')
    if message.latency_ms is not None:
        words.append(f'{message.latency_ms:.1f} ms')
    words.append(f'{len(message.objects)} objects')
    if message.left_out:
        words.append(f'{message.left_out} without a box')
    return printable('  '.join([*words, *map(_words, message.objects)]))


def _words(found: SeenObject) -> str:
    track = '' if found.tracker_id is None else f'#{found.tracker_id}'
    return (
        f'[{found.label}{track} {found.confidence:.2f} at {found.x:.0f},{found.y:.0f} '
        f'{found.width:.0f}x{found.height:.0f}]')


def printable(text: str) -> str:
    """Keep what a stranger sent from steering the terminal."""
    return ''.join(character if character.isprintable() else '?' for character in text)


def show_line(message: Message) -> None:
    """Print a frame as one line."""
    print(line(message), flush=True)


def show_json(message: Message) -> None:
    """Print a datagram's JSON as it came."""
    print(message.text, flush=True)


class Table:
    """
    A live table of senders and what they see, drawn with rich.

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
        """Take note of a frame; the table is drawn by itself."""

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.table import Table as RichTable
        table = RichTable('sender', 'source', 'frames', 'rate', 'age', 'lost', 'objects')
        seen = RichTable('sender', 'object', 'id', 'score', 'x', 'y', 'width', 'height')
        for sender in list(self._senders.by_name.values()):
            table.add_row(*_sender_row(sender))
            objects = sender.last.objects if sender.last else ()
            for found in objects[:OBJECTS_SHOWN]:
                seen.add_row(sender.name, *_object_row(found))
        note = (f'{self._senders.not_messages} datagrams were not messages'
                if self._senders.not_messages else '')
        return Group(table, seen, note)


def _sender_row(sender: Sender) -> list[str]:
    from rich.markup import escape
    message = sender.last
    assert message is not None
    silent_s = time.time() - message.received_s
    age = '' if message.age_s is None else f'{message.age_s * 1e3:.0f} ms'
    return [
        sender.name, escape(printable(message.source)), str(sender.frames),
        f'{sender.rate_hz:.1f} Hz' if silent_s < 2.0 else f'silent for {silent_s:.0f} s',
        age, str(sender.lost), str(len(message.objects))]


def _object_row(found: SeenObject) -> list[str]:
    from rich.markup import escape
    return [
        escape(printable(found.label)), '' if found.tracker_id is None else str(found.tracker_id),
        f'{found.confidence:.2f}', *(f'{value:.1f}' for value in (
            found.x, found.y, found.width, found.height))]


def summary(senders: Senders) -> None:
    """Print at the end what was received, for people."""
    for sender in senders.by_name.values():
        print(f'{sender.name}: {sender.frames} frames, {sender.lost} lost', file=sys.stderr)
    if senders.not_messages:
        print(f'{senders.not_messages} datagrams were not messages of udp_infer or UdpStream',
              file=sys.stderr)
