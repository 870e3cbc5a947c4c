# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Recordings of messages: JSON Lines files, written by --record and read by --replay.

A line of --record is a message with the time of its arrival and its sender. A line may also be
just the message, as --json and examples/detect_video.py print it.
"""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import sys
import time
from typing import BinaryIO

from udp_infer_ros.listen.message import MAX_TEXT, Message
from udp_infer_ros.listen.show import printable

LINE_START = b'{"received":'
MESSAGE_START = b'{"frame_id":'
MAX_LINE_BYTES = 1 << 20
"""More than the line of any datagram."""
MAX_RECEIVED_S = 2.0**33
"""In the year 2242. time.sleep does not accept any number."""

Datagram = tuple[bytes, str, float]
"""Data, sender, and time of arrival, seconds since 1970."""


class Recording:
    """
    A new file, to which each message is written at once.

    :raises OSError: if the file exists already or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Exclusive, so that no recording is overwritten. Without a buffer, a listener that is
        # killed loses no message.
        self._file = path.open('xb', buffering=0)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, message: Message) -> None:
        """
        Write a message as one line.

        :raises OSError: if the disk is full, for example.
        """
        line = line_of(message)
        try:
            while line:
                line = line[self._file.write(line):]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error


def line_of(message: Message) -> bytes:
    """Return a message as a line of a recording, with its line break."""
    frame = message.frame
    return LINE_START + (
        f'{frame.received_s},"sender":{json.dumps(frame.sender)},"message":{message.text}}}\n'
    ).encode()


def replay(file: BinaryIO) -> Iterator[Datagram]:
    """
    Yield the datagrams of a recording at the pace at which they arrived.

    A torn last line, of a listener that was killed or of a full disk, is skipped with a warning.

    :raises ValueError: if a line is neither of --record nor a message.
    """
    start_s, first_s = time.monotonic(), None
    for _, (data, sender, received_s) in parse_lines(file):
        first_s = received_s if first_s is None else first_s
        time.sleep(max(0.0, received_s - first_s - (time.monotonic() - start_s)))
        yield data, sender, received_s


def parse_lines(file: BinaryIO) -> Iterator[tuple[int, Datagram]]:
    """
    Yield the datagrams of a recording, with the offset of each line in the file.

    A torn last line is skipped with a warning.

    :raises ValueError: if a line is neither of --record nor a message.
    """
    offset = 0
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b''), 1):
        try:
            datagram = parse_line(line, file.name)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
                RecursionError) as error:
            if isinstance(error, ValueError) and _is_torn(line):
                print(f'{file.name}: line {number} is incomplete; it is skipped', file=sys.stderr)
                return
            raise ValueError(
                f'line {number} is neither a line of --record nor a message') from error
        yield offset, datagram
        offset += len(line)


def parse_line(line: bytes, file_name: str) -> Datagram:
    """Parse a line; the errors of invalid ones are of several types."""
    entry = json.loads(line)
    if 'received' not in entry:
        # At the pace of the frames. Messages without a stamp follow each other at once.
        stamp = entry.get('udp_infer', {}).get('stamp', {})
        entry = {'received': stamp.get('sec', 0) + stamp.get('nanosec', 0) * 1e-9,
                 'sender': Path(file_name).name, 'message': entry}
        entry['message']['predictions']  # A KeyError means that it is no message.
    received_s = float(entry['received'])
    if not 0.0 <= received_s <= MAX_RECEIVED_S:
        raise ValueError('received')
    sender = printable(str(entry['sender']))[:MAX_TEXT]
    return json.dumps(entry['message']).encode(), sender, received_s


def _is_torn(line: bytes) -> bool:
    is_begun = any(line.startswith(start[:len(line)]) for start in (LINE_START, MESSAGE_START))
    return is_begun and not line.endswith(b'\n') and len(line) < MAX_LINE_BYTES
