# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A network camera in a process of its own: numbered JPEGs as multipart/x-mixed-replace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
import time

SILENCE_S = 30.0
"""The connection stays open after the last frame, so that no program reconnects."""


class Camera:
    """
    The running camera.

    :param connection: to its process.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.url = f'http://127.0.0.1:{connection.recv()}/video.mjpg'

    def sent_s(self) -> list[float]:
        """
        Return when each frame was sent, in seconds of time.monotonic.

        A frame that the receiver did not accept in time counts from the time it was due.
        """
        times = []
        while self._connection.poll():
            times.append(self._connection.recv())
        return times


@contextmanager
def camera(folder: Path, rate_hz: float, count: int) -> Iterator[Camera]:
    """
    Run a camera for one connection.

    :param folder: JPEGs, served in the order of their names, again from the first one.
    :param count: frames to send.
    """
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(folder, rate_hz, count, there), daemon=True)
    process.start()
    try:
        yield Camera(here)
    finally:
        process.kill()
        process.join()


def _serve(folder: Path, rate_hz: float, count: int, connection: Connection) -> None:
    pictures = [path.read_bytes() for path in sorted(folder.glob('*.jpg'))]

    class Handler(BaseHTTPRequestHandler):

        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=b')
            self.end_headers()
            with suppress(ConnectionError):  # The program was ended while it is behind.
                self._send_all()
            time.sleep(SILENCE_S)

        def _send_all(self) -> None:
            begin_s = time.monotonic()
            for number in range(count):
                due_s = begin_s + number / rate_hz
                left_s = due_s - time.monotonic()
                if left_s > 0.0:
                    time.sleep(left_s)
                    due_s = time.monotonic()
                connection.send(due_s)
                picture = pictures[number % len(pictures)]
                self.wfile.write(
                    b'--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n'
                    % len(picture) + picture + b'\r\n')

        def log_message(self, *arguments: object) -> None:
            """Write no log."""

    server = HTTPServer(('127.0.0.1', 0), Handler)
    connection.send(server.server_port)
    server.serve_forever()
