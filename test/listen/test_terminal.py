# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""udp_infer_listen in terminals of any kind, in pipes, and with closed streams."""

import json
import os
import re
import socket
import subprocess
import sys

from helpers import make_result, wait_until
import pytest
from udp_infer_ros.outputs.payload import encode

pytestmark = [pytest.mark.once, pytest.mark.timeout(40)]
COMMAND = f'"{sys.executable}" -m udp_infer_ros.listen'
COLOR = re.compile('\x1b\\[[0-9;]*3[0-7]m')
FRAMES = 4000
"""More than fit into a pipe, so that a reader that ends is noticed."""


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """Write a recording of frames that arrived at once."""
    path = tmp_path_factory.mktemp('recording') / 'recording.jsonl'
    path.write_text(''.join(json.dumps({
        'received': 0.0, 'sender': '10.0.0.1:5', 'message': json.loads(
            encode(make_result(1, seq=seq))[0])}) + '\n' for seq in range(1, FRAMES + 1)))
    return path


def shell(command):
    """Run a command of bash; return its exit code, output and errors."""
    done = subprocess.run(
        ['bash', '-c', command], capture_output=True, text=True, timeout=30,
        stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize('terminal', [(20, 5), (1, 1), (71, 40), (160, 9)])
def test_a_terminal_that_is_too_small_for_a_table_shows_lines(start, terminal):
    listener = start('--count', '2', '--timeout', '10', terminal=terminal)
    for seq in (1, 2):
        listener.send(encode(make_result(2, seq=seq))[0])
    code, lines, errors = listener.finish()
    assert code == 0 and 'Traceback' not in errors
    assert [line.split('  ')[2] for line in lines] == ['frame 11', 'frame 11']


def test_a_terminal_of_unknown_size_shows_a_table(start):
    pytest.importorskip('rich')
    listener = start('--timeout', '10', terminal=(0, 0))
    listener.send(encode(make_result(2))[0])
    listener.wait_for_output('┃')


@pytest.mark.parametrize('name', ['dumb', 'unknown', ''])
def test_a_terminal_that_cannot_move_its_cursor_shows_lines_without_escape_codes(start, name):
    listener = start(
        '--count', '1', '--timeout', '10', terminal=(160, 50), env={'TERM': name})
    listener.send(encode(make_result(1))[0])
    code, lines, _ = listener.finish()
    assert code == 0 and len(lines) == 1 and '\x1b' not in lines[0]


def test_no_color_gives_a_table_without_colors(start):
    pytest.importorskip('rich')
    listener = start('--timeout', '10', terminal=(160, 50), env={'NO_COLOR': '1'})
    listener.send(encode(make_result(2))[0])
    listener.wait_for_output('0.68')
    assert not COLOR.search(listener.stdout.read_text(errors='replace'))


def test_a_terminal_that_is_closed_under_a_table_is_an_error_of_one_line(start):
    pytest.importorskip('rich')
    listener = start('--timeout', '20', terminal=(160, 50))
    listener.send(encode(make_result(1, seq=1))[0])
    listener.wait_for_output('person')
    listener.close_terminal()
    listener.send(encode(make_result(1, seq=2))[0])
    code, _, errors = listener.finish()
    assert code == 4
    assert errors.splitlines()[0] == 'cannot write to standard output: Input/output error'
    assert 'Traceback' not in errors


@pytest.mark.parametrize('options', ['', '--json', '--lines --validate'])
def test_a_pipe_that_its_reader_closes_ends_the_command_normally(recording, options):
    if 'validate' in options:
        pytest.importorskip('jsonschema')
    code, output, errors = shell(
        f'{COMMAND} --replay {recording} {options} | head -n 1; exit ${{PIPESTATUS[0]}}')
    assert code == 0 and len(output.splitlines()) == 1
    assert 'Traceback' not in errors and 'Broken pipe' not in errors
    shown = re.search('([0-9]+) frames', errors)
    assert '--json' in options or int(shown[1]) < FRAMES, 'it ends before the recording does'


@pytest.mark.parametrize('options', ['', '--json'])
def test_a_listener_whose_pipe_is_closed_ends_with_the_next_frame(options):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(('127.0.0.1', 0))
        port = sender.getsockname()[1] + 1
        process = subprocess.Popen(
            [sys.executable, '-m', 'udp_infer_ros.listen', '--host', '127.0.0.1', '--port',
             str(port), *options.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        while process.poll() is None:
            sender.sendto(encode(make_result(1))[0], ('127.0.0.1', port))
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert process.returncode == 0 and b'Traceback' not in process.stderr.read()
        process.stderr.close()


def test_help_into_a_closed_pipe_gives_no_traceback():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, '-m', 'udp_infer_ros.listen', '--help'], stdout=write,
        stderr=subprocess.PIPE, timeout=20)
    os.close(write)
    assert done.returncode == 0 and done.stderr == b''


@pytest.mark.parametrize('closed', ['>&-', '2>&-', '<&-', '>&- 2>&-', '<&- >&- 2>&-'])
@pytest.mark.parametrize('options', ['', '--json'])
def test_a_closed_stream_is_like_the_null_device(recording, tmp_path, closed, options):
    record = tmp_path / 'again.jsonl'
    code, output, errors = shell(
        f'{COMMAND} --replay {recording} --count 3 --record {record} {options} {closed}')
    assert code == 0 and 'Traceback' not in errors
    assert len(output.splitlines()) == (0 if '>&- ' in f' {closed} '.replace('2>&-', '') else 3)
    assert len(record.read_text().splitlines()) == 3, 'no other file has its descriptor'


@pytest.mark.parametrize('arguments', [(), ('--json',), ('--validate',)])
def test_a_command_that_received_nothing_prints_what_to_check(start, arguments):
    if '--validate' in arguments:
        pytest.importorskip('jsonschema')
    listener = start('--timeout', '0.5', *arguments)
    code, lines, errors = listener.finish()
    assert (code, lines) == (1, [])
    assert errors.splitlines()[-1] == (
        f'no message arrived on 127.0.0.1:{listener.port}; check --port and --host, udp.targets '
        'of the sender, that it processes images, and the firewall')


@pytest.mark.parametrize('arguments', [(), ('--json',)])
def test_what_to_check_is_printed_once_if_no_message_arrives_for_some_seconds(start, arguments):
    listener = start('--count', '2', *arguments)
    hint = f'no message for 5 s on 127.0.0.1:{listener.port}; check --port and --host, '
    wait_until(lambda: hint in listener.stderr.read_text(), 15.0)
    data = encode(make_result(1))[0]
    for _ in range(2):
        listener.send(data)
    code, lines, errors = listener.finish()
    assert code == 0 and len(lines) == 2 and not any('no message' in line for line in lines)
    assert errors.count('no message') == 1


def test_a_live_table_is_not_interrupted_by_what_to_check(start):
    pytest.importorskip('rich')
    listener = start('--timeout', '6', terminal=(100, 30))
    assert 'no message for' not in listener.finish()[2]


def test_an_empty_recording_is_named(tmp_path, run):
    path = tmp_path / 'empty.jsonl'
    path.touch()
    done = run('--replay', path)
    assert (done.returncode, done.stdout, done.stderr) == (1, '', f'{path} has no message\n')


def test_lines_of_several_cameras_on_one_port_name_their_sources(start):
    sources = ('/front/image_raw', '/rear/image_raw')
    listener = start('--count', '2', '--timeout', '10')
    for source in sources:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(
                encode(make_result(1, source=source))[0], ('127.0.0.1', listener.port))
    code, lines, errors = listener.finish()
    assert code == 0
    assert [line.split('  ')[1] for line in lines] == list(sources)
    assert [line.split('  ')[1] for line in errors.splitlines()[1:]] == [
        f'{source}: 1 frame, 0 lost' for source in sources]


def test_the_objects_of_a_table_name_the_source(start):
    pytest.importorskip('rich')
    listener = start('--timeout', '10', terminal=(160, 50))
    listener.send(encode(make_result(1, source='/rear/image_raw'))[0])
    listener.wait_for_output('│ /rear/image_raw │ person')
