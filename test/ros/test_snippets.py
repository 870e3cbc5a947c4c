# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The commands and programs of the pages run.

They run in a folder with the files of the repository, a picture and a clip, beside a node that
processes the clip. A network namespace and a /dev/shm of their own separate them from the other
tests, so that they can use the default port.
"""

from contextlib import contextmanager
from importlib.util import find_spec
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import threading
import time

import cv2
import pytest
from snippets import ROOT, SNIPPETS

RUN = [snippet for snippet in SNIPPETS
       if snippet.language in ('sh', 'python') and not snippet.reason]
SET_UP = ('mount -t tmpfs tmpfs /dev/shm && ip link set lo up multicast on && '
          'ip route add 224.0.0.0/4 dev lo && echo ready && exec sleep infinity')
NODE = ('udp_infer', '--ros-args', '-p', 'source.uri:=street.mp4', '-p', 'source.loop:=true',
        '-p', 'source.realtime:=true',
        '-p', "udp.targets:=['127.0.0.1:37020', '239.7.7.7:37020']")
COMMANDS = {'sh': ('bash', '-e', '-u', '-o', 'pipefail', '-c'), 'python': (sys.executable, '-c')}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


class Program:
    """A process in the namespace, whose output is collected."""

    def __init__(self, terminal, *command):
        self.output = ''
        self._process = subprocess.Popen(
            [*terminal.enter, *command], cwd=terminal.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, 'PYTHONUNBUFFERED': '1'})
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.output += line

    def wait_for(self, text):
        """Wait until the output contains a text; fail if the process ends before."""
        deadline_s = time.monotonic() + 60.0
        while text not in self.output and self._thread.is_alive():
            assert time.monotonic() < deadline_s, self.output
            time.sleep(0.01)
        assert text in self.output, self.output

    def wait_for_silence(self):
        """Wait until nothing was printed for a while; fail if that does not happen."""
        deadline_s = time.monotonic() + 60.0
        before = None
        while before != self.output:
            assert time.monotonic() < deadline_s, self.output
            before = self.output
            time.sleep(0.3)

    def interrupt(self):
        """Press Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    @contextmanager
    def paused(self):
        """Stop the process, and continue it at the end."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def wait(self):
        """Wait for the end; return the exit code."""
        try:
            return self._process.wait(timeout=60.0)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._thread.join()


class Terminal:
    """A folder and a namespace in which programs run."""

    def __init__(self, folder, pid):
        self.folder = folder
        self.node = None
        self.enter = ('nsenter', '--target', str(pid), '--user', '--mount', '--net',
                      '--preserve-credentials', f'--wd={folder}')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a folder with links to the repository's files, a picture and a clip of a person."""
    spec = find_spec('skimage')
    if spec is None:
        pytest.skip('scikit-image, which has the photograph, is not installed')
    folder = tmp_path_factory.mktemp('snippets')
    for path in ROOT.iterdir():
        (folder / path.name).symlink_to(path)
    image = cv2.imread(str(Path(spec.origin).parent / 'data' / 'camera.png'))
    assert cv2.imwrite(str(folder / 'street.jpg'), image)
    height, width = image.shape[:2]
    writer = cv2.VideoWriter(
        str(folder / 'street.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 20, (width, height))
    assert writer.isOpened()
    for _ in range(20):
        writer.write(image)
    writer.release()
    return folder


@pytest.fixture(scope='module')
def terminal(folder):
    """Create the namespace, and start the node in it."""
    for command in ('udp_infer', 'unshare', 'nsenter', 'ip'):
        if not shutil.which(command):
            pytest.skip(f'the command {command} is not on the PATH')
    holder = subprocess.Popen(
        ['unshare', '--map-root-user', '--net', '--mount', 'sh', '-c', SET_UP],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        first = holder.stdout.readline()
        if first != 'ready\n':
            pytest.skip(f'this user may not create namespaces: {first}')
        terminal = Terminal(folder, holder.pid)
        node = Program(terminal, *NODE)
        try:
            node.wait_for('-> /udp_infer/detections')
            terminal.node = node
            yield terminal
        finally:
            node.interrupt()
            assert node.wait() == 0, node.output
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize('snippet', RUN, ids=lambda snippet: snippet.name)
def test_a_command_or_program_of_a_page_runs(snippet, terminal):
    program = Program(terminal, *COMMANDS[snippet.language], snippet.code)
    if not snippet.stopped_at:
        assert program.wait() == 0, program.output
        return
    try:
        program.wait_for(snippet.stopped_at)
    finally:
        # rclpy raises RuntimeError, not KeyboardInterrupt, if the signal arrives while it converts
        # a message. So the signal is sent while no message arrives.
        with terminal.node.paused():
            program.wait_for_silence()
            program.interrupt()
            code = program.wait()
    assert code == 0, program.output
