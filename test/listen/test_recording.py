# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Recordings: what is in the file at which time, and what a replay shows of it."""

import json
from pathlib import Path
import shutil
import socket
import subprocess
import sys

from helpers import make_result
import pytest
from udp_infer_ros.outputs.payload import encode, to_json

NO_RECORDING = 'line 1 is neither a line of --record nor a message'
pytestmark = [pytest.mark.once, pytest.mark.timeout(30)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path):
    """Return the path of a recording that does not exist yet."""
    return tmp_path / 'recording.jsonl'


def write_recording(path, count, **changes):
    """Write a recording of so many frames."""
    lines = [
        {'received': 0.5, 'sender': '10.0.0.1:5', 'message': json.loads(
            encode(make_result(2, seq=seq))[0]), **changes}
        for seq in range(1, count + 1)]
    path.write_text(''.join(json.dumps(line, separators=(',', ':')) + '\n' for line in lines))


def test_a_recording_is_replayed_with_the_same_output(start, run, path):
    listener = start('--count', '2', '--timeout', '10', '--record', str(path))
    listener.send(encode(make_result(2, seq=1))[0])
    listener.send(encode(make_result(3, seq=3))[0])
    _, live, errors = listener.finish()
    assert '2 frames, 1 lost' in errors
    replayed = run('--replay', path)
    assert replayed.returncode == 0
    assert replayed.stdout.splitlines() == live
    assert '2 frames, 1 lost' in replayed.stderr


@pytest.mark.parametrize('payload, sender', [('full', 'recording.jsonl  test'),
                                             ('roboflow', 'recording.jsonl')])
def test_a_file_of_messages_as_json_prints_them_is_replayed(run, path, payload, sender):
    path.write_text(''.join(
        to_json(make_result(2, seq=seq), payload=payload) + '\n' for seq in (1, 2)))
    replayed = run('--replay', path)
    assert replayed.returncode == 0
    assert len(replayed.stdout.splitlines()) == 2
    assert f'{sender}: 2 frames, 0 lost' in replayed.stderr
    path.write_bytes(path.read_bytes()[:-20])
    assert 'line 2 is incomplete; it is skipped' in run('--replay', path).stderr


@pytest.mark.parametrize('text', [
    '{"frame_id": 1}', '[]', '"received"', '{"predictions": [], "udp_infer": 1}',
    '{"predictions": [], "udp_infer": {"stamp": {"sec": "1"}}}',
    '{"received": 1' + '0' * 400 + ', "sender": "a", "message": {}}'])
def test_json_that_is_no_message_is_refused(run, path, text):
    path.write_text(text + '\n')
    done = run('--replay', path)
    assert (done.returncode, done.stderr) == (2, f'--replay = {path}: {NO_RECORDING}\n')


def test_a_message_of_unprintable_characters_is_recorded_with_the_same_value(start, path):
    listener = start('--count', '1', '--timeout', '10', '--record', str(path))
    content = json.loads(encode(make_result(1))[0])
    content['predictions'][0]['class'] = '\u0085\u009b\u2028\u202e\U000e0001\u00e9'
    listener.send(json.dumps(content, ensure_ascii=False, indent=1).encode())
    assert listener.finish()[0] == 0
    line, = path.read_bytes().split(b'\n')[:-1]
    assert json.loads(line)['message'] == content
    assert line.decode().isprintable()


def test_a_listener_that_is_killed_loses_no_message_that_it_showed(start, run, path):
    listener = start('--record', str(path))
    for seq in range(1, 31):
        listener.send(encode(make_result(2, seq=seq))[0])
    listener.wait_for_output('seq 10 ')
    listener.kill()
    shown = listener.finish()[1]
    replayed = run('--replay', path)
    assert replayed.returncode == 0
    # It can be killed after it recorded a message and before it showed it.
    assert len(shown) >= 10 and replayed.stdout.splitlines()[:len(shown)] == shown


@pytest.mark.parametrize('kept', [1, 5, 13, 40, -2])
def test_a_torn_last_line_is_skipped_with_a_warning(run, path, kept):
    write_recording(path, 3)
    *whole, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b''.join([*whole, last[:kept]]))
    done = run('--replay', path)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2
    assert f'{path}: line 3 is incomplete; it is skipped' in done.stderr.splitlines()


