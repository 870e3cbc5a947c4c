# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Real servers on this machine are killed, frozen and come back; frames flow again."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import numpy as np
import pytest
from udp_infer_ros.errors import SourceError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.capture import CaptureSource
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats

FFMPEG = shutil.which('ffmpeg')
SYSTEM_PYTHON = '/usr/bin/python3'
RTSP_SERVER = """
import sys
import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
assert Gst.ElementFactory.find('x264enc')
if len(sys.argv) == 1:
    sys.exit()
port, width, height = sys.argv[1:]
server = GstRtspServer.RTSPServer(address='127.0.0.1', service=port)
factory = GstRtspServer.RTSPMediaFactory(shared=True)
factory.set_launch(
    f'( videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},'
    'framerate=20/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 '
    '! rtph264pay name=pay0 pt=96 )')
server.get_mount_points().add_factory('/camera', factory)
server.attach(None)
GLib.MainLoop().run()
"""
H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '10']
OUTPUTS = {
    'http': ['-c:v', 'mjpeg', '-q:v', '5', '-f', 'mpjpeg', '-listen', '1', '{uri}'],
    'tcp': [*H264, '-f', 'mpegts', '{uri}?listen=1'],
    'udp': [*H264, '-f', 'mpegts', '{uri}'],
}
BACK_S = 10.0
"""A generous limit. Measured: 0.4 s (HTTP) to 1.8 s (RTSP), opening included."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def clean_environment():
    """Give an environment in which the system's programs find their own libraries."""
    return {
        name: value for name, value in os.environ.items()
        if not name.startswith(('LD_', 'PYTHON', 'VIRTUAL_ENV'))}


def has_rtsp_server():
    """Tell whether GStreamer's RTSP server is installed for the system's Python."""
    return os.path.exists(SYSTEM_PYTHON) and not subprocess.run(
        [SYSTEM_PYTHON, '-c', RTSP_SERVER], env=clean_environment(),
        capture_output=True).returncode


class Server:
    """A camera server of a kind, which can be killed, frozen and started again."""

    def __init__(self, kind):
        if kind == 'rtsp' and not has_rtsp_server():
            pytest.skip('gir1.2-gst-rtsp-server-1.0, python3-gi or x264enc is not installed')
        if kind != 'rtsp' and not FFMPEG:
            pytest.skip('ffmpeg is not installed')
        self.kind = kind
        kind_of_socket = socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind_of_socket) as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        path = '' if kind in ('tcp', 'udp') else '/camera'
        self.uri = f'{kind}://127.0.0.1:{self.port}{path}'
        self.process = None
        self.start()

    def start(self, width=320, height=240):
        """Serve, and wait until it listens."""
        if self.kind == 'rtsp':
            command = [SYSTEM_PYTHON, '-c', RTSP_SERVER, str(self.port), str(width), str(height)]
        else:
            command = [
                FFMPEG, '-loglevel', 'quiet', '-re', '-f', 'lavfi', '-i',
                f'testsrc=size={width}x{height}:rate=20:decimals=2',
                *(word.format(uri=self.uri) for word in OUTPUTS[self.kind])]
        self.process = subprocess.Popen(command, env=clean_environment())
        deadline_s = time.monotonic() + 20.0
        while self.kind != 'udp' and not self._listens():
            assert time.monotonic() < deadline_s and self.process.poll() is None
            time.sleep(0.02)

    def _listens(self):
        # Seen from outside: a server for one client would take a connection for that client.
        with open('/proc/net/tcp', encoding='ascii') as table:
            return any(
                row.split()[1].endswith(f':{self.port:04X}') and row.split()[3] == '0A'
                for row in table.readlines()[1:])

    def kill(self):
        """End it at once, as a power cut does."""
        self.process.kill()
        self.process.wait(10.0)


