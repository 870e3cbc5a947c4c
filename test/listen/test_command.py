# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""udp_infer_listen, run as a command: what it prints and its exit codes."""

import json
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
    """Return a UDP port that is not in use."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def run(*arguments):
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, '-m', 'udp_infer_ros.listen', *arguments], capture_output=True,
        text=True, timeout=20)


class Listener:
    """The command in the background, and a socket that sends to it."""

    def __init__(self, *arguments):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'udp_infer_ros.listen', '--host', '127.0.0.1', '--port',
             str(self.port), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A connected socket reports that the port is closed, with the next call.
        self.socket.connect(('127.0.0.1', self.port))
        deadline_s = time.monotonic() + 10.0
        while time.monotonic() < deadline_s:
            try:
                self.socket.send(b'probe')
                time.sleep(0.05)
                self.socket.send(b'probe')
                return
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise AssertionError('the listener did not start')

    def send(self, data):
        """Send a datagram."""
        self.socket.send(data)

    def finish(self):
        """Wait for the end; return the exit code, the lines printed and the errors."""
        out, err = self.process.communicate(timeout=15)
        self.socket.close()
        return self.process.returncode, out.splitlines(), err


def test_a_frame_is_printed_as_one_line():
    listener = Listener('--count', '2', '--timeout', '10')
    listener.send(encode(make_result(2))[0])
    listener.send(encode(make_result(0), payload='roboflow')[0])
    code, lines, _ = listener.finish()
    assert code == 0
    assert lines[0].endswith(
        'frame 11  seq 8  12.5 ms  2 objects  [person#1 0.68 at 382,412 13x34]'
        '  [car 0.58 at 467,115 2x32]')
    assert lines[1].endswith('frame 11  0 objects')


def test_json_is_printed_unchanged():
    listener = Listener('--json', '--count', '1', '--timeout', '10')
    data = encode(make_result(2))[0]
    listener.send(data)
    code, lines, _ = listener.finish()
    assert code == 0 and lines == [data.decode()]


def test_the_exit_code_is_1_if_no_message_arrives():
    assert Listener('--timeout', '0.5').finish()[:2] == (1, [])


def test_invalid_datagrams_are_reported_and_do_not_end_the_command():
    listener = Listener('--count', '1', '--timeout', '10')
    for data in (
            b'', b'\xff\xfe', b'[]', b'42', b'null', b'{}', b'[' * 60000, b'{"frame_id": "x"}',
            b'{"frame_id":1,"predictions":[{}]}', b'{"frame_id":1,"predictions":7}',
            b'{"frame_id":1e999,"predictions":[]}', b'9' * 60000,
            b'{"frame_id":1,"predictions":[],"udp_infer":[1]}'):
        listener.send(data)
    listener.send(encode(make_result(1))[0])
    code, lines, errors = listener.finish()
    assert code == 0 and len(lines) == 1
    assert 'Traceback' not in errors
    assert errors.count('not a message of udp_infer') >= 13


def test_control_characters_are_not_printed():
    result = make_result(1, names=('\x1b[2J', '\x1b[2J'))
    listener = Listener('--count', '1', '--timeout', '10')
    listener.send(encode(result)[0])
    _, lines, _ = listener.finish()
    assert '\x1b' not in lines[0]


def test_invalid_datagrams_do_not_extend_the_timeout():
    listener = Listener('--timeout', '1')
    deadline_s = time.monotonic() + 8
    while time.monotonic() < deadline_s:
        try:
            listener.send(b'noise')
        except ConnectionRefusedError:
            break
        time.sleep(0.05)
    else:
        pytest.fail('the command did not end')
    assert listener.finish()[0] == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_normally(number):
    listener = Listener()
    listener.send(encode(make_result(1))[0])
    assert listener.process.stdout.readline()
    os.kill(listener.process.pid, number)
    code, _, errors = listener.finish()
    assert code == 0 and 'Traceback' not in errors


def test_a_port_in_use_is_an_error_of_one_line():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('127.0.0.1', 0))
        port = other.getsockname()[1]
        done = run('--host', '127.0.0.1', '--port', str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f'cannot listen on port {port}: ')
    assert len(done.stderr.splitlines()) == 1


def test_the_parts_of_a_frame_are_shown_as_one_line():
    listener = Listener('--count', '1', '--timeout', '10')
    for data in encode(make_result(100), max_bytes=1400):
        listener.send(data)
    code, lines, _ = listener.finish()
    assert code == 0 and ' 100 objects ' in lines[0]


def test_a_thousand_objects_arrive_complete_in_datagrams_of_1400_bytes():
    listener = Listener('--count', '5', '--timeout', '10')
    for seq in range(1, 6):
        parts = encode(make_result(1000, seq=seq), max_bytes=1400)
        assert len(parts) > 90 and max(map(len, parts)) <= 1400
        for data in parts:
            listener.send(data)
        # The socket buffer holds one such frame.
        assert ' 1000 objects ' in listener.process.stdout.readline()
    code, _, errors = listener.finish()
    assert code == 0 and '5 frames, 0 lost' in errors


def test_a_recording_is_replayed_with_the_same_output(tmp_path):
    path = tmp_path / 'recording.jsonl'
    listener = Listener('--count', '2', '--timeout', '10', '--record', str(path))
    listener.send(encode(make_result(2, seq=1))[0])
    listener.send(encode(make_result(3, seq=3))[0])
    _, live, errors = listener.finish()
    assert '2 frames, 1 lost' in errors
    replayed = run('--replay', str(path))
    assert replayed.returncode == 0
    assert replayed.stdout.splitlines() == live
    assert '2 frames, 1 lost' in replayed.stderr


@pytest.mark.parametrize('text', ['not json', '{"received": 1}'])
def test_a_file_that_is_not_a_recording_is_refused(tmp_path, text):
    path = tmp_path / 'recording.jsonl'
    path.write_text(text)
    done = run('--replay', str(path))
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    assert done.stderr.startswith(
        f'--replay = {path}: line 1 was not written by --record')


def write_recording(path, *messages):
    """Write a recording."""
    path.write_text(''.join(
        json.dumps({'received': 0.0, 'sender': '10.0.0.1:5', 'message': json.loads(data)}) + '\n'
        for data in messages))
    return str(path)


def test_an_invalid_message_is_reported_and_sets_the_exit_code_to_3(tmp_path):
    pytest.importorskip('jsonschema')
    valid = encode(make_result(1))[0]
    path = write_recording(
        tmp_path / 'recording.jsonl', valid, valid.replace(b'"schema":1', b'"schema":2'))
    done = run('--replay', path, '--validate')
    assert done.returncode == 3 and len(done.stdout.splitlines()) == 2
    assert '10.0.0.1:5: message.udp_infer.schema: 1 was expected' in done.stderr.splitlines()


def test_a_valid_message_leaves_the_exit_code_0(tmp_path):
    pytest.importorskip('jsonschema')
    path = write_recording(tmp_path / 'recording.jsonl', encode(make_result(1))[0])
    assert run('--replay', path, '--validate').returncode == 0


def test_validation_without_jsonschema_is_refused_with_what_to_install(tmp_path):
    path = write_recording(tmp_path / 'recording.jsonl', encode(make_result(1))[0])
    code = (
        "import sys; sys.modules['jsonschema'] = None\n"
        'from udp_infer_ros.listen.command import main\n'
        'sys.exit(main(sys.argv[1:]))')
    done = subprocess.run(
        [sys.executable, '-c', code, '--replay', path, '--validate'], capture_output=True,
        text=True, timeout=20)
    assert done.returncode == 2 and done.stdout == ''
    assert done.stderr == (
        '--validate needs jsonschema: pip install jsonschema, or '
        'apt install python3-jsonschema\n')
    without = subprocess.run(
        [sys.executable, '-c', code, '--replay', path], capture_output=True, text=True,
        timeout=20)
    assert without.returncode == 0


def test_a_multicast_group_is_received_on_loopback():
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
    assert process.returncode == 0 and '  1 object  ' in out


def test_a_terminal_shows_a_live_table(tmp_path):
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
    output = b''
    try:
        while data := os.read(primary, 65536):
            output += data
    except OSError:
        pass  # The terminal is closed with the process.
    os.close(primary)
    assert process.wait(10) == 0
    text = output.decode()
    assert 'person' in text and 'Hz' in text and '0.68' in text
