# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The executable: arguments, exit codes, one line for each mistake, signals, a whole clip."""

from concurrent.futures import ThreadPoolExecutor
import json
import os
from pathlib import Path
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

from helpers import target_of, write_clip, write_model, yolo_table
import numpy as np
import pytest

pytestmark = pytest.mark.timeout(60)
COMMAND = [
    sys.executable, '-c', 'import sys; from udp_infer_ros.ros.main import main; sys.exit(main())',
    '--ros-args']


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / 'clip.avi', frames=40, fps=20.0, step=5)


def target(receiver):
    """Return the arguments that make a receiver the only target."""
    return ['-p', f"udp.targets:=['{target_of(receiver)}']"]


def run(*arguments, command=COMMAND):
    """Run the node to its end; return the exit code and its output."""
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=40)
    return done.returncode, done.stdout + done.stderr


def start(*arguments):
    """Start the node; its output is to be read from `stdout`."""
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def read_until(process, text):
    """Read the output of a process up to the line with a text."""
    lines = []
    while not lines or text not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], ''.join(lines)


def end(process):
    """Wait for the end of a process; check its exit code and its output, and return that."""
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert not re.search('Traceback|ERROR|WARN|abandoned', output), output
    return output


@pytest.mark.parametrize('parameter, text', [
    ('detect.confidence:=7',
     'detect.confidence = 7: must be a number from 0 to 1; the default is 0.4'),
    ('model.id:=/no/such.onnx', "model.id = '/no/such.onnx': no such file; check the path"),
    ('model.labels:=[a, b]', "model.labels = ['a', 'b']: has 2 classes, but the network has 80"),
    ('source.uri:=/no/such.mp4', "source.uri = '/no/such.mp4': no such file or device"),
    ('source.uri:=63', "source.uri = '/dev/video63': no such device; the"),
    ("udp.targets:=['no-such-host.invalid:5']", "the host 'no-such-host.invalid' is unknown"),
    ("udp.targets:=['127.0.0.1:70000']", 'must be host:port with a port from 1 to 65535'),
    ('detect.classes:=[persn]', "the model has no class 'persn'; did you mean 'person'?"),
])
def test_an_invalid_value_gives_one_line_and_exit_code_1(parameter, text):
    code, log = run('-p', parameter)
    assert code == 1
    [line] = [line for line in log.splitlines() if 'INFO' not in line]
    assert text in line
    stops = [line for line in log.splitlines() if 'stopping with exit code 1: ' in line]
    assert len(stops) == ('did not succeed' in log), 'only a node that exists stops'


def test_invalid_ros_arguments_give_exit_code_1_and_no_traceback():
    code, log = run('-p', 'udp.targets:=[[')
    assert code == 1 and 'Traceback' not in log
    assert 'udp_infer: invalid ROS arguments: ' in log


def test_the_shipped_yaml_file_is_accepted(clip):
    config = Path(__file__).resolve().parents[2] / 'config' / 'udp_infer.yaml'
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true')
    assert code == 0 and 'WARN' not in log and 'is not a parameter' not in log


def test_an_integer_is_accepted_for_a_float_and_an_unknown_name_gives_a_warning(clip, tmp_path):
    config = tmp_path / 'params.yaml'
    config.write_text(
        '/**:\n  ros__parameters:\n    detect: {confidence: 1}\n    track: {lost_s: 2}\n'
        '    speling: {mistake: 1}\n')
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true')
    assert code == 0
    assert 'speling.mistake is not a parameter; did you mean' in log


@pytest.mark.parametrize('name, warns', [
    ('other_node', True), ('/ns/udp_infer', True), ('/**', False), ('udp_infer', False),
    ('/*', False)])
def test_a_parameter_file_for_another_node_gives_a_warning(clip, tmp_path, name, warns):
    config = tmp_path / 'params.yaml'
    config.write_text(f'{name}:\n  ros__parameters: {{track: {{lost_s: 2.0}}}}\n')
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true')
    assert code == 0
    text = f'--params-file {config}: has no parameters for /udp_infer; name this node in it'
    assert (text in log) == warns


@pytest.mark.parametrize('value', ['=', '2026-13-45'])
def test_a_value_that_is_not_valid_in_yaml_but_in_rcl_is_used(clip, receiver, tmp_path, value):
    config = tmp_path / 'params.yaml'
    config.write_text(f'/**:\n  ros__parameters: {{source: {{frame_id: {value}}}}}\n')
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true', *target(receiver))
    assert code == 0 and 'has no parameters for' not in log
    assert json.loads(receiver.recv(65535))['udp_infer']['ros_frame'] == value