class Watched:
    """A source whose frames are looked at."""

    def __init__(self, uri, **settings):
        self.stats = Stats()
        self.slot = FrameSlot(self.stats)
        self.source = CaptureSource(
            SourceSettings(uri=uri, **settings), self.slot, self.stats, time.time_ns)
        self.count = self.repeated = 0
        self.last = None
        self.source.start()
        self.worker = threading.Thread(target=self._work)
        self.worker.start()

    def _work(self):
        while (pending := self.slot.take()) is not None:
            image = pending().image
            if self.last is not None and np.array_equal(image, self.last):
                self.repeated += 1
            self.last = image
            self.count += 1

    def wait_for_frames(self, count=5, timeout_s=BACK_S):
        """Wait until so many more frames have come."""
        wanted, deadline_s = self.count + count, time.monotonic() + timeout_s
        while self.count < wanted:
            assert time.monotonic() < deadline_s, self.stats.snapshot()
            time.sleep(0.01)

    def stop(self):
        """End it; tell whether no thread was left behind."""
        ended = self.source.stop(10.0)
        self.worker.join(5.0)
        return ended


@pytest.fixture
def make():
    """Make a server of a kind and a source that watches it."""
    made = []

    def make_both(kind, **settings):
        server = Server(kind)
        made.append(server)
        made.append(Watched(server.uri, stall_timeout_s=1.0, wait_for_source=True, **settings))
        made[-1].wait_for_frames(timeout_s=30.0)
        return tuple(made)
    yield make_both
    for item in reversed(made):
        item.stop() if isinstance(item, Watched) else item.kill()


KINDS = ['rtsp', 'http', 'tcp', 'udp']


@pytest.mark.parametrize('kind', KINDS)
def test_frames_flow_again_after_the_server_was_killed(make, kind):
    server, watched = make(kind)
    for _ in range(2):
        server.kill()
        time.sleep(1.5)
        server.start()
        watched.wait_for_frames()
    told = watched.stats.snapshot()
    assert told.reconnects >= 2 and not watched.repeated and not told.dropped['decode_error']
    assert watched.stop()


@pytest.mark.parametrize('kind', KINDS)
def test_another_resolution_after_a_restart_is_taken_as_it_is(make, kind):
    server, watched = make(kind)
    assert watched.last.shape == (240, 320, 3)
    server.kill()
    time.sleep(1.5)
    server.start(480, 360)
    watched.wait_for_frames()
    assert watched.last.shape == (360, 480, 3) and not watched.repeated


@pytest.mark.parametrize('kind', ['rtsp', 'udp'])
def test_a_server_that_freezes_is_left_and_found_again_when_it_goes_on(make, kind):
    server, watched = make(kind)
    server.process.send_signal(signal.SIGSTOP)
    try:
        deadline_s = time.monotonic() + BACK_S
        while not watched.stats.snapshot().stalls:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
    finally:
        server.process.send_signal(signal.SIGCONT)
    watched.wait_for_frames()
    assert watched.stats.snapshot().reconnects >= 1 and not watched.repeated


def test_threads_and_files_are_the_same_after_ten_reconnects(make):
    def counted():
        return len(os.listdir('/proc/self/task')), len(os.listdir('/proc/self/fd'))
    server, watched = make('http')
    before = counted()
    for _ in range(10):
        server.kill()
        server.start()
        watched.wait_for_frames()
    assert watched.stats.snapshot().reconnects >= 10
    assert counted() == before


def test_a_password_is_in_no_log_and_no_error(make, caplog, capfd):
    caplog.set_level('DEBUG')
    server, watched = make('http')
    uri = server.uri.replace('://', '://me:hidden@') + '?token=hidden'
    watched.stop()
    server.kill()
    with pytest.raises(SourceError) as caught:
        Watched(uri)
    again = Watched(uri, wait_for_source=True, stall_timeout_s=1.0)
    time.sleep(1.0)
    server.start()
    again.wait_for_frames()
    told = f'{again.source.description} {again.stats.snapshot()} {caught.value} {caplog.text}'
    server.kill()
    time.sleep(1.0)
    again.stop()
    captured = capfd.readouterr()
    assert 'hidden' not in told + caplog.text + captured.out + captured.err
    assert '***@127.0.0.1' in told
