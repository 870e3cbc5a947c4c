# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
udp_infer_listen: shows the detections that arrive by UDP. Needs no ROS.

Exit code 0 if something came, 1 if nothing came, 2 if it could not listen, 3 if --validate found
a message that is not as the schema says.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
import json
from pathlib import Path
import signal
import socket
import struct
import sys
import time
from typing import Any, IO

from udp_infer_ros import __version__
from udp_infer_ros.listen import show
from udp_infer_ros.listen.message import Joiner, Message, NotAMessage
from udp_infer_ros.listen.schema import faults, load_schema
from udp_infer_ros.listen.senders import Senders

DEFAULT_PORT = 37020
LARGEST_DATAGRAM = 65535
RECEIVE_BUFFER_BYTES = 4 << 20
NOTHING_CAME, CANNOT_LISTEN, NOT_VALID = 1, 2, 3

Datagram = tuple[bytes, str, float]
"""Data, sender, and when it came, seconds since 1970."""


class Listener:
    """What is done with every datagram."""

    def __init__(
        self, *, senders: Senders, shown: Callable[[Message], None], validate: bool,
        recording: IO[str] | None, join: bool, verbose: bool,
    ) -> None:
        self.frames = 0
        """Good ones, joined."""
        self.good_at_s = time.monotonic()
        """When the last good datagram came."""
        self.invalid = 0
        self._senders = senders
        self._shown = shown
        self._schema = load_schema() if validate else None
        self._recording = recording
        self._verbose = verbose
        self._joiner = Joiner() if join else None

    def take(self, data: bytes, sender: str, received_s: float) -> None:
        """Deal with one datagram, whatever is in it."""
        try:
            message = Message.parse(data, sender, received_s)
        except NotAMessage as error:
            self._senders.not_messages += 1
            if self._verbose:
                print(f'{sender}: not a message of udp_infer or UdpStream ({error})',
                      file=sys.stderr)
            return
        self.good_at_s = time.monotonic()
        if self._recording is not None:
            json.dump(
                {'received': received_s, 'sender': sender, 'message': message.content},
                self._recording, separators=(',', ':'))
            self._recording.write('\n')
        if self._schema is not None:
            self._check(message)
        for frame in self._joiner.add(message) if self._joiner else [message]:
            self._tell(frame)

    def finish(self) -> None:
        """Deal with the frames of which parts never came."""
        for frame in self._joiner.rest() if self._joiner else []:
            self._tell(frame)

    def _tell(self, frame: Message) -> None:
        self.frames += 1
        self._senders.add(frame)
        self._shown(frame)

    def _check(self, message: Message) -> None:
        assert self._schema is not None
        found = list(faults(message.content, self._schema))
        self.invalid += bool(found)
        for fault in found:
            print(show.printable(f'{message.sender}: {fault}'), file=sys.stderr)


def datagrams(receiver: socket.socket, left_s: Callable[[], float | None]) -> Iterator[Datagram]:
    """
    Give what arrives at a socket.

    :param left_s: how long to wait for the next one; it ends when that is over.
    """
    while True:
        wait_s = left_s()
        receiver.settimeout(None if wait_s is None else max(wait_s, 1e-6))
        try:
            data, address = receiver.recvfrom(LARGEST_DATAGRAM)
        except TimeoutError:
            return
        yield data, f'{address[0]}:{address[1]}', time.time()


def recorded(path: Path) -> Iterator[Datagram]:
    """
    Give what was recorded, at the pace at which it came.

    :raises ValueError: if a line is not one that --record wrote.
    """
    begin_s, first_s = time.monotonic(), None
    with path.open(encoding='utf-8') as file:
        for number, text in enumerate(file, 1):
            try:
                entry = json.loads(text)
                received_s, sender = float(entry['received']), str(entry['sender'])
                data = json.dumps(entry['message']).encode()
            except (ValueError, LookupError, TypeError) as error:
                raise ValueError(f'line {number} is not one that --record wrote') from error
            first_s = received_s if first_s is None else first_s
            time.sleep(max(0.0, received_s - first_s - (time.monotonic() - begin_s)))
            yield data, sender, received_s