def test_an_empty_list_of_targets_turns_udp_off(clip, tmp_path):
    config = tmp_path / 'params.yaml'
    config.write_text('/**:\n  ros__parameters:\n    udp: {targets: []}\n')
    code, log = run(
        '--params-file', str(config), '-p', f'source.uri:={clip}', '-p',
        'source.exit_at_end:=true')
    assert code == 0 and 'udp off' in log


@pytest.mark.parametrize('arguments, code, text', [
    (['--help'], 0, '--describe-model [ID]'),
    (['street.mp4'], 2, 'unrecognized arguments: street.mp4'),
])
def test_arguments_that_are_not_for_ros_are_parsed(arguments, code, text):
    returned, output = run(*arguments, command=COMMAND[:-1])
    assert returned == code and text in output


def test_a_clip_is_sent_frame_by_frame_and_then_the_process_ends(clip, receiver, tmp_path):
    model = write_model(tmp_path / 'm.onnx', yolo_table([(1, 1, 40, 40, 0.9, 0)], 2))
    code, log = run(
        '-p', f'source.uri:={clip}', '-p', 'source.exit_at_end:=true', '-p', f'model.id:={model}',
        *target(receiver))
    assert code == 0, log
    assert f'end of {clip} after 40 frames' in log
    assert log.splitlines()[-1].endswith(
        'stopping with exit code 0: end of source (source.exit_at_end)')
    receiver.setblocking(False)
    for frame_id in range(40):
        assert receiver.recv(65535).startswith(b'{"frame_id":%d,' % frame_id)
    with pytest.raises(BlockingIOError):
        receiver.recv(65535)


def test_a_node_that_neither_draws_nor_downloads_does_not_import_what_that_needs(clip):
    code, log = run(
        '-p', f'source.uri:={clip}', '-p', 'source.exit_at_end:=true',
        command=[COMMAND[0], '-X', 'importtime', *COMMAND[1:]])
    assert code == 0, log
    imported = {
        line.rpartition('|')[2].strip() for line in log.splitlines()
        if line.startswith('import time:')}
    assert 'onnxruntime' in imported
    assert not imported & {
        'supervision', 'matplotlib', 'scipy', 'PIL.Image', 'http.client', 'tqdm'}


SIGNALS = pytest.mark.parametrize(
    'number', [signal.SIGINT, signal.SIGTERM], ids=['SIGINT', 'SIGTERM'])


@SIGNALS
@pytest.mark.parametrize('case, text', [
    ('topic', '-> /udp_infer/detections, udp '), ('loop', '-> /udp_infer/detections, udp '),
    ('ended', 'end of source, idle')])
def test_a_signal_ends_a_running_node_with_exit_code_0(number, case, text, clip, receiver):
    source = [] if case == 'topic' else [
        '-p', f'source.uri:={clip}', '-p', f'source.loop:={str(case == "loop").lower()}']
    process = start(*source, *target(receiver))
    read_until(process, text)
    if case == 'loop':
        receiver.recv(65535)
    process.send_signal(number)
    assert f'stopping with exit code 0: {number.name}\n' in end(process)


@pytest.mark.parametrize('gap_s', [0.0, 0.01])
def test_a_second_signal_changes_nothing(clip, receiver, gap_s):
    process = start('-p', f'source.uri:={clip}', '-p', 'source.loop:=true', *target(receiver))
    receiver.recv(65535)
    process.send_signal(signal.SIGINT)
    time.sleep(gap_s)
    process.send_signal(signal.SIGINT)
    end(process)


def wait_for_handlers(process):
    """Wait until a process has a handler of SIGTERM; Python by itself installs none."""
    status = Path(f'/proc/{process.pid}/status')
    deadline_s = time.monotonic() + 30.0
    while True:
        caught = re.search(r'^SigCgt:\s*(\w+)', status.read_text(), re.MULTILINE)
        if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


@SIGNALS
def test_a_signal_at_any_moment_of_the_start_ends_the_process_with_exit_code_0(number):
    """
    Send signals from 0 to 2 s after the handlers are installed: imports, model, first images.

    Python reaches main() after about 0.1 s; until then, a signal has its default effect.
    """
    def end_after(delay_s):
        process = start()
        wait_for_handlers(process)
        time.sleep(delay_s)
        process.send_signal(number)
        end(process)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(end_after, np.linspace(0.0, 2.0, 20)))


@SIGNALS
@pytest.mark.parametrize('module', ['rclpy', 'udp_infer_ros.ros.node', 'cv2'])
def test_a_signal_during_an_import_ends_the_process_with_exit_code_0(number, module):
    done = subprocess.run(
        [sys.executable, '-c', SIGNAL_AT_IMPORT, str(int(number)), module],
        capture_output=True, text=True, timeout=40)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'importing\n', '')


