# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Open the page: its state, its server, and the player of a recording."""

from __future__ import annotations

from dataclasses import dataclass
import re
import time
from typing import BinaryIO, TYPE_CHECKING

from udp_infer_ros.listen.player import Player
from udp_infer_ros.listen.web.access import is_open_to_others
from udp_infer_ros.listen.web.board import Board

if TYPE_CHECKING:
    from udp_infer_ros.listen.web.server import Server


class PageError(Exception):
    """The page cannot be opened. The text says why, and what to do."""


@dataclass(frozen=True)
class Page:
    """An open page. As a context manager, it is closed at the end."""

    board: Board
    player: Player | None
    """Plays the recording, if there is one."""
    url: str
    is_open_to_others: bool
    _server: Server

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()


def open_page(host: str, port: int, background: str | None, recording: BinaryIO | None) -> Page:
    """
    Start to serve the page.

    :param host: local address to bind.
    :param port: TCP port; 0: any.
    :param background: URL of a picture behind the boxes.
    :param recording: is played, if given.
    :raises ImportError: if aiohttp is not installed.
    :raises PageError: if the address cannot be bound, the URL is refused or the recording is
        invalid.
    """
    # Imported here because only --web needs aiohttp.
    from udp_infer_ros.listen.web.server import Server
    try:
        player = None if recording is None else Player(recording)
    except ValueError as error:
        assert recording is not None
        raise PageError(f'--replay = {recording.name}: {error}') from error
    board = Board(time.time if player is None else lambda: player.now_s)
    try:
        server = Server(board, host, port, background=background, player=player)
    except ValueError as error:
        shown = re.sub('//.*@', '//***@', background or '')
        raise PageError(f'--background = {shown}: {error}') from error
    except OSError as error:
        raise PageError(
            f'--web = {port}: {error.strerror or error}; choose another port, and an address of '
            'this machine for --host') from error
    server.start()
    return Page(board, player, server.url, is_open_to_others(host), server)
