# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The options about models, and a download by the node, in real processes."""

from contextlib import suppress
from fcntl import ioctl
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading

import cv2
from helpers import wait_until, write_model, yolo_table
import numpy as np
import pytest
from udp_infer_ros.detection.catalog import CATALOG

pytestmark = pytest.mark.timeout(90)
COMMAND = [
    sys.executable, '-c', 'import sys; from udp_infer_ros.ros.main import main; sys.exit(main())']


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '*')
    return tmp_path / 'cache' / 'udp_infer_ros'


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / 'picture.png'
    cv2.imwrite(str(path), np.full((96, 128, 3), 127, dtype=np.uint8))
    return path


@pytest.fixture
def two_boxes(tmp_path):
    """Write a model without class names that finds two objects in every picture."""
    return write_model(
        tmp_path / 'two.onnx', yolo_table(
            [(8, 16, 32, 40, 0.9, 1), (40, 20, 56, 44, 0.5, 0)], 2))


def run(*arguments):
    """Run a process to its end; return its exit code, its output and its errors."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert 'Traceback' not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_list_models_prints_the_catalog():
    code, output, errors = run('--list-models')
    assert (code, errors) == (0, '')
    assert [line.split()[0] for line in output.splitlines()[1:len(CATALOG) + 1]] == list(CATALOG)


@pytest.mark.parametrize('arguments', [
    ['--describe-model', '{model}', '--ros-args', '-p', 'model.family:=yolo'],
    ['--describe-model', '--ros-args', '-p', 'model.id:={model}', '-p', 'model.family:=yolo'],
    ['--describe-model', '--ros-args', '--params-file', '{yaml}'],
    ['--describe-model', '--ros-args', '-r', '__node:=camera', '--params-file', '{yaml}'],
])
def test_describe_model_uses_the_parameters(two_boxes, tmp_path, arguments):
    config = tmp_path / 'my.yaml'
    name = 'camera' if '__node:=camera' in arguments else 'udp_infer'
    config.write_text(
        f'{name}:\n  ros__parameters:\n    model: {{id: {two_boxes}, family: yolo}}\n'
        'other:\n  ros__parameters:\n    model: {id: /no/such.onnx}\n')
    code, output, errors = run(
        *(text.format(model=two_boxes, yaml=config) for text in arguments))
    assert code == 0, errors
    assert 'model    two\n' in output and 'family   yolo (set by model.family)' in output


def test_the_detections_in_a_picture_are_printed_and_drawn(two_boxes, picture, tmp_path):
    out = tmp_path / 'out.png'
    code, output, errors = run(
        '--describe-model', two_boxes, '--image', picture, '--out', out, '--ros-args', '-p',
        'model.family:=yolo', '-p', 'model.labels:=[cat, dog]')
    assert code == 0, errors
    # The picture is 128 x 96, so half of it is 64 x 48, with 8 pixels above and below.
    file, *lines = output.split('one run')[1].splitlines()[1:]
    assert file.startswith('a file   model.concurrency ')
    assert lines == [
        'found    2, confidence, corners in pixels', '         dog 0.90  16 16 64 64',
        '         cat 0.50  80 24 112 72', f'drawn to {out}']
    drawn = cv2.imread(str(out))
    assert drawn.shape == (96, 128, 3)
    assert (drawn[64, 20:60] != 127).any(axis=1).all(), 'the lower edge of a box'
    assert (drawn[90] == 127).all()


@pytest.mark.parametrize('parameter, found', [
    ("detect.classes:=['0']", '1'), ('detect.confidence:=0.95', '0')])
def test_the_detections_are_selected_by_the_parameters(two_boxes, picture, parameter, found):
    code, output, _ = run(
        '--describe-model', two_boxes, '--image', picture, '--ros-args', '-p',
        'model.family:=yolo', '-p', parameter)
    assert code == 0 and f'found    {found},' in output


@pytest.mark.parametrize('arguments, code, text', [
    (['--describe-model', '--image', '/no.png'], 1,
     "--image = '/no.png': cannot be read: No such file or directory; give the path"),
    (['--describe-model', '--image', '/dev/null'], 1, "--image = '/dev/null': "),
    (['--describe-model', '--image', '{picture}', '--out', 'a.xyz'], 1,
     "--out = 'a.xyz': must end with the suffix of a picture; use .png or .jpg"),
    (['--describe-model', '--image', '{picture}', '--out', '/no/such/a.png'], 1,
     "--out = '/no/such/a.png': cannot be written: No such file or directory"),
    (['--image', '{picture}'], 2, '--image needs --describe-model'),
    (['--describe-model', '--out', 'a.png'], 2, '--out needs --image'),
    (['--describe-model', '--ros-args', '-p', 'model.device:=cud'], 1, 'did you mean cuda?'),
    (['--describe-model', '--ros-args', '-p', 'model.id:=[['], 1, 'invalid ROS arguments'),
])
def test_a_mistake_is_one_line_and_exit_code_1_or_2(picture, arguments, code, text):
    returned, output, errors = run(*(word.format(picture=picture) for word in arguments))
    assert returned == code
    assert text in (errors if code == 2 else errors.splitlines()[-1])


def test_unknown_parameters_and_unmatched_files_are_reported(two_boxes, tmp_path):
    config = tmp_path / 'my.yaml'
    config.write_text('other:\n  ros__parameters: {model: {threads: 1}}\n')
    code, output, errors = run(
        '--describe-model', two_boxes, '--ros-args', '-p', 'model.family:=yolo', '-p',
        'model.famly:=yolo', '--params-file', config)
    assert code == 0 and 'one run' in output
    first, second = errors.splitlines()
    assert first == 'model.famly is not a parameter; did you mean model.family?'
    assert f'--params-file {config}: has no parameters for /udp_infer' in second


def test_a_closed_pipe_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, '--list-models'], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, '')


class Handler(BaseHTTPRequestHandler):
    """Serves a model; the first response stops in the middle."""

    def do_GET(self):
        server = self.server
        begin = int(self.headers.get('Range', 'bytes=0-')[6:-1])
        server.begins.append(begin)
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header(
                'Content-Range', f'bytes {begin}-{len(server.content) - 1}/{len(server.content)}')
        self.send_header('Content-Length', str(len(server.content) - begin))
        self.send_header('ETag', '"v1"')
        self.end_headers()
        half = len(server.content) // 2
        self.wfile.write(server.content[begin:] if begin else server.content[:half])
        server.sent.set()
        if not begin and not server.finish.wait(60.0):
            return
        self.wfile.write(b'' if begin else server.content[half:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(two_boxes):
    served = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    served.content, served.begins = two_boxes.read_bytes(), []
    served.sent, served.finish = threading.Event(), threading.Event()
    served.parameters = {
        'model.id': f'http://127.0.0.1:{served.server_port}/m.onnx', 'model.family': 'yolo',
        'model.sha256': hashlib.sha256(served.content).hexdigest()}
    thread = threading.Thread(target=served.serve_forever, args=(0.02,))
    thread.start()
    yield served
    served.finish.set()
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_download_and_the_next_start_continues_it(server, cache, number):
    arguments = [text for item in server.parameters.items() for text in ('-p', ':='.join(item))]
    first = subprocess.Popen(
        [*COMMAND, '--ros-args', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
    assert server.sent.wait(30.0)
    half = len(server.content) // 2
    wait_until(lambda: any(part.stat().st_size == half for part in cache.rglob('*.part')))
    first.send_signal(number)
    output, _ = first.communicate(timeout=30)
    assert first.returncode == 0 and 'Traceback' not in output, output
    code, output, errors = run('--describe-model', '--ros-args', *arguments)
    assert code == 0, errors
    assert server.begins == [0, half]
    assert 'model    m\n' in output


def test_progress_is_a_bar_on_a_terminal(server):
    server.finish.set()
    arguments = [text for item in server.parameters.items() for text in ('-p', ':='.join(item))]
    terminal, stderr = pty.openpty()
    ioctl(stderr, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
    done = subprocess.run(
        [*COMMAND, '--describe-model', '--ros-args', *arguments], stdout=subprocess.PIPE,
        stderr=stderr, text=True, timeout=60)
    os.close(stderr)
    shown = ''
    with open(terminal, 'rb', buffering=0) as screen, suppress(OSError):  # At the end: EIO.
        while text := screen.read(65536):
            shown += text.decode(errors='replace')
    assert done.returncode == 0 and 'model    m\n' in done.stdout
    assert 'm.onnx: 100%|' in shown and ' of 0.0 MB' not in shown, shown
