# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Which requests the page answers, and what it may load."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import quote, SplitResult, urlsplit


class Access:
    """
    The rules for requests to one server.

    DNS rebinding makes the name of a foreign page resolve to this server, so that the browser
    lets that page read the answers. Its requests have that name in Host. An address cannot be
    rebound.

    :param host: address or name that the server is bound to.
    :param background: URL of a picture that the page may load besides its own files.
    :raises ValueError: if the URL is refused.
    """

    def __init__(self, host: str, background: str | None) -> None:
        own = socket.gethostname().lower()
        self._names = {'localhost', own, f'{own}.local', host.lower()}
        self._picture = '' if background is None else _source_of(background)

    def is_allowed(self, host: str | None, origin: str | None) -> bool:
        """
        Return whether a request is from this server's own page, or from no page.

        :param host: the header Host.
        :param origin: the header Origin. Browsers send it with each WebSocket.
        """
        if host is None or not self._is_own(host):
            return False
        return origin is None or origin.lower() == f'http://{host.lower()}'

    def content_security_policy(self, host: str) -> str:
        """
        Return the policy of the page: only its own files, and the picture.

        :param host: the header Host, which is allowed. Older browsers do not include WebSockets
            in 'self'.
        """
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; "
            f"connect-src 'self' ws://{host}; img-src 'self' {self._picture}; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'")

    def _is_own(self, host: str) -> bool:
        match = re.fullmatch(r'(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::\d{1,5})?', host, re.ASCII)
        if match is None:
            return False
        name = match[1] or match[2]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self._names
        return True


def is_open_to_others(host: str) -> bool:
    """Return whether other machines can reach a server that is bound to an address."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != 'localhost'


def _source_of(url: str) -> str:
    """Return a URL as a source of a Content-Security-Policy, which has no query."""
    parts = _checked(url)
    return f'{parts.scheme}://{parts.netloc}{quote(parts.path, safe="/%:@!$&()*+=~-._")}'


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError('is not a URL; use http://HOST:PORT/PATH') from None
    if '@' in parts.netloc:
        raise ValueError('has a user or password, which the page would show; use a URL without')
    is_host = re.fullmatch(r'[\w.:\[\]-]+', parts.netloc, re.ASCII)
    if parts.scheme not in ('http', 'https') or not is_host or port == 0:
        raise ValueError('is not a URL that a browser can load; use http://HOST:PORT/PATH')
    return parts
