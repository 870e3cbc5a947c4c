# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""udp_infer_listen, run as a command: what it prints and its exit codes."""

import os
import pty
import signal
import socket
import subprocess
import sys
import time

from helpers import make_result
import pytest
from udp_infer_ros.outputs.payload import encode

pytestmark = pytest.mark.timeout(30)


def free_port():
    """Find a port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Listener:
    """The command, running."""

    def __init__(self, *arguments):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'udp_infer_ros.listen', '--host', '127.0.0.1', '--port',
             str(self.port), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Connected, so that a port nobody listens on is refused: wait until somebody does.
        self.sender.connect(('127.0.0.1', self.port))
        deadline_s = time.monotonic() + 10.0
        while time.monotonic() < deadline_s:
            try:
                self.sender.send(b'are you there?')
                time.sleep(0.05)
                self.sender.send(b'are you there?')
                return
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise AssertionError('the listener did not come up')

    def end(self):
        """Wait for its end; give exit code, output and errors."""
        out, err = self.process.communicate(timeout=15)
        self.sender.close()
        return self.process.returncode, out.splitlines(), err


def test_a_datagram_becomes_a_readable_line():
    listener = Listener('--count', '2', '--timeout', '10')
    listener.sender.send(encode(make_result(2))[0])
    listener.sender.send(encode(make_result(0), payload='roboflow')[0])
    code, lines, _ = listener.end()
    assert code == 0
    assert lines[0].endswith(
        'frame 11  seq 8  12.0 ms  2 objects  [person#1 0.68 at 382,412 13x34]'
        '  [car 0.58 at 467,115 2x32]')
    assert lines[1].endswith('frame 11  0 objects')


def test_json_is_printed_as_it_came():
    listener = Listener('--json', '--count', '1', '--timeout', '10')
    data = encode(make_result(2))[0]
    listener.sender.send(data)
    code, lines, _ = listener.end()
    assert code == 0 and lines == [data.decode()]


def test_it_fails_if_nothing_came():
    started_s = time.monotonic()
    listener = Listener('--timeout', '0.5')
    code, lines, _ = listener.end()
    assert (code, lines) == (1, [])
    assert time.monotonic() - started_s < 10


def test_what_strangers_send_is_reported_and_does_not_end_it():
    listener = Listener('--count', '1', '--timeout', '10')
    for data in (
            b'', b'\xff\xfe', b'[]', b'42', b'null', b'{}', b'[' * 60000, b'{"frame_id": "x"}',
            b'{"frame_id":1,"predictions":[{}]}', b'{"frame_id":1,"predictions":7}',
            b'{"frame_id":1e999,"predictions":[]}', b'9' * 60000,
            b'{"frame_id":1,"predictions":[],"udp_infer":[1]}'):
        listener.sender.send(data)
    listener.sender.send(encode(make_result(1))[0])
    code, lines, errors = listener.end()
    assert code == 0 and len(lines) == 1
    assert 'Traceback' not in errors
    assert errors.count('not a message of udp_infer') >= 13


def test_nothing_that_is_sent_steers_the_terminal():
    result = make_result(1, names=('\x1b[2J', '\x1b[2J'))
    listener = Listener('--count', '1', '--timeout', '10')
    listener.sender.send(encode(result)[0])
    _, lines, _ = listener.end()
    assert '\x1b' not in lines[0]


def test_strangers_do_not_keep_it_from_ending():
    listener = Listener('--timeout', '1')
    end_s = time.monotonic() + 8
    while listener.process.poll() is None and time.monotonic() < end_s:
        try:
            listener.sender.send(b'noise')
        except ConnectionRefusedError:
            break
        time.sleep(0.05)
    assert listener.process.poll() == 1
    listener.end()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_ordinary_end(number):
    listener = Listener()
    listener.sender.send(encode(make_result(1))[0])
    assert listener.process.stdout.readline()
    os.kill(listener.process.pid, number)
    code, _, errors = listener.end()
    assert code == 0 and 'Traceback' not in errors


def test_a_port_that_is_taken_is_said_in_one_line():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(('127.0.0.1', 0))
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, '-m', 'udp_infer_ros.listen', '--host', '127.0.0.1', '--port',
             str(port)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert done.stderr.startswith(f'cannot listen on port {port}: ')
    assert len(done.stderr.splitlines()) == 1


def test_parts_of_a_frame_are_joined_into_one_line():
    listener = Listener('--count', '1', '--timeout', '10')
    for data in encode(make_result(100), max_bytes=1400):
        listener.sender.send(data)
    code, lines, _ = listener.end()
    assert code == 0 and ' 100 objects ' in lines[0]


def test_a_thousand_objects_arrive_whole_in_datagrams_of_1400_bytes():
    listener = Listener('--count', '5', '--timeout', '10')
    for seq in range(1, 6):
        datagrams = encode(make_result(1000, seq=seq), max_bytes=1400)
        assert len(datagrams) > 90 and max(map(len, datagrams)) <= 1400
        for data in datagrams:
            listener.sender.send(data)
        time.sleep(0.2)
    code, lines, errors = listener.end()
    assert code == 0 and '5 frames, 0 lost' in errors
    assert all(' 1000 objects ' in line for line in lines)


def test_what_is_recorded_can_be_shown_again(tmp_path):
    path = tmp_path / 'night.jsonl'
    listener = Listener('--count', '2', '--timeout', '10', '--record', str(path))
    listener.sender.send(encode(make_result(2, seq=1))[0])
    listener.sender.send(encode(make_result(3, seq=3))[0])
    _, live, errors = listener.end()
    assert '2 frames, 1 lost' in errors
    again = subprocess.run(
        [sys.executable, '-m', 'udp_infer_ros.listen', '--replay', str(path), '--validate'],
        capture_output=True, text=True, timeout=20)
    assert again.returncode == 0
    assert again.stdout.splitlines() == live
    assert '2 frames, 1 lost' in again.stderr


@pytest.mark.parametrize('text, told', [
    ('not json', 'line 1 is not one that --record wrote'),
    ('{"received": 1}', 'line 1 is not one that --record wrote'),
])
def test_a_file_that_is_no_recording_is_refused(tmp_path, text, told):
    path = tmp_path / 'x.jsonl'
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, '-m', 'udp_infer_ros.listen', '--replay', str(path)],
        capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and told in done.stderr and 'Traceback' not in done.stderr


def test_a_message_that_is_not_as_the_schema_says_is_told_by_the_exit_code():
    listener = Listener('--count', '2', '--timeout', '10', '--validate')
    good = encode(make_result(1))[0]
    listener.sender.send(good)
    listener.sender.send(good.replace(b'"schema":1', b'"schema":2'))
    code, _, errors = listener.end()
    assert code == 3
    assert 'message.udp_infer.schema must be 1' in errors


def test_a_multicast_group_is_heard_on_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('127.0.0.1'))
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, '-m', 'udp_infer_ros.listen', '--host', '127.0.0.1', '--multicast',
             '239.7.7.7', '--port', str(port), '--count', '1', '--timeout', '10'],
            stdout=subprocess.PIPE, text=True)
        deadline_s = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < deadline_s:
            sender.sendto(encode(make_result(1))[0], ('239.7.7.7', port))
            time.sleep(0.05)
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0 and '1 objects' in out


def test_in_a_terminal_it_is_a_live_table(tmp_path):
    pytest.importorskip('rich')
    port = free_port()
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, '-m', 'udp_infer_ros.listen', '--host', '127.0.0.1', '--port',
         str(port), '--count', '20', '--timeout', '10'],
        stdout=secondary, stderr=subprocess.DEVNULL,
        env={**os.environ, 'TERM': 'xterm', 'COLUMNS': '160', 'LINES': '50'})
    os.close(secondary)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        deadline_s = time.monotonic() + 15
        seq = 0
        while process.poll() is None and time.monotonic() < deadline_s:
            seq += 1
            sender.sendto(encode(make_result(2, seq=seq))[0], ('127.0.0.1', port))
            time.sleep(0.05)
    shown = b''
    try:
        while data := os.read(primary, 65536):
            shown += data
    except OSError:
        pass  # The terminal is gone with the process.
    os.close(primary)
    assert process.wait(10) == 0
    text = shown.decode()
    assert 'person' in text and 'Hz' in text and '0.68' in text