SIGNAL_AT_IMPORT = """
import os, sys
from udp_infer_ros.ros.main import main
class Finder:
    def find_spec(self, name, path, target=None):
        if name == sys.argv[2]:
            print('importing', flush=True)
            os.kill(os.getpid(), int(sys.argv[1]))
sys.meta_path.insert(0, Finder())
sys.exit(main([]))
"""


@SIGNALS
def test_a_signal_while_a_model_loads_ends_the_process_with_exit_code_0(number):
    done = subprocess.run(
        [sys.executable, '-c', ENDLESS_LOADING, str(int(number))],
        capture_output=True, text=True, timeout=40)
    assert (done.returncode, done.stdout) == (0, '')
    [line] = done.stderr.splitlines()
    assert line.endswith(f'stopping with exit code 0: {number.name}')


ENDLESS_LOADING = """
import os, sys
import onnxruntime
from udp_infer_ros.ros.main import main
session = onnxruntime.InferenceSession
def load(*arguments, **keywords):
    os.kill(os.getpid(), int(sys.argv[1]))
    while True:
        session(*arguments, **keywords)
onnxruntime.InferenceSession = load
sys.exit(main([]))
"""


@SIGNALS
@pytest.mark.parametrize('scheme', ['http', 'rtsp'])
def test_a_signal_while_a_stream_opens_ends_the_process_with_exit_code_0(number, scheme):
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(20.0)
        process = start('-p', f'source.uri:={scheme}://127.0.0.1:{server.getsockname()[1]}/1')
        connection, _ = server.accept()
        with connection:  # The server never responds.
            process.send_signal(number)
            end(process)


@pytest.mark.parametrize('arguments', [
    ['--log-level', 'debug'], ['--log-level', 'udp_infer:=debug']])
def test_log_level_debug_shows_the_decisions_of_the_core_and_of_the_node(clip, arguments):
    code, log = run(
        *arguments, '-p', f'source.uri:={clip}', '-p', 'source.exit_at_end:=true',
        '-p', 'model.concurrency:=1')
    assert code == 0
    for text in ('families that match: yolo', f'{clip} is of kind file; it waits for the model',
                 f'opening {clip}', f'{clip}: backend '):
        assert log.count(text) == 1, text
    code, log = run('-p', f'source.uri:={clip}', '-p', 'source.exit_at_end:=true')
    assert code == 0 and 'DEBUG' not in log


def test_log_level_debug_applies_to_a_node_in_a_namespace(clip):
    code, log = run(
        '-r', '__ns:=/front', '--log-level', 'front.udp_infer:=debug', '-p',
        f'source.uri:={clip}', '-p', 'source.exit_at_end:=true')
    assert code == 0 and '[front.udp_infer]: nanodet_g_416: outputs' in log


@pytest.mark.parametrize('closed', ['>&-', '2>&-', '>&- 2>&-', '<&- >&- 2>&-'])
def test_a_node_with_closed_streams_sends_its_results_and_nothing_else(
        clip, receiver, tmp_path, closed):
    model = write_model(tmp_path / 'm.onnx', yolo_table([(1, 1, 40, 40, 0.9, 0)], 2))
    words = [*COMMAND, '-p', f'source.uri:={clip}', '-p', 'source.exit_at_end:=true', '-p',
             f'model.id:={model}', *target(receiver)]
    done = subprocess.run(
        ['bash', '-c', f'{shlex.join(words)} {closed}'], capture_output=True, timeout=40)
    assert done.returncode == 0
    assert b'Traceback' not in done.stderr
    for i in range(40):
        assert json.loads(receiver.recv(65535))['udp_infer']['seq'] == i + 1


@pytest.mark.parametrize('arguments', [
    ['--describe-model', 'nanodet_g_416'], ['--list-models'], ['--help']])
def test_output_into_a_closed_pipe_gives_no_traceback(arguments):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND[:-1], *arguments], stdout=write, stderr=subprocess.PIPE, timeout=40)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b'')


def test_output_to_a_full_disk_is_an_error_of_one_line():
    with open('/dev/full', 'w') as full:
        done = subprocess.run(
            [*COMMAND[:-1], '--describe-model', 'nanodet_g_416'], stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=40)
    assert (done.returncode, done.stderr) == (
        1, 'cannot write to standard output: No space left on device\n')


@pytest.mark.parametrize('model, code, text', [
    ('nanodet_g_416', 0, 'family   yolo'), ('/no/such.onnx', 1, "model.id = '/no/such.onnx'")])
def test_describe_model_prints_a_description_or_an_error(model, code, text):
    returned, output = run('--describe-model', model, command=COMMAND[:-1])
    assert returned == code and text in output
    assert 'Traceback' not in output
