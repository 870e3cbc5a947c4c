# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Output of the listener: one line per frame, or a live table."""

from __future__ import annotations

from collections.abc import Callable
import errno
import os
import shutil
import sys
import time
from typing import Any, cast, IO

from udp_infer_ros.listen.message import ReceivedFrame, ReceivedObject
from udp_infer_ros.listen.senders import Sender, Senders

REFRESH_S = 0.2
IDLE_AFTER_S = 2.0
"""After this long without a frame, the table shows the time instead of the rate."""
MIN_COLUMNS, MIN_ROWS = 72, 10
"""Of a terminal for a table."""


def origin(frame: ReceivedFrame) -> str:
    """Return the sender of a frame, and its camera if the message names it."""
    return f'{frame.sender}  {frame.source}' if frame.source else frame.sender


def line(frame: ReceivedFrame) -> str:
    """Return one frame as one line."""
    words = [origin(frame), f'frame {frame.frame_id}']
    if frame.seq is not None:
        words.append(f'seq {frame.seq}')
    if frame.latency_ms is not None:
        words.append(f'{frame.latency_ms:.1f} ms')
    words.append(_count(len(frame.objects), 'object'))
    if frame.without_box:
        words.append(f'{frame.without_box} without a box')
    return printable('  '.join([*words, *map(_object, frame.objects)]))


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def _object(item: ReceivedObject) -> str:
    track = '' if item.tracker_id is None else f'#{item.tracker_id}'
    return (
        f'[{item.label}{track} {item.confidence:.2f} at {item.x:.0f},{item.y:.0f} '
        f'{item.width:.0f}x{item.height:.0f}]')


def printable(text: str) -> str:
    """Replace unprintable characters, so that a sender cannot control the terminal."""
    if text.isprintable():
        return text
    return ''.join(character if character.isprintable() else '?' for character in text)


def can_show_table() -> bool:
    """Return whether standard output is a terminal that can move its cursor and is not tiny."""
    size = shutil.get_terminal_size()
    return (
        sys.stdout.isatty() and os.environ.get('TERM', '') not in ('', 'dumb', 'unknown')
        and size.columns >= MIN_COLUMNS and size.lines >= MIN_ROWS)


class _Terminal:
    """
    Standard output for rich, which writes to it in a thread of its own.

    It keeps the first error instead of raising it there: a terminal may be closed at any time.
    """

    def __init__(self) -> None:
        self._file = sys.stdout
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, unless an earlier one could not be written."""
        self._try(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._try(self._file.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _try(self, action: Callable[[], object]) -> None:
        if self.error is None:
            try:
                action()
            except OSError as error:
                self.error = error


class Table:
    """
    A live table of senders and their latest objects, drawn with rich.

    :raises ImportError: if rich is not installed.
    """

    def __init__(self, senders: Senders) -> None:
        from rich.console import Console
        from rich.live import Live
        self._senders = senders
        self._terminal = _Terminal()
        self._live = Live(
            # Labels are not markup.
            console=Console(
                file=cast(IO[str], self._terminal), markup=False, emoji=False, highlight=False),
            refresh_per_second=1 / REFRESH_S, get_renderable=self._draw)

    def __enter__(self) -> Table:
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def check(self) -> None:
        """
        Check that the terminal is still open; rich then writes nothing, without an error.

        :raises OSError: if it is not.
        """
        if self._terminal.error is not None:
            raise self._terminal.error
        if not self._terminal.isatty():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _draw(self) -> Any:
        """Draw the table, in rich's thread."""
        from rich.console import Group
        from rich.table import Table as RichTable
        senders = RichTable('sender', 'source', 'frames', 'rate', 'age', 'lost', 'objects')
        objects = RichTable('source', 'object', 'id', 'score', 'x', 'y', 'width', 'height')
        for sender in list(self._senders.by_name.values()):
            frame = sender.last
            if frame is None:
                continue  # Its first frame is being added in the other thread.
            senders.add_row(*_sender_row(sender, frame))
            for item in frame.objects:
                objects.add_row(printable(sender.source) or sender.name, *_object_row(item))
        return Group(senders, objects, _invalid_note(self._senders))


def _sender_row(sender: Sender, frame: ReceivedFrame) -> list[str]:
    idle_s = time.time() - frame.received_s
    age = '' if frame.age_s is None else f'{frame.age_s * 1e3:.0f} ms'
    return [
        sender.name, printable(sender.source), str(sender.frames),
        f'{sender.rate_hz:.1f} Hz' if idle_s < IDLE_AFTER_S else f'silent for {idle_s:.0f} s',
        age, str(sender.lost), str(sender.last_objects)]


def _object_row(item: ReceivedObject) -> list[str]:
    return [
        printable(item.label), '' if item.tracker_id is None else str(item.tracker_id),
        f'{item.confidence:.2f}', *(f'{value:.1f}' for value in (
            item.x, item.y, item.width, item.height))]


def summary(senders: Senders) -> None:
    """Print to stderr what was received from each sender."""
    for sender in senders.by_name.values():
        incomplete = f', {sender.incomplete} incomplete' if sender.incomplete else ''
        name = f'{sender.name}  {sender.source}' if sender.source else sender.name
        print(f'{printable(name)}: {_count(sender.frames, "frame")}, {sender.lost} lost'
              f'{incomplete}', file=sys.stderr)
    if senders.invalid:
        print(_invalid_note(senders), file=sys.stderr)


def _invalid_note(senders: Senders) -> str:
    """Return how many datagrams were invalid; empty if none was."""
    if not senders.invalid:
        return ''
    return f'{_count(senders.invalid, "datagram")} not from udp_infer or UdpStream'
