# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
udp_infer_listen: show the detections that arrive by UDP. Needs no ROS.

Exit codes: 0 a message arrived, 1 none arrived, 2 cannot start, 3 --validate found a message that
does not conform to the schema, 4 the recording or the output cannot be written. A closed pipe, as
of `| head`, ends the command without an error.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path
import signal
import socket
import struct
import sys
import time
from typing import Any, BinaryIO

from udp_infer_ros import __version__
from udp_infer_ros.listen import show
from udp_infer_ros.listen.message import (
    InvalidMessage, Message, Reassembler, ReceivedFrame)
from udp_infer_ros.listen.recording import Datagram, Recording, replay
from udp_infer_ros.listen.schema import MessageValidator
from udp_infer_ros.listen.senders import Senders
from udp_infer_ros.listen.web.board import Board
from udp_infer_ros.listen.web.page import open_page, Page, PageError
from udp_infer_ros.standard_streams import discard_output, with_standard_streams

DEFAULT_PORT = 37020
DEFAULT_WEB_PORT = 8090
MAX_DATAGRAM_BYTES = 65535
RECEIVE_BUFFER_BYTES = 4 << 20
NO_MESSAGE, CANNOT_START, INVALID, CANNOT_WRITE = 1, 2, 3, 4
"""Exit codes."""
NO_MESSAGE_REMEDY = (
    'check --port and --host, udp.targets of the sender, that it processes images, and the '
    'firewall')
HINT_AFTER_S = 5.0
"""After this long without a message, a hint is printed, once."""
MAX_OPTION = 1e9
"""Of --count and --timeout: a timeout of a socket cannot be any number."""


class Listener:
    """
    The processing of datagrams: parse, record, validate, reassemble, print.

    :param senders: counts the frames.
    :param validator: checks each message, if given.
    :param recording: records each message, if given.
    :param as_json: whether the JSON of each datagram is printed, instead of a line per frame.
    :param verbose: whether frames and invalid datagrams are printed. A table shows them too.
    :param board: shows them on the page, if given.
    """

    def __init__(
        self, *, senders: Senders, validator: MessageValidator | None,
        recording: Recording | None, as_json: bool, verbose: bool,
        board: Board | None = None,
    ) -> None:
        self.frames = 0
        """Number of frames displayed."""
        self.last_message_s = time.monotonic()
        """Time of the last message, or of the start."""
        self.invalid = 0
        """Number of messages that do not conform to the schema."""
        self._senders = senders
        self._validator = validator
        self._recording = recording
        self._as_json = as_json
        self._verbose = verbose
        self._board = board
        self._reassembler = Reassembler()

    def receive(self, data: bytes, sender: str, received_s: float) -> None:
        """
        Process one datagram, which may contain anything.

        :raises OSError: if the recording or the output cannot be written.
        """
        try:
            message = Message.parse(data, sender, received_s)
        except InvalidMessage as error:
            self._senders.invalid += 1
            if self._verbose:
                print(f'{sender}: not a message of udp_infer or UdpStream ({error})',
                      file=sys.stderr)
            return
        self.last_message_s = time.monotonic()
        if self._recording is not None:
            self._recording.write(message)
        if self._board is not None:
            self._board.add_message(message)
        if self._validator is not None:
            self._validate(message, self._validator)
        if self._as_json:
            self.frames += 1
            print(message.text, flush=True)
            if self._board is None:
                return
        for frame in self._reassembler.add(message):
            self._show(frame)

    def flush(self) -> None:
        """Show the frames that are still incomplete."""
        for frame in self._reassembler.flush():
            self._show(frame)

    def forget(self) -> None:
        """Forget the senders and the incomplete frames: the position of a replay jumps."""
        self._senders.by_name.clear()
        self._reassembler = Reassembler()
        if self._board is not None:
            self._board.clear()

    def _show(self, frame: ReceivedFrame) -> None:
        self.frames += not self._as_json  # There, each datagram is counted.
        self._senders.add(frame)
        if self._board is not None:
            self._board.add_frame(frame)
        if self._verbose and not self._as_json:
            print(show.line(frame), flush=True)

    def _validate(self, message: Message, validator: MessageValidator) -> None:
        errors = list(validator.iter_errors(message.content))
        self.invalid += bool(errors)
        for error in errors:
            print(show.printable(f'{show.origin(message.frame)}: {error}'), file=sys.stderr)


