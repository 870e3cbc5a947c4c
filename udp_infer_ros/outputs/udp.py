# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""UDP datagrams to unicast, broadcast and multicast addresses, IPv4 and IPv6."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import ipaddress
import logging
import socket
import struct
import threading
from typing import Any

from udp_infer_ros.errors import SettingError
from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.log import Throttle
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.base import Commit, nothing_to_commit
from udp_infer_ros.outputs.payload import encode
from udp_infer_ros.settings import Settings, UdpSettings
from udp_infer_ros.threads import BackgroundThread

RESOLVE_AGAIN_S = 30.0
"""Interval at which host names are resolved again, because their addresses may change."""
FIRST_RETRY_S = 1.0
"""Delay after a failure to resolve a name; it doubles up to RESOLVE_AGAIN_S."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A receiver with its address."""

    text: str
    """As in `udp.targets`."""
    family: socket.AddressFamily
    address: tuple[Any, ...]
    """The address for `sendto`."""
    named: bool
    """Whether the host is a name, not an address."""


def resolve_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """
    Resolve every receiver. Blocks until the name server answers.

    :param texts: host:port each, with an IPv6 address in brackets.
    :raises SettingError: if one is malformed or its host is unknown.
    """
    return tuple(resolve_target(text, texts) for text in texts)


def resolve_target(text: str, texts: Sequence[str]) -> Target:
    """
    Resolve one receiver. Blocks until the name server answers.

    :param text: host:port, with an IPv6 address in brackets.
    :param texts: all of `udp.targets`, for the text of the error.
    :raises SettingError: if it is malformed or its host is unknown.
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
            'udp.targets', list(texts), f'the host {host!r} is unknown ({error})',
            'check its spelling and the network, or give its address') from error
    family, _, _, _, address = found[0]
    return Target(text=text, family=family, address=address, named=not _is_address(host))


def check_interface(name: str) -> None:
    """
    Check that a network interface exists.

    :param name: e.g. eth0; empty is always accepted.
    :raises SettingError: if it does not exist.
    """
    known = [interface for _, interface in socket.if_nameindex()]
    if name and name not in known:
        raise SettingError(
            'udp.interface', name, 'must be a network interface of this machine, or empty',
            'use one of ' + ', '.join(known))


class UdpOutput:
    """
    Sends each Result to each target. It never blocks, and raises no network errors.

    A datagram that cannot be sent is counted and logged; the next one is sent as usual. Sockets,
    and so their source ports, are kept until `udp.interface` or `udp.multicast_ttl` changes.

    `write` and commits run in the worker, `prepare` and `health` in other threads. `_lock` guards
    the counters. `_settings` and `_resolver` are replaced, not modified.
    """

    name = 'udp'

    def __init__(self) -> None:
        self._settings = UdpSettings(targets=())
        self._resolver = Resolver(())
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}
        self._warnings = Throttle(period_s=10.0)
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._reported_errors: Counter[str] = Counter()

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return the receivers with their current addresses."""
        return self._resolver.targets

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """
        Resolve the new receivers.

        :raises SettingError: if one is malformed or unknown, or the interface does not exist.
        """
        new = settings.udp
        old = previous.udp if previous else UdpSettings(targets=())
        if previous and new == old:
            return nothing_to_commit
        if new.interface != old.interface:
            check_interface(new.interface)
        known = {target.text: target for target in self.targets if target.text in old.targets}
        targets = tuple(
            known.get(text) or resolve_target(text, new.targets) for text in new.targets)
        return lambda: self._apply(new, targets)

    def write(self, result: Result, image: BgrImage) -> None:
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

    def health(self) -> PartHealth:
        """Return WARN if datagrams to some targets failed since the last call, ERROR if to all."""
        settings = self._settings
        with self._lock:
            new_errors = self._errors - self._reported_errors
            self._reported_errors = self._errors.copy()
            values: dict[str, object] = {'payload': settings.payload}
            for target in settings.targets:
                values[f'sent {target}'] = self._sent[target]
                values[f'errors {target}'] = self._errors[target]
        failing = [target for target in settings.targets if new_errors[target]]
        level = Level.OK
        message = f'sending to {", ".join(settings.targets)}'
        if not settings.targets:
            message = 'off: udp.targets is empty'
        elif failing:
            level = Level.ERROR if len(failing) == len(settings.targets) else Level.WARN
            message = (
                f'cannot send to {", ".join(failing)}; check the network; sending resumes '
                'automatically')
        return PartHealth(name=self.name, level=level, message=message, values=values)

    def close(self) -> None:
        """Close the sockets and stop resolving names."""
        self._resolver.stop()
        self._close_sockets()

    def _apply(self, settings: UdpSettings, targets: tuple[Target, ...]) -> None:
        old, self._settings = self._settings, settings
        if (settings.interface, settings.multicast_ttl) != (old.interface, old.multicast_ttl):
            self._close_sockets()
        if settings.targets != old.targets:
            self._resolver.stop()
            self._resolver = Resolver(targets)

    def _close_sockets(self) -> None:
        while self._sockets:
            self._sockets.popitem()[1].close()

    def _send(self, datagram: bytes, target: Target) -> None:
        try:
            self._socket(target.family).sendto(datagram, target.address)
        except OSError as error:
            with self._lock:
                self._errors[target.text] += 1
            self._warnings.warning(
                log, target.text, 'udp.targets: a datagram of %d bytes to %s was not sent: %s',
                len(datagram), target.text, error)
            if self._settings.interface and not isinstance(error, BlockingIOError):
                # The socket refers to an interface that may have been removed and added again.
                self._close_sockets()
        else:
            with self._lock:
                self._sent[target.text] += 1

    def _socket(self, family: socket.AddressFamily) -> socket.socket:
        # Not connected: if no receiver listens, every other send on a connected socket fails.
        if family not in self._sockets:
            sender = socket.socket(family, socket.SOCK_DGRAM)
            try:
                self._configure(sender, family)
            except OSError:
                sender.close()
                raise
            self._sockets[family] = sender
            log.debug('opened a socket for %s', family.name)
        return self._sockets[family]

    def _configure(self, sender: socket.socket, family: socket.AddressFamily) -> None:
        # If the send buffer is full, drop the datagram instead of delaying the frame.
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
    Resolves host names again at intervals, in a thread.

    There is no thread if all receivers are given by address. Only the thread replaces `targets`.

    :param targets: the receivers, already resolved.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        _log_addresses(targets)
        self._stop = threading.Event()
        if any(target.named for target in targets):
            BackgroundThread(self._run, name='resolver').start()

    def stop(self) -> None:
        """End the thread. It may finish resolving a name first; the result is not used."""
        self._stop.set()

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        wait_s = RESOLVE_AGAIN_S
        while not self._stop.wait(wait_s):
            texts = [target.text for target in self.targets]
            try:
                before, self.targets = self.targets, tuple(
                    resolve_target(target.text, texts) if target.named else target
                    for target in self.targets)
                _log_addresses(target for target in self.targets if target not in before)
                retry_s, wait_s = FIRST_RETRY_S, RESOLVE_AGAIN_S
            except SettingError as error:
                # Keep the previous addresses.
                log.warning('%s', error)
                wait_s, retry_s = retry_s, min(retry_s * 2.0, RESOLVE_AGAIN_S)


def _log_addresses(targets: Iterable[Target]) -> None:
    for target in targets:
        log.debug('udp.targets: %s has the address %s', target.text, target.address[0])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition('%')[0])
    except ValueError:
        return False
    return True
