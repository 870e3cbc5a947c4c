# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The server of the page, with aiohttp 3.8 or newer, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from importlib.resources import files
import json
import math
import socket
import threading

from aiohttp import web

from udp_infer_ros.listen.player import Player
from udp_infer_ros.listen.web.access import Access
from udp_infer_ros.listen.web.board import Board

FILES = {
    'index.html': 'text/html', 'style.css': 'text/css', 'icon.svg': 'image/svg+xml',
    **dict.fromkeys((
        'page.js', 'connection.js', 'source.js', 'card.js', 'canvas.js', 'plots.js', 'filter.js',
        'text.js'), 'text/javascript')}
"""The files of static/ and their types."""
MAX_CLIENTS = 64
SEND_BUFFER_BYTES = 256 << 10
"""Of each WebSocket. In a larger one, old frames would wait for a slow client."""
TICK_S = 0.5
"""Interval in which plots, ages and the time bar are updated."""
PING_S = 10.0
"""A client that does not answer a ping in half this time is disconnected."""
HEADERS = {
    'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer', 'Cross-Origin-Resource-Policy': 'same-origin'}


class Server:
    """
    The page at one address.

    `start` and `close` are called by the listener; all other methods run in the server's thread.

    :param board: what the page shows.
    :param host: local address to bind.
    :param port: TCP port; 0: any.
    :param background: URL of a picture behind the boxes.
    :param player: is moved by the time bar.
    :raises OSError: if the address cannot be bound.
    :raises ValueError: if the URL is refused.
    """

    def __init__(
        self, board: Board, host: str, port: int, *, background: str | None = None,
        player: Player | None = None,
    ) -> None:
        self._board = board
        self._access = Access(host, background)
        self._background = background
        self._player = player
        self._pages: set[asyncio.Event] = set()
        self._wake_is_due = False
        self._files = {
            name: files(__package__).joinpath('static', name).read_bytes() for name in FILES}
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name='web', daemon=True)
        self._stop = asyncio.Event()

    @property
    def url(self) -> str:
        """Return the address of the page."""
        host, port = self._socket.getsockname()[:2]
        return f'http://[{host}]:{port}/' if ':' in host else f'http://{host}:{port}/'

    def start(self) -> None:
        """Start to answer requests."""
        started: Future[None] = Future()
        self._loop.call_soon(self._begin, started)
        self._thread.start()
        started.result()
        self._board.on_change = self._wake_soon

    def close(self) -> None:
        """Disconnect all pages, and wait for the end of the thread."""
        self._board.on_change = lambda: None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def _begin(self, started: Future[None]) -> None:
        self._main = self._loop.create_task(self._serve(started))
        self._main.add_done_callback(lambda _: self._loop.stop())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _serve(self, started: Future[None]) -> None:
        application = web.Application(middlewares=[self._guard])
        application.router.add_get('/', self._send_file)
        application.router.add_get('/updates', self._send_updates)
        application.router.add_get('/recording.jsonl', self._send_recording)
        application.router.add_get('/datagram/{number:[0-9]{1,9}}', self._send_datagram)
        application.router.add_get('/{name}', self._send_file)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        started.set_result(None)
        while not self._stop.is_set():
            self._tick()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), TICK_S)
        await runner.cleanup()

    def _tick(self) -> None:
        if self._player is not None:
            self._board.set_replay(self._player.position_s, self._player.duration_s)
        self._board.add_seconds()

    @web.middleware
    async def _guard(
        self, request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Refuse requests of other pages, and limit what this page may load."""
        host = request.headers.get('Host')
        if host is None or not self._access.is_allowed(host, request.headers.get('Origin')):
            raise web.HTTPForbidden(text=(
                'Host or Origin is not that of this server; open it by its address, or by the '
                'name of this machine'))
        request['headers'] = {
            **HEADERS, 'Content-Security-Policy': self._access.content_security_policy(host)}
        return await handler(request)

    async def _send_file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get('name', 'index.html')
        if name not in FILES:
            raise web.HTTPNotFound
        return web.Response(
            body=self._files[name], content_type=FILES[name], charset='utf-8',
            headers=request['headers'])

    async def _send_datagram(self, request: web.Request) -> web.StreamResponse:
        text = self._board.datagram(int(request.match_info['number']))
        if text is None:
            raise web.HTTPNotFound
        return web.Response(text=text, content_type='application/json', headers=request['headers'])

    async def _send_recording(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={
            **request['headers'], 'Content-Disposition': 'attachment; filename="udp_infer.jsonl"'})
        response.content_type = 'application/x-ndjson'
        await response.prepare(request)
        for line in self._board.recording():
            await response.write(line)
        await response.write_eof()
        return response

    async def _send_updates(self, request: web.Request) -> web.StreamResponse:
        """Send updates to one page, and receive positions of the time bar."""
        if len(self._pages) >= MAX_CLIENTS:
            raise web.HTTPServiceUnavailable
        page = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=1024, compress=False)
        connection = request.transport.get_extra_info('socket') if request.transport else None
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        await page.prepare(request)
        changed = asyncio.Event()
        changed.set()
        self._pages.add(changed)
        sending = asyncio.ensure_future(self._send_to(page, changed))
        stopping = asyncio.ensure_future(self._stop.wait())
        receiving = asyncio.ensure_future(self._receive_from(page))
        try:
            await asyncio.wait(
                (sending, receiving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pages.discard(changed)
            for task in (sending, receiving, stopping):
                task.cancel()
            await asyncio.gather(sending, receiving, stopping, return_exceptions=True)
        with suppress(ConnectionError, asyncio.TimeoutError):
            await asyncio.wait_for(page.close(), 1.0)
        return page

    async def _send_to(self, page: web.WebSocketResponse, changed: asyncio.Event) -> None:
        await page.send_str(json.dumps(
            {'kind': 'hello', 'background': self._background,
             'replay': self._player is not None}))
        versions: dict[str, int] = {}
        while True:
            await changed.wait()
            changed.clear()
            updates = self._board.updates_since(versions)
            for name, update in updates:
                await page.send_str(update.text)
                versions[name] = update.version

    async def _receive_from(self, page: web.WebSocketResponse) -> None:
        async for message in page:
            position_s = _position(message.data)
            if self._player is not None and position_s is not None:
                self._player.move(position_s)

    def _wake_soon(self) -> None:
        """Wake all pages; called in the thread of the listener, and at most one call waits."""
        if not self._wake_is_due:
            self._wake_is_due = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._wake_is_due = False
        for changed in self._pages:
            changed.set()


def _position(text: object) -> float | None:
    """Return the position that a page asks for; None if the message is anything else."""
    try:
        position_s = float(json.loads(str(text))['position_s'])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return position_s if math.isfinite(position_s) else None
