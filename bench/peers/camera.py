# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A network camera in a process of its own: numbered JPEGs as multipart/x-mixed-replace."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence, Sequence
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

    :param port: of its server.
    :param sent_s: the times of its frames, 0 for those that are not sent.
    """

    def __init__(self, port: int, sent_s: Sequence[float]) -> None:
        self._sent_s = sent_s
        self.url = f'http://127.0.0.1:{port}/video.mjpg'

    def sent_s(self) -> list[float]:
        """
        Return when each frame was sent, in seconds of time.monotonic.

        A frame that the receiver did not accept in time counts from the time it was due.
        """
        return [time_s for time_s in self._sent_s if time_s]


@contextmanager
def camera(folder: Path, rate_hz: float, count: int) -> Iterator[Camera]:
    """
    Run a camera for one connection.

    :param folder: JPEGs, served in the order of their names, again from the first one.
    :param count: frames to send.
    """
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe()
    sent_s = context.Array('d', count, lock=False)
    process = context.Process(target=_serve, args=(folder, rate_hz, sent_s, there), daemon=True)
    process.start()
    try:
        yield Camera(here.recv(), sent_s)
    finally:
        process.kill()
        process.join()


def _serve(
    folder: Path, rate_hz: float, sent_s: MutableSequence[float], connection: Connection,
) -> None:
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
            for number in range(len(sent_s)):
                due_s = begin_s + number / rate_hz
                left_s = due_s - time.monotonic()
                if left_s > 0.0:
                    time.sleep(left_s)
                    due_s = time.monotonic()
                sent_s[number] = due_s
                picture = pictures[number % len(pictures)]
                self.wfile.write(
                    b'--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n'
                    % len(picture) + picture + b'\r\n')

        def log_message(self, *arguments: object) -> None:
            """Write no log."""

    server = HTTPServer(('127.0.0.1', 0), Handler)
    connection.send(server.server_port)
    server.serve_forever()
