# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""udp_infer_listen as a process, for tests."""

import fcntl
import os
from pathlib import Path
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading

from helpers import wait_until
import pytest

COMMAND = (sys.executable, '-m', 'udp_infer_ros.listen')
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items()
       if name not in ('COLUMNS', 'LINES', 'NO_COLOR', 'FORCE_COLOR')}, 'TERM': 'xterm'}
QUEUE_BYTES = 100_000
"""Less than the receive buffer of a socket, so that the system drops nothing."""


def free_port():
    """Return a UDP port that is not in use."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def receive_queues():
    """Return by port the bytes that wait in each UDP socket, and the datagrams it dropped."""
    rows = [line.split() for line in Path('/proc/net/udp').read_text().splitlines()[1:]]
    return {
        int(row[1].partition(':')[2], 16): (int(row[4].partition(':')[2], 16), int(row[-1]))
        for row in rows}


class Listener:
    """
    The command in the background, and a socket that sends to it.

    :param folder: for its output.
    :param terminal: columns and rows of the terminal that is standard output; None: a file.
    :param env: changes of the environment.
    """

    def __init__(self, folder, *arguments, terminal=None, env=None):
        self.port = free_port()
        self.stdout, self.stderr = folder / 'stdout', folder / 'stderr'
        self._copying = None
        self._open = True
        with self.stdout.open('wb') as out, self.stderr.open('wb') as err:
            if terminal:
                primary, secondary = pty.openpty()
                columns, rows = terminal
                fcntl.ioctl(
                    primary, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
                self._copying = threading.Thread(target=self._copy, args=(primary,))
                out.close()
            self.process = subprocess.Popen(
                [*COMMAND, '--host', '127.0.0.1', '--port', str(self.port), *arguments],
                stdout=secondary if terminal else out, stderr=err,
                env={**ENVIRONMENT, **(env or {})})
        if self._copying is not None:
            os.close(secondary)
            self._copying.start()
        wait_until(lambda: '--replay' in arguments or self.port in receive_queues()
                   or self.process.poll() is not None)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(('127.0.0.1', self.port))

    def _copy(self, terminal):
        with self.stdout.open('wb', buffering=0) as out:
            try:
                while self._open:
                    out.write(os.read(terminal, 65536))
            except OSError:
                self._open = False  # The terminal is closed with the process.
        os.close(terminal)

    def close_terminal(self):
        """Close the terminal after the next output."""
        self._open = False
        self._copying.join(5)

    def send(self, data):
        """Send a datagram when the listener has received most of those before."""
        wait_until(lambda: receive_queues().get(self.port, (0, 0))[0] < QUEUE_BYTES)
        self.socket.send(data)

    def wait_for_output(self, text, timeout_s=15.0):
        """Wait until standard output contains a text."""
        # The end may be a part of a character.
        wait_until(lambda: text in self.stdout.read_text(errors='replace'), timeout_s)

    def dropped(self):
        """Return the number of datagrams that the system dropped."""
        return receive_queues()[self.port][1]

    def peak_memory_mb(self):
        """Return the peak of the resident memory."""
        status = Path(f'/proc/{self.process.pid}/status').read_text()
        return int(status.partition('VmHWM:')[2].split()[0]) / 1024

    def kill(self, number=signal.SIGKILL):
        """Send a signal."""
        self.process.send_signal(number)

    def finish(self):
        """Wait for the end; return the exit code, the lines printed and the errors."""
        code = self.process.wait(15)
        self.socket.close()
        if self._copying is not None:
            self._copying.join(5)
        return (
            code, self.stdout.read_text(errors='replace').splitlines(),
            self.stderr.read_text(errors='replace'))


@pytest.fixture
def start(tmp_path):
    """Start listeners; end those that still run."""
    listeners = []

    def start_one(*arguments, **options):
        folder = tmp_path / f'listener_{len(listeners)}'
        folder.mkdir()
        listeners.append(Listener(folder, *arguments, **options))
        return listeners[-1]
    yield start_one
    for listener in listeners:
        if listener.process.poll() is None:
            listener.kill()
        listener.finish()


@pytest.fixture
def run():
    """Run the command to its end."""
    return lambda *arguments: subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=20)
