# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The example receivers print the detections that UdpOutput sends."""

from pathlib import Path
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from helpers import make_result, wait_until
import numpy as np
import pytest
from udp_infer_ros.outputs.udp import UdpOutput
from udp_infer_ros.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[2] / 'examples'


@pytest.mark.timeout(30)
def test_ctrl_c_and_a_port_in_use_end_the_python_receiver_without_a_traceback():
    command = [sys.executable, EXAMPLES / 'receive.py']
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('', 0))
        port = other.getsockname()[1]
        done = subprocess.run([*command, str(port)], capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stderr) == (
            1, f'port {port}: [Errno 98] Address already in use\n')
    process = subprocess.Popen([*command, str(port)], stderr=subprocess.PIPE, text=True)

    def is_bound():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('', port))
            except OSError:
                return True
        return False
    wait_until(is_bound)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == ''


@pytest.mark.timeout(30)
@pytest.mark.parametrize('name, interpreter', [
    ('receive.py', sys.executable), ('receive.js', shutil.which('node'))])
@pytest.mark.parametrize('payload', ['full', 'roboflow'])
def test_a_receiver_of_at_most_twenty_lines_prints_the_detections(name, interpreter, payload):
    if interpreter is None:
        pytest.skip('Node.js is not installed')
    code = [line for line in (EXAMPLES / name).read_text().splitlines()
            if line.strip() and not line.startswith(('#', '//', '"""'))]
    assert len(code) <= 20
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [interpreter, str(EXAMPLES / name), str(port)], stdout=subprocess.PIPE, text=True)
    output = UdpOutput()
    output.prepare(
        Settings().with_values({'udp.targets': [f'127.0.0.1:{port}'], 'udp.payload': payload}),
        previous=None, model=None)()
    result = make_result(2)
    deadline_s = time.monotonic() + 20
    try:
        stop = threading.Event()

        def send():
            while not stop.wait(0.05) and time.monotonic() < deadline_s:
                output.write(result, np.zeros((480, 640, 3), dtype=np.uint8))
        sender = threading.Thread(target=send)
        sender.start()
        lines = [process.stdout.readline().split() for _ in range(2)]
    finally:
        stop.set()
        sender.join()
        process.kill()
        process.communicate()
        output.close()
    for words, item in zip(lines, result.objects):
        assert words[:2] == ['11', item.class_name]
        assert words[2] == ('-' if item.track_id < 0 else str(item.track_id))
        assert [float(word) for word in words[3:]] == [
            item.x, item.y, item.width, item.height]
