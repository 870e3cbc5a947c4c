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

"""Datagrams to every receiver that was named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import logging
import socket
from typing import Any

from udp_infer_ros.errors import SettingError
from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.log import Throttle
from udp_infer_ros.outputs.payload import encode
from udp_infer_ros.settings import UdpSettings
from udp_infer_ros.stats import Stats

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """A receiver, its name resolved."""

    text: str
    """As in `udp.targets`."""
    family: socket.AddressFamily
    address: tuple[Any, ...]
    """What `sendto` takes."""


def resolve_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """
    Look up every receiver. May take as long as a name server takes.

    :param texts: host:port each; an IPv6 address stands in brackets.
    :raises SettingError: if one is malformed or its host is not known.
    """
    return tuple(_resolve(text, texts) for text in texts)


def _resolve(text: str, texts: Sequence[str]) -> Target:
    host, _, port = text.rpartition(':')
    host = host.removeprefix('[').removesuffix(']')
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    if not host or not 1 <= number <= 65535:
        raise SettingError(
            'udp.targets', list(texts), f'{text!r} must be host:port with a port from 1 to 65535',
            "write '192.168.1.7:37020', for example")
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise SettingError(
            'udp.targets', list(texts), f'the host {host!r} is not known ({error})',
            'check its spelling and the network, or write its address') from error
    family, _, _, _, address = found[0]
    return Target(text, family, address)


class UdpOutput:
    """
    Sends each Result to each target. Never waits, never raises because of the network.

    :param settings: `udp.*`.
    :param targets: the receivers, from `resolve_targets(settings.targets)`.
    :param stats: told of each datagram that could not be sent, by target.
    """

    name = 'udp'

    def __init__(
        self, settings: UdpSettings, targets: Sequence[Target], stats: Stats,
    ) -> None:
        self._stats = stats
        self._warnings = Throttle(period_s=10.0)
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}
        self.configure(settings, targets)

    def configure(self, settings: UdpSettings, targets: Sequence[Target]) -> None:
        """Take other receivers or another format. Not while another thread is in `tell`."""
        self._settings = settings
        self._targets = tuple(targets)

    def tell(self, result: Result, image: BgrImage) -> None:
        """Send a Result to every target."""
        if not self._targets:
            return
        settings = self._settings
        datagrams = encode(
            result, payload=settings.payload, max_bytes=settings.max_bytes,
            overflow=settings.overflow)
        for target in self._targets:
            for datagram in datagrams:
                self._send(datagram, target)

    def close(self) -> None:
        """Close the sockets; a later `tell` opens new ones."""
        while self._sockets:
            self._sockets.popitem()[1].close()

    def _send(self, datagram: bytes, target: Target) -> None:
        try:
            self._socket(target.family).sendto(datagram, target.address)
        except OSError as error:
            self._stats.error(f'udp {target.text}')
            self._warnings.warning(
                log, target.text, 'udp.targets: a datagram of %d bytes to %s was not sent: %s',
                len(datagram), target.text, error)

    def _socket(self, family: socket.AddressFamily) -> socket.socket:
        # Not connected: a connected socket reports the absence of a receiver by losing
        # every other datagram.
        if family not in self._sockets:
            sender = socket.socket(family, socket.SOCK_DGRAM)
            sender.setblocking(False)
            if family == socket.AF_INET:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._sockets[family] = sender
        return self._sockets[family]
