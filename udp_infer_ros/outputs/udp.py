# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Datagrams to every receiver that was named: unicast, broadcast or multicast, IPv4 or IPv6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import ipaddress
import logging
import socket
import struct
import threading
from typing import Any

from udp_infer_ros.errors import SettingError
from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.log import Throttle
from udp_infer_ros.outputs.payload import encode
from udp_infer_ros.settings import UdpSettings
from udp_infer_ros.stats import Stats

RESOLVE_AGAIN_S = 30.0
"""A host name is looked up again so often: its machine may get another address."""
FIRST_RETRY_S = 1.0
"""After a failure it is looked up again after 1 s, 2 s, 4 s … 30 s."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """A receiver, its name resolved."""

    text: str
    """As in `udp.targets`."""
    family: socket.AddressFamily
    address: tuple[Any, ...]
    """What `sendto` takes."""
    named: bool
    """It was given by name, which may come to mean another address."""

    @property
    def multicast(self) -> bool:
        """Tell whether it is a group."""
        return ipaddress.ip_address(self.address[0].partition('%')[0]).is_multicast


def resolve_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """
    Look up every receiver. May take as long as a name server takes.

    :param texts: host:port each; an IPv6 address stands in brackets.
    :raises SettingError: if one is malformed or its host is not known.
    """
    return tuple(resolve_target(text, texts) for text in texts)


def resolve_target(text: str, texts: Sequence[str]) -> Target:
    """
    Look up one receiver.

    :param texts: all of `udp.targets`, for the error.
    :raises SettingError: if it is malformed or its host is not known.
    """
    host, _, port = text.rpartition(':')
    bracketed = host.startswith('[') and host.endswith(']')
    host = host[1:-1] if bracketed else host
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    if not host or not 1 <= number <= 65535 or (':' in host and not bracketed):
        raise SettingError(
            'udp.targets', list(texts), f'{text!r} must be host:port with a port from 1 to 65535',
            "write '192.168.1.7:37020' or '[fd00::7]:37020', for example")
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise SettingError(
            'udp.targets', list(texts), f'the host {host!r} is not known ({error})',
            'check its spelling and the network, or write its address') from error
    family, _, _, _, address = found[0]
    return Target(text, family, address, not _is_address(host))


def check_interface(name: str) -> None:
    """
    See whether a network interface exists.

    :raises SettingError: if it does not.
    """
    known = [interface for _, interface in socket.if_nameindex()]
    if name and name not in known:
        raise SettingError(
            'udp.interface', name, 'must be a network interface of this machine, or empty',
            'it has ' + ', '.join(known))


class UdpOutput:
    """
    Sends each Result to each target. Never waits, never raises because of the network.

    A datagram that the network refuses is counted and the next one is tried as if nothing had
    been, so that service resumes by itself.

    :param settings: `udp.*`.
    :param targets: the receivers, from `resolve_targets(settings.targets)`.
    :param stats: told of each datagram that was sent or could not be, by target.
    """

    name = 'udp'

    def __init__(
        self, settings: UdpSettings, targets: Sequence[Target], stats: Stats,
    ) -> None:
        self._stats = stats
        self._warnings = Throttle(period_s=10.0)
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}
        self._resolver: Resolver | None = None
        self.configure(settings, targets)

    def configure(self, settings: UdpSettings, targets: Sequence[Target]) -> None:
        """Take other receivers or another format. Not while another thread is in `tell`."""
        self.close()
        self._settings = settings
        self._resolver = Resolver(targets)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Give the receivers with the addresses that they have now."""
        return self._resolver.targets if self._resolver else ()

    def tell(self, result: Result, image: BgrImage) -> None:
        """Send a Result to every target."""
        targets = self.targets
        if not targets:
            return
        settings = self._settings
        datagrams = encode(
            result, payload=settings.payload, max_bytes=settings.max_bytes,
            overflow=settings.overflow)
        for target in targets:
            for datagram in datagrams:
                self._send(datagram, target)

    def close(self) -> None:
        """Close the sockets and end what runs in the background."""
        if self._resolver is not None:
            self._resolver.stop()
            self._resolver = None
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
            if not isinstance(error, BlockingIOError) and target.family in self._sockets:
                # An interface that goes and comes back is another one to an open socket.
                self._sockets.pop(target.family).close()
        else:
            self._stats.sent(target.text)

    def _socket(self, family: socket.AddressFamily) -> socket.socket:
        # Not connected: a connected socket reports the absence of a receiver by losing
        # every other datagram.
        if family not in self._sockets:
            sender = socket.socket(family, socket.SOCK_DGRAM)
            try:
                self._prepare(sender, family)
            except OSError:
                sender.close()
                raise
            self._sockets[family] = sender
        return self._sockets[family]

    def _prepare(self, sender: socket.socket, family: socket.AddressFamily) -> None:
        # A full buffer drops a datagram; it must not hold up a frame.
        sender.setblocking(False)
        ttl, interface = self._settings.multicast_ttl, self._settings.interface
        index = socket.if_nametoindex(interface) if interface else 0
        if family == socket.AF_INET:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
            if index:
                # struct ip_mreqn: group and local address unset, then the interface.
                mreqn = struct.pack('=4s4si', b'', b'', index)
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, mreqn)
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
            if index:
                sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)


class Resolver:
    """
    Keeps the addresses of receivers that were given by name up to date, in the background.

    There is no thread where all were given by address.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        self._stop = threading.Event()
        if any(target.named for target in targets):
            threading.Thread(target=self._run, name='udp_infer resolver', daemon=True).start()

    def stop(self) -> None:
        """End it; a look-up under way is left to itself."""
        self._stop.set()

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        wait_s = RESOLVE_AGAIN_S
        while not self._stop.wait(wait_s):
            texts = [target.text for target in self.targets]
            try:
                self.targets = tuple(
                    resolve_target(target.text, texts) if target.named else target
                    for target in self.targets)
                retry_s, wait_s = FIRST_RETRY_S, RESOLVE_AGAIN_S
            except SettingError as error:
                # The addresses known so far go on being used.
                log.warning('%s', error)
                wait_s, retry_s = retry_s, min(retry_s * 2.0, RESOLVE_AGAIN_S)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition('%')[0])
    except ValueError:
        return False
    return True
