# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""
udp_infer_listen: shows the datagrams that arrive. Needs no ROS.

Exit code 0 if at least one datagram with detections of a frame came, 1 if none came, 2 if it
could not listen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
import signal
import socket
import sys
import time
from typing import Any

from udp_infer_ros import __version__

DEFAULT_PORT = 37020
LARGEST_DATAGRAM = 65535
NOT_A_MESSAGE = (
    ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a datagram from a stranger may raise."""


def describe(message: dict[str, Any], sender: str) -> str:
    """
    Write a datagram as one line for people.

    :param message: the decoded JSON object.
    :param sender: who sent it, host:port.
    :raises LookupError, TypeError, ValueError: if it is not a message of this kind.
    """
    parts = [sender, f'frame {int(message["frame_id"])}']
    about = message.get('udp_infer')
    if about:
        parts.append(f'seq {int(about["seq"])}')
        if about['parts'] > 1:
            parts.append(f'part {about["part"] + 1}/{about["parts"]}')
        parts.append(f'{float(about["latency_ms"]["total"]):.1f} ms')
    predictions = message['predictions']
    parts.append(f'{len(predictions)} objects')
    return '  '.join(parts) + ''.join(f'  {_object(found)}' for found in predictions)


def _object(found: dict[str, Any]) -> str:
    # `class_name` is what UdpStream called it before its release 0.8.1.
    label = found.get('class', found.get('class_name', '?'))
    track = f'#{found["tracker_id"]}' if 'tracker_id' in found else ''
    x, y, width, height = (float(found[key]) for key in ('x', 'y', 'width', 'height'))
    return (
        f'[{label}{track} {float(found["confidence"]):.2f} at {x:.0f},{y:.0f} '
        f'{width:.0f}x{height:.0f}]')


def listen(
    receiver: socket.socket, *, as_json: bool, count: int | None, timeout_s: float | None,
) -> int:
    """
    Print what arrives until enough has come or nothing more comes.

    :param receiver: a bound UDP socket.
    :param as_json: print the text as it came instead of a readable line.
    :param count: datagrams after which to end; None for no end.
    :param timeout_s: end when nothing has come for so many seconds; None to wait for ever.
    :return: how many good datagrams came.
    """
    good = 0
    last_s = time.monotonic()
    try:
        while count is None or good < count:
            if timeout_s is not None:
                # What strangers send does not put the end off.
                receiver.settimeout(max(last_s + timeout_s - time.monotonic(), 1e-6))
            data, address = receiver.recvfrom(LARGEST_DATAGRAM)
            if line := _line(data, f'{address[0]}:{address[1]}'):
                good += 1
                print(data.decode() if as_json else _printable(line), flush=True)
                last_s = time.monotonic()
    except (TimeoutError, KeyboardInterrupt):
        pass  # Both are the ordinary end.
    return good


def _line(data: bytes, sender: str) -> str | None:
    try:
        return describe(json.loads(data.decode()), sender)
    except NOT_A_MESSAGE as error:
        print(f'{sender}: not a message of udp_infer or UdpStream ({len(data)} bytes, '
              f'{type(error).__name__})', file=sys.stderr)
        return None


def _printable(line: str) -> str:
    """Keep what a stranger sent from steering the terminal."""
    return ''.join(character if character.isprintable() else '?' for character in line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog='udp_infer_listen', description='Show the detections that arrive by UDP.')
    parser.add_argument('--port', type=int, default=DEFAULT_PORT, help='default %(default)s')
    parser.add_argument(
        '--host', default='0.0.0.0', help='address to listen on, default all of this machine')
    parser.add_argument('--json', action='store_true', help='print each datagram as it came')
    parser.add_argument('--count', type=_positive_int, help='end after so many datagrams')
    parser.add_argument(
        '--timeout', type=_positive_float, metavar='S', help='end after S seconds without any')
    parser.add_argument('--version', action='version', version=__version__)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    family = socket.AF_INET6 if ':' in options.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind((options.host, options.port))
        except (OSError, OverflowError) as error:
            print(f'--port = {options.port}: cannot listen there: {error}; is another listener '
                  f'running?', file=sys.stderr)
            return 2
        if not options.json:
            print(f'listening on {options.host}:{receiver.getsockname()[1]}', file=sys.stderr)
        good = listen(
            receiver, as_json=options.json, count=options.count, timeout_s=options.timeout)
    return 0 if good else 1


def _positive_int(text: str) -> int:
    return int(_positive_float(str(int(text))))


def _positive_float(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f'{text} must be more than 0')
    return value


if __name__ == '__main__':
    sys.exit(main())
