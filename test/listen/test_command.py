# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""udp_infer_listen, run as a command: what it prints and its exit codes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

from helpers import make_result
import pytest
from udp_infer_ros.outputs.payload import encode

pytestmark = [pytest.mark.once, pytest.mark.timeout(30)]

COMMAND = (sys.executable, '-m', 'udp_infer_ros.listen')


def test_a_frame_is_printed_as_one_line(start):
    listener = start('--count', '2', '--timeout', '10')
    listener.send(encode(make_result(2))[0])
    listener.send(encode(make_result(0), payload='roboflow')[0])
    code, lines, _ = listener.finish()
    assert code == 0
    assert lines[0].endswith(
        'frame 11  seq 8  12.5 ms  2 objects  [person#1 0.68 at 382,412 13x34]'
        '  [car 0.58 at 467,115 2x32]')
    assert lines[1].endswith('frame 11  0 objects')


def test_json_is_printed_unchanged(start):
    listener = start('--json', '--count', '1', '--timeout', '10')
    data = encode(make_result(2))[0]
    listener.send(data)
    code, lines, _ = listener.finish()
    assert code == 0 and lines == [data.decode()]


def test_the_exit_code_is_1_if_no_message_arrives(start):
    listener = start('--timeout', '0.5')
    assert listener.finish()[:2] == (1, [])


def test_invalid_datagrams_are_reported_and_do_not_end_the_command(start):
    listener = start('--count', '1', '--timeout', '10')
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


def test_control_characters_are_not_printed(start):
    result = make_result(1, names=('\x1b[2J', '\x1b[2J'))
    listener = start('--count', '1', '--timeout', '10')
    listener.send(encode(result)[0])
    _, lines, _ = listener.finish()
    assert '\x1b' not in lines[0]


def test_invalid_datagrams_do_not_extend_the_timeout(start):
    listener = start('--timeout', '1')
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
def test_a_signal_ends_the_command_normally(number, start):
    listener = start()
    listener.send(encode(make_result(1))[0])
    listener.wait_for_output('1 object')
    listener.kill(number)
    code, _, errors = listener.finish()
    assert code == 0 and 'Traceback' not in errors


def test_a_port_in_use_is_an_error_of_one_line(run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('127.0.0.1', 0))
        port = other.getsockname()[1]
        done = run('--host', '127.0.0.1', '--port', str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f'cannot listen on port {port}: ')
    assert len(done.stderr.splitlines()) == 1


def test_the_parts_of_a_frame_are_shown_as_one_line(start):
    listener = start('--count', '1', '--timeout', '10')
    for data in encode(make_result(100), max_bytes=1400):
        listener.send(data)
    code, lines, _ = listener.finish()
    assert code == 0 and ' 100 objects ' in lines[0]


def test_a_thousand_objects_arrive_complete_in_datagrams_of_1400_bytes(start):
    listener = start('--count', '5', '--timeout', '10')
    for seq in range(1, 6):
        parts = encode(make_result(1000, seq=seq), max_bytes=1400)
        assert len(parts) > 90 and max(map(len, parts)) <= 1400
        for data in parts:
            listener.send(data)
    code, lines, errors = listener.finish()
    assert code == 0 and '5 frames, 0 lost\n' in errors
    assert len(lines) == 5 and all(' 1000 objects ' in line for line in lines)


def write_recording(path, *messages):
    """Write a recording."""
    path.write_text(''.join(
        json.dumps({'received': 0.0, 'sender': '10.0.0.1:5', 'message': json.loads(data)}) + '\n'
        for data in messages))
    return str(path)


def test_an_invalid_message_is_reported_and_sets_the_exit_code_to_3(tmp_path, run):
    pytest.importorskip('jsonschema')
    valid = encode(make_result(1))[0]
    path = write_recording(
        tmp_path / 'recording.jsonl', valid, valid.replace(b'"schema":1', b'"schema":2'))
    done = run('--replay', path, '--validate')
    assert done.returncode == 3 and len(done.stdout.splitlines()) == 2
    assert '10.0.0.1:5  test: message.udp_infer.schema: 1 was expected' in (
        done.stderr.splitlines())


def test_a_valid_message_leaves_the_exit_code_0(tmp_path, run):
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


def test_a_multicast_group_is_received_on_loopback(start):
    listener = start('--multicast', '239.7.7.7', '--count', '1', '--timeout', '10')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('127.0.0.1'))
        sender.sendto(encode(make_result(1))[0], ('239.7.7.7', listener.port))
    code, lines, _ = listener.finish()
    assert code == 0 and '  1 object  ' in lines[0]


def test_a_terminal_shows_a_live_table(start):
    pytest.importorskip('rich')
    listener = start('--timeout', '10', terminal=(160, 50))
    for seq in range(1, 4):
        listener.send(encode(make_result(2, seq=seq))[0])
    for text in ('person', 'Hz', '0.68'):
        listener.wait_for_output(text)
    listener.kill(signal.SIGTERM)
    assert listener.finish()[0] == 0


def test_markup_of_labels_is_shown_in_the_table_as_it_is(start):
    pytest.importorskip('rich')
    listener = start('--timeout', '10', terminal=(160, 50))
    listener.send(encode(make_result(1, names=('[red]:bomb:', ) * 2))[0])
    listener.wait_for_output('[red]:bomb:')


def test_the_help_lists_the_exit_codes(run):
    done = run('--help')
    assert done.returncode == 0
    assert all(f' {code} ' in done.stdout.partition('Exit codes:')[2] for code in range(5))


@pytest.mark.parametrize('arguments', [
    ('--timeout', 'inf'), ('--timeout', '1e300'), ('--timeout', 'nan'), ('--count', '9' * 400)])
def test_an_option_that_no_timer_accepts_is_refused(run, arguments):
    done = run(*arguments)
    assert done.returncode == 2 and 'must be more than 0 and at most' in done.stderr


def test_a_full_disk_under_the_output_is_an_error_of_one_line(tmp_path):
    path = write_recording(tmp_path / 'recording.jsonl', encode(make_result(1))[0])
    with open('/dev/full', 'w') as full:
        done = subprocess.run(
            [*COMMAND, '--replay', path, '--json'], stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=20)
    assert done.returncode == 4
    assert done.stderr == 'cannot write to standard output: No space left on device\n'


def test_a_terminal_without_a_character_shows_its_escape(tmp_path):
    path = write_recording(
        tmp_path / 'recording.jsonl', encode(make_result(1, names=('\u00e9\u4e00',) * 2))[0])
    done = subprocess.run(
        [*COMMAND, '--replay', path], capture_output=True, text=True, timeout=20,
        env={**os.environ, 'PYTHONIOENCODING': 'ascii'})
    assert done.returncode == 0 and '[\\xe9\\u4e00#1 ' in done.stdout