def open_receiver(host: str, port: int, group: str | None) -> socket.socket:
    """
    Bind a socket, and join a multicast group if one is given.

    :raises OSError: if that cannot be.
    """
    version6 = ':' in (group or host)
    receiver = socket.socket(socket.AF_INET6 if version6 else socket.AF_INET, socket.SOCK_DGRAM)
    # A crowd comes in a burst of a hundred datagrams; the system gives what it allows.
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    try:
        if group is None:
            receiver.bind((host, port))
            return receiver
        # Several listeners may hear the same group.
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Bound to the group: what is sent to the same port otherwise is not meant.
        address: tuple[Any, ...] = socket.getaddrinfo(
            group, port, type=socket.SOCK_DGRAM)[0][4]
        receiver.bind(address)
        if version6:
            packed = socket.inet_pton(socket.AF_INET6, group.partition('%')[0])
            member = packed + struct.pack('=I', int(address[3]))
            receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
        else:
            member = socket.inet_aton(group) + socket.inet_aton(host)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except OSError:
        receiver.close()
        raise
    return receiver


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # A shell's background job ignores SIGINT.
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        try:
            recording = stack.enter_context(
                options.record.open('w', encoding='utf-8')) if options.record else None
            receiver = None if options.replay else stack.enter_context(
                open_receiver(options.host, options.port, options.multicast))
        except (OSError, OverflowError) as error:
            print(f'cannot listen on port {options.port}: {error}; is another listener running '
                  'there?' if not getattr(error, 'filename', None) else str(error),
                  file=sys.stderr)
            return CANNOT_LISTEN
        senders = Senders()
        shown, table = _display(options, senders)
        if table is not None:
            stack.enter_context(table)
        elif receiver is not None and not options.json:
            print(f'listening on {receiver.getsockname()[0]}:{receiver.getsockname()[1]}',
                  file=sys.stderr)
        listener = Listener(
            senders=senders, shown=shown, validate=options.validate, recording=recording,
            join=not options.json, verbose=table is None)
        try:
            _listen(listener, receiver, options)
        except ValueError as error:
            print(f'--replay = {options.replay}: {error}', file=sys.stderr)
            return CANNOT_LISTEN
        except KeyboardInterrupt:
            pass  # SIGINT and SIGTERM are an ordinary end.
    if not options.json:
        show.summary(senders)
    if listener.invalid:
        return NOT_VALID
    return 0 if listener.frames else NOTHING_CAME


def _listen(
    listener: Listener, receiver: socket.socket | None, options: argparse.Namespace,
) -> None:
    def left_s() -> float | None:
        # What strangers send does not put the end off.
        return None if options.timeout is None else (
            listener.good_at_s + options.timeout - time.monotonic())
    incoming = recorded(options.replay) if receiver is None else datagrams(receiver, left_s)
    for data, sender, received_s in incoming:
        listener.take(data, sender, received_s)
        if options.count is not None and listener.frames >= options.count:
            return
    listener.finish()


def _display(
    options: argparse.Namespace, senders: Senders,
) -> tuple[show.Show, show.Table | None]:
    if options.json:
        return show.show_json, None
    if sys.stdout.isatty() and not options.lines:
        try:
            table = show.Table(senders)
        except ImportError:
            print('for a live table: pip install rich', file=sys.stderr)
        else:
            return table.show, table
    return show.show_line, None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='udp_infer_listen', description='Show the detections that arrive by UDP: a live '
        'table in a terminal, else a line for each frame.')
    parser.add_argument('--port', type=int, default=DEFAULT_PORT, help='default %(default)s')
    parser.add_argument(
        '--host', default='0.0.0.0', help='address to listen on, default all of this machine')
    parser.add_argument(
        '--multicast', metavar='GROUP',
        help='join this multicast group, e.g. 239.7.7.7 or ff02::7:7%%eth0')
    parser.add_argument('--lines', action='store_true', help='lines in a terminal too')
    parser.add_argument('--json', action='store_true', help='print each datagram as it came')
    parser.add_argument('--count', type=_positive_int, help='end after so many frames')
    parser.add_argument(
        '--timeout', type=_positive_float, metavar='S', help='end after S seconds without any')
    parser.add_argument(
        '--validate', action='store_true', help='check against the schema; exit code 3 if not')
    parser.add_argument('--record', type=Path, metavar='FILE', help='write a JSONL file')
    parser.add_argument(
        '--replay', type=_existing_file, metavar='FILE', help='show what --record wrote')
    parser.add_argument('--version', action='version', version=__version__)
    return parser


def _positive_int(text: str) -> int:
    return int(_positive_float(str(int(text))))


def _positive_float(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f'{text} must be more than 0')
    return value


def _existing_file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f'{text} is not a file')
    return path