def datagrams(
    receiver: socket.socket, silent_s: Callable[[], float], timeout_s: float | None,
    hint: Callable[[], None] | None,
) -> Iterator[Datagram]:
    """
    Yield the datagrams that arrive at a socket.

    :param silent_s: returns the time since the last message.
    :param timeout_s: ends after this long without a message; None: never.
    :param hint: called once after some seconds without a message; None: not called.
    """
    while timeout_s is None or silent_s() < timeout_s:
        limits_s = [timeout_s, HINT_AFTER_S if hint is not None else None]
        waits_s = [limit_s - silent_s() for limit_s in limits_s if limit_s is not None]
        receiver.settimeout(max(min(waits_s), 1e-6) if waits_s else None)
        try:
            data, address = receiver.recvfrom(MAX_DATAGRAM_BYTES)
        except TimeoutError:
            if hint is not None and silent_s() >= HINT_AFTER_S:
                hint()
                hint = None
            continue
        yield data, f'{address[0]}:{address[1]}', time.time()


def open_receiver(host: str, port: int, group: str | None) -> socket.socket:
    """
    Bind a socket, and join a multicast group if one is given.

    :raises OSError: if the address cannot be bound or the group cannot be joined.
    """
    is_ipv6 = ':' in (group or host)
    receiver = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    # A frame with many objects arrives as a burst of a hundred datagrams. The system limits this.
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    try:
        if group is None:
            receiver.bind((host, port))
        else:
            _join(receiver, host, port, group)
    except OSError:
        receiver.close()
        raise
    return receiver


def _join(receiver: socket.socket, host: str, port: int, group: str) -> None:
    # Several listeners can receive the same group.
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Bind to the group, so that unicast to this port is not received.
    address: tuple[Any, ...] = socket.getaddrinfo(group, port, type=socket.SOCK_DGRAM)[0][4]
    receiver.bind(address)
    if receiver.family == socket.AF_INET6:
        packed = socket.inet_pton(socket.AF_INET6, group.partition('%')[0])
        member = packed + struct.pack('=I', int(address[3]))
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    else:
        member = socket.inet_aton(group) + socket.inet_aton(host)
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)


@with_standard_streams(cannot_write=CANNOT_WRITE)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # Shells make background jobs ignore SIGINT.
        signal.signal(number, signal.default_int_handler)
    if isinstance(sys.stdout, TextIOWrapper):
        # JSON is UTF-8. In lines, characters that the terminal does not have are escaped.
        sys.stdout.reconfigure(
            encoding='utf-8' if options.json else None, errors='backslashreplace')
    senders = Senders()
    write_error = None
    with ExitStack() as stack:
        try:
            validator = MessageValidator() if options.validate else None
            source = _open_source(options)
            stack.callback(source.close)
            page = stack.enter_context(_open_page(options, source)) if options.web is not None \
                else None
            # Last, so that a listener that cannot start creates no file.
            recording = stack.enter_context(
                Recording(options.record)) if options.record else None
        except (PageError, ImportError, OSError, OverflowError, UnicodeError) as error:
            print(_start_error(error, options), file=sys.stderr)
            return CANNOT_START
        address = _address(source)
        table = _table(options, senders)
        if table is not None:
            stack.enter_context(table)
        elif isinstance(source, socket.socket) and not options.json:
            print(f'listening on {address}', file=sys.stderr)
        listener = Listener(
            senders=senders, validator=validator, recording=recording, as_json=options.json,
            verbose=options.lines or table is None and page is None,
            board=None if page is None else page.board)
        if page is not None and page.player is not None:
            page.player.on_move = listener.forget
        try:
            _listen(listener, source, options, table, page)
        except ValueError as error:
            print(f'--replay = {options.replay}: {error}', file=sys.stderr)
            return CANNOT_START
        except OSError as error:
            write_error = error
        except KeyboardInterrupt:
            pass  # SIGINT and SIGTERM end the command normally.
    if write_error is not None:
        _report_write_error(write_error)
    if not options.json:
        show.summary(senders)
    if write_error is not None and not isinstance(write_error, BrokenPipeError):
        return CANNOT_WRITE
    if listener.invalid:
        return INVALID
    if not listener.frames:
        print(f'no message arrived on {address}; {NO_MESSAGE_REMEDY}'
              if options.replay is None else f'{address} has no message', file=sys.stderr)
        return NO_MESSAGE
    return 0


def _open_page(options: argparse.Namespace, source: socket.socket | BinaryIO) -> Page:
    """Open the page, and print its address."""
    page = open_page(
        options.host or '127.0.0.1', options.web, options.background,
        None if isinstance(source, socket.socket) else source)
    print(f'page: {page.url}', file=sys.stderr)
    if page.is_open_to_others:
        print(f'--host = {options.host}: other machines can open the page, without a password',
              file=sys.stderr)
    return page


def _open_source(options: argparse.Namespace) -> socket.socket | BinaryIO:
    """Open the recording to replay, or the socket to receive from."""
    if options.replay is None:
        return open_receiver(options.host or '0.0.0.0', options.port, options.multicast)
    recording: BinaryIO = options.replay.open('rb')
    return recording


