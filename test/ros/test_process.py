# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The executable: exit codes, one line for each mistake, a clip from its begin to its end."""

import os
from pathlib import Path
import re
import signal
import socket
import subprocess
import sys
import time

from helpers import write_clip, write_model, yolo_table
import pytest

pytestmark = pytest.mark.timeout(60)
COMMAND = [
    sys.executable, '-c', 'import sys; from udp_infer_ros.ros.main import main; sys.exit(main())',
    '--ros-args']


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / 'clip.avi', frames=40, fps=20.0, step=5)


@pytest.fixture
def ear():
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(('127.0.0.1', 0))
    receiver.settimeout(20.0)
    yield receiver
    receiver.close()


def target(ear):
    """Write where the ear listens as a parameter."""
    return ['-p', f"udp.targets:=['127.0.0.1:{ear.getsockname()[1]}']"]


def run(*arguments):
    """Run the node to its end; give the exit code and what it logged."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=40)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize('parameter, text', [
    ('detect.confidence:=7',
     'detect.confidence = 7: must be a number from 0 to 1; the default is 0.4'),
    ('model.id:=/no/such.onnx', "model.id = '/no/such.onnx': must be a bundled model or the path"),
    ('model.labels:=[a, b]', "model.labels = ['a', 'b']: has 2 classes, but the network has 80"),
    ('source.uri:=/no/such.mp4', "source.uri = '/no/such.mp4': no such file or device"),
    ('source.uri:=63', "source.uri = '/dev/video63': the device does not open"),
    ("udp.targets:=['no-such-host.invalid:5']", "the host 'no-such-host.invalid' is not known"),
    ("udp.targets:=['127.0.0.1:70000']", 'must be host:port with a port from 1 to 65535'),
    ('detect.classes:=[persn]', "the model has no class 'persn'; did you mean 'person'?"),
])
def test_a_mistake_is_one_line_and_exit_code_1(parameter, text):
    code, log = run('-p', parameter)
    assert code == 1
    [line] = [line for line in log.splitlines() if 'INFO' not in line]
    assert text in line


def test_a_command_line_that_ros_cannot_read_is_no_traceback():
    code, log = run('-p', 'udp.targets:=[[')
    assert code == 1 and 'Traceback' not in log and 'parse' in log


def test_what_the_shipped_yaml_file_says_is_accepted(clip):
    config = Path(__file__).resolve().parents[2] / 'config' / 'udp_infer.yaml'
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true')
    assert code == 0 and 'WARN' not in log and 'is not a parameter' not in log


def test_a_whole_number_is_accepted_where_a_number_is_wanted(clip, tmp_path):
    config = tmp_path / 'mine.yaml'
    config.write_text(
        '/**:\n  ros__parameters:\n    detect: {confidence: 1}\n    track: {lost_s: 2}\n'
        '    speling: {mistake: 1}\n')
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true')
    assert code == 0
    assert 'speling.mistake is not a parameter, did you mean' in log


def test_an_empty_list_of_targets_is_nobody(clip, tmp_path):
    config = tmp_path / 'mine.yaml'
    config.write_text('/**:\n  ros__parameters:\n    udp: {targets: []}\n')
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true')
    assert code == 0 and 'and udp nobody' in log


@pytest.mark.parametrize('words, code, text', [
    (['--help'], 0, '--describe-model ID'),
    (['street.mp4'], 2, 'unrecognized arguments: street.mp4'),
])
def test_other_words_than_those_of_ros_are_answered(words, code, text):
    done = subprocess.run(
        [*COMMAND[:-1], *words], capture_output=True, text=True, timeout=40)
    assert done.returncode == code and text in done.stdout + done.stderr


@pytest.mark.parametrize('gap_s', [0.0, 0.01])
def test_an_impatient_second_signal_changes_nothing(clip, ear, gap_s):
    process = subprocess.Popen(
        [*COMMAND, '-p', f'source.uri:={clip}', '-p', 'source.loop:=true', *target(ear)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    ear.recv(65535)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(gap_s)
    os.kill(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0, rest


def test_a_clip_is_told_frame_by_frame_and_then_the_process_ends(clip, ear, tmp_path):
    model = write_model(tmp_path / 'm.onnx', yolo_table([(1, 1, 40, 40, 0.9, 0)], 2))
    code, log = run(
        '-p', f'source.uri:={clip}', '-p', 'source.exit_at_end:=true', '-p', f'model.id:={model}',
        *target(ear))
    assert code == 0, log
    assert f'end of {clip} after 40 frames' in log
    ear.setblocking(False)
    for frame_id in range(40):
        assert ear.recv(65535).startswith(b'{"frame_id":%d,' % frame_id)
    with pytest.raises(BlockingIOError):
        ear.recv(65535)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('uri', ['', 'loop', 'ended'])
def test_a_signal_ends_it_within_two_seconds_with_exit_code_0(number, uri, clip, ear):
    source = [] if not uri else ['-p', f'source.uri:={clip}', '-p', (
        'source.loop:=' + str(uri == 'loop').lower())]
    process = subprocess.Popen(
        [*COMMAND, *source, *target(ear)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
    awaited = {'': '-> /udp_infer/detections', 'loop': '-> /udp_infer/detections',
               'ended': 'idle from here on'}[uri]
    seen = ''
    while awaited not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    if uri == 'loop':
        ear.recv(65535)
    begin_s = time.monotonic()
    os.kill(process.pid, number)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0, rest
    assert time.monotonic() - begin_s < 2.0
    assert not re.search('Traceback|ERROR|WARN|left behind', rest), rest


@pytest.mark.parametrize('model, code', [('nanodet_g_416', 0), ('/no/such.onnx', 1)])
def test_a_model_is_described_without_a_ros_graph(model, code):
    done = subprocess.run(
        [*COMMAND[:-1], '--describe-model', model], capture_output=True, text=True, timeout=40)
    assert done.returncode == code
    assert 'Traceback' not in done.stderr
    assert ('family   yolo' in done.stdout) == (code == 0)
    assert ("model.id = '/no/such.onnx'" in done.stderr) == (code == 1)