def test_a_torn_line_alone_is_a_recording_without_a_message(run, path):
    path.write_text('{"received":17')
    done = run('--replay', path)
    assert done.returncode == 1 and done.stderr.splitlines() == [
        f'{path}: line 1 is incomplete; it is skipped', f'{path} has no message']


def test_a_last_line_that_only_lacks_its_end_of_line_is_shown(run, path):
    write_recording(path, 3)
    path.write_bytes(path.read_bytes()[:-1])
    done = run('--replay', path)
    assert len(done.stdout.splitlines()) == 3 and 'incomplete' not in done.stderr


@pytest.mark.parametrize('text', [
    'not json', '{"received": 1}', '{"received":1,\n', '{"received":' + '9' * 5000 + '}\n',
    '{"received":1,"sender":"a","message":' + '[' * 100_000 + '\n', '\xff\n',
    '{"received":' * 100_000])
def test_a_file_that_is_not_a_recording_is_refused(run, path, text):
    path.write_bytes(text.encode('latin-1'))
    done = run('--replay', path)
    assert done.returncode == 2
    assert done.stderr == f'--replay = {path}: {NO_RECORDING}\n'


@pytest.mark.parametrize('received', [1e300, -1.0, float('nan'), float('inf')])
def test_a_time_that_no_recording_has_is_refused(run, path, received):
    write_recording(path, 1, received=received)
    assert run('--replay', path).stderr.endswith(f'{NO_RECORDING}\n')


def test_the_sender_in_a_recording_cannot_control_the_terminal(run, path):
    write_recording(path, 1, sender='\x1b]0;x\x07\u009b2J\u202e')
    done = run('--replay', path)
    assert done.stdout.startswith('?]0;x??2J?  test  frame 11')
    assert done.stderr == '?]0;x??2J?  test: 1 frame, 0 lost\n'


def test_a_listener_that_cannot_bind_creates_no_file(run, path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('127.0.0.1', 0))
        done = run(
            '--host', '127.0.0.1', '--port', other.getsockname()[1], '--record', path)
    assert done.returncode == 2 and not path.exists()


def test_an_existing_file_is_refused_and_stays_as_it_is(run, path):
    path.write_text('other')
    done = run('--host', '127.0.0.1', '--port', '0', '--record', path)
    assert done.returncode == 2 and path.read_text() == 'other'
    assert done.stderr == f'--record = {path}: the file exists already; record to a new file\n'


@pytest.mark.parametrize('name', ['recording.jsonl', 'symbolic', 'hard', './recording.jsonl'])
def test_a_replay_is_not_recorded_to_the_same_file(run, path, name):
    write_recording(path, 2)
    before = path.read_bytes()
    path.with_name('symbolic').symlink_to(path)
    path.with_name('hard').hardlink_to(path)
    done = run('--replay', path, '--record', path.parent / name)
    assert done.returncode == 2 and path.read_bytes() == before
    assert done.stderr.endswith('the file exists already; record to a new file\n')


def test_a_full_disk_ends_the_listener_and_leaves_a_recording_that_can_be_replayed(path):
    write_recording(path, 200)
    disk = path.with_name('disk')
    disk.mkdir()
    alone = ['unshare', '--mount', '--map-root-user', 'sh', '-c',
             'mount -t tmpfs -o size=64k none "$1" && shift && "$@"', 'sh', disk]
    if not shutil.which('unshare') or subprocess.run(
            [*alone, 'true'], capture_output=True).returncode:
        pytest.skip('this machine does not let a test mount a small disk')
    done = subprocess.run(
        [*alone, 'sh', '-c',
         '"$1" -m udp_infer_ros.listen --replay "$2" --record "$3"; echo "code $?"; '
         '"$1" -m udp_infer_ros.listen --replay "$3"; echo "code $?"',
         'sh', sys.executable, path, disk / 'x'],
        capture_output=True, text=True, cwd=ROOT, timeout=25)
    first, second, _ = done.stdout.split('code ')
    recorded = len(second.splitlines()) - 1
    # The last frame is neither recorded nor shown.
    assert second.startswith('4\n') and 50 < recorded < 100
    assert done.stdout.endswith('code 0\n') and len(first.splitlines()) == recorded
    assert done.stderr.splitlines() == [
        f'--record = {disk}/x: No space left on device; free space and record to a new file',
        f'10.0.0.1:5  test: {recorded} frames, 0 lost',
        f'{disk}/x: line {recorded + 1} is incomplete; it is skipped',
        f'10.0.0.1:5  test: {recorded} frames, 0 lost']