def _start_error(error: Exception, options: argparse.Namespace) -> str:
    """Return why the command cannot start, as one sentence."""
    if isinstance(error, PageError):
        return str(error)
    if isinstance(error, ImportError) and (error.name or '').startswith('aiohttp'):
        return '--web needs aiohttp: pip install aiohttp, or apt install python3-aiohttp'
    if isinstance(error, ImportError):
        return ('--validate needs jsonschema: pip install jsonschema, or '
                'apt install python3-jsonschema')
    if isinstance(error, FileExistsError):
        return f'--record = {options.record}: the file exists already; record to a new file'
    if getattr(error, 'filename', None):
        return str(error)
    return f'cannot listen on port {options.port}: {error}; is another listener running there?'


def _address(source: socket.socket | BinaryIO) -> str:
    """Return where messages come from."""
    if not isinstance(source, socket.socket):
        return source.name
    host, port = source.getsockname()[:2]
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


def _report_write_error(error: OSError) -> None:
    if error.filename is not None:
        print(f'--record = {error.filename}: {error.strerror}; free space and record to a new '
              'file', file=sys.stderr)
        return
    if not isinstance(error, BrokenPipeError):
        print(f'cannot write to standard output: {error.strerror}', file=sys.stderr)
    discard_output()


def _listen(
    listener: Listener, source: socket.socket | BinaryIO, options: argparse.Namespace,
    table: show.Table | None, page: Page | None,
) -> None:
    def silent_s() -> float:
        # Invalid datagrams do not extend the timeout.
        return time.monotonic() - listener.last_message_s

    def hint() -> None:
        print(f'no message for {HINT_AFTER_S:.0f} s on {_address(source)}; {NO_MESSAGE_REMEDY}',
              file=sys.stderr)
    incoming: Iterable[Datagram]
    if isinstance(source, socket.socket):
        incoming = datagrams(source, silent_s, options.timeout, hint if table is None else None)
    elif page is not None and page.player is not None:
        incoming = page.player
    else:
        incoming = replay(source)
    for data, sender, received_s in incoming:
        listener.receive(data, sender, received_s)
        if table is not None:
            table.check()
        if options.count is not None and listener.frames >= options.count:
            return
    listener.flush()


def _table(options: argparse.Namespace, senders: Senders) -> show.Table | None:
    if options.json or options.lines or options.web is not None or not show.can_show_table():
        return None
    try:
        return show.Table(senders)
    except ImportError:
        print('for a live table: pip install rich', file=sys.stderr)
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='udp_infer_listen', description='Show the detections that arrive by UDP: as a live '
        'table in a terminal, otherwise one line per frame.',
        epilog=(__doc__ or '').rpartition('\n\n')[2])
    parser.add_argument(
        '--port', type=int, default=DEFAULT_PORT, help='UDP port, default %(default)s')
    parser.add_argument(
        '--host', help='local address to bind, default all interfaces; the page of --web is on '
        '127.0.0.1 by default, and 0.0.0.0 opens it to others')
    parser.add_argument(
        '--multicast', metavar='GROUP',
        help='join this multicast group, e.g. 239.7.7.7 or ff02::7:7%%eth0')
    parser.add_argument('--lines', action='store_true', help='print lines in a terminal too')
    parser.add_argument(
        '--json', action='store_true',
        help='print the JSON of each datagram, with unprintable characters escaped')
    parser.add_argument('--count', type=_positive_int, help='exit after this many frames')
    parser.add_argument(
        '--timeout', type=_positive_float, metavar='S',
        help='exit after S seconds without a message')
    parser.add_argument(
        '--validate', action='store_true',
        help='check messages against the schema (needs jsonschema); exit code 3 on an error')
    parser.add_argument(
        '--record', type=Path, metavar='FILE',
        help='record messages to a new JSON Lines file; an existing file is refused')
    parser.add_argument(
        '--replay', type=_existing_file, metavar='FILE', help='show the messages of a recording')
    parser.add_argument(
        '--web', nargs='?', type=_port, const=DEFAULT_WEB_PORT, metavar='PORT',
        help=f'show a page for a browser, default port {DEFAULT_WEB_PORT} (needs aiohttp)')
    parser.add_argument(
        '--background', metavar='URL', help='an MJPEG stream or picture behind the boxes of --web')
    parser.add_argument('--version', action='version', version=__version__)
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f'{text[:20]} must be at most 65535')
    return port


def _positive_int(text: str) -> int:
    return int(_positive_float(str(int(text))))


def _positive_float(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= MAX_OPTION:
        raise argparse.ArgumentTypeError(
            f'{text[:20]} must be more than 0 and at most {MAX_OPTION:.0f}')
    return value


def _existing_file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f'{text} is not a file')
    return path
