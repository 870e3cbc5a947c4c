# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""No password and no token of an address reaches a log, a topic, a parameter or a response."""

import subprocess
import sys

from diagnostic_msgs.msg import DiagnosticArray
from helpers import write_clip, write_model, yolo_table
import pytest
from rcl_interfaces.msg import Log, ParameterEvent

pytestmark = pytest.mark.timeout(120)
SECRET = 'S3cr3t0f0urs'
SOURCES = [
    f'rtsp://me:{SECRET}@127.0.0.1:9/1', f'rtsp://{SECRET}@127.0.0.1:9/1',
    f'http://me:{SECRET}/x?y@127.0.0.1:9/1', f'RTSP:admin:{SECRET}@127.0.0.1:9',
    f'admin:{SECRET}@127.0.0.1', f'http://127.0.0.1:9/v.mjpg?password={SECRET}',
    f'http://127.0.0.1:9/?access_token={SECRET}#x', f'http://127.0.0.1:9/?api-key={SECRET}',
    f'http://127.0.0.1:9/cgi?loginuse=me&loginpas={SECRET}', f'tcp://me:{SECRET}@127.0.0.1:9',
    f'rtspsrc location=rtsp://me:{SECRET}@127.0.0.1:9/1 user-pw={SECRET} ! appsink',
    f'http://127.0.0.1:9/4ad2b6a1f3c94c7d8e01{SECRET}/mjpeg', f'udp://me:{SECRET}@127.0.0.1:9']
MODELS = [
    f'http://me:{SECRET}@127.0.0.1:9/m.onnx', f'http://127.0.0.1:9/m.onnx?token={SECRET}',
    f'http://127.0.0.1:9/m.onnx?X-Amz-Signature={SECRET}&x=1', f'me:{SECRET}@127.0.0.1/m.onnx',
    f'ftp://me:{SECRET}@127.0.0.1/m.onnx', f'http://127.0.0.1:9/m.onnx?sig={SECRET}%3D',
    f'/models/key={SECRET}', f'grpc://me:{SECRET}@127.0.0.1:9/m',
    f'grpcs://127.0.0.1:9/m?token={SECRET}']


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / 'm.onnx', yolo_table([], 2)))


def everything_published(bench, capfd):
    """Return a function that returns all text that leaves the node."""
    messages = []
    for kind, topic in ((Log, '/rosout'), (ParameterEvent, '/parameter_events'),
                        (DiagnosticArray, '/diagnostics')):
        bench.peer.create_subscription(kind, topic, messages.append, 100)

    def text():
        captured = capfd.readouterr()
        return ' '.join(map(str, [*messages, captured.out, captured.err]))
    return text


@pytest.mark.parametrize('uri', SOURCES)
def test_a_secret_in_source_uri_is_not_published(make_bench, capfd, uri):
    bench = make_bench(start=False, source__uri=uri)
    published = everything_published(bench, capfd)
    bench.transition('configure')
    bench.transition('activate')
    text = published() + str(bench.node.get_parameter('source.uri').value)
    result = bench.set_parameters(source__uri=f'{uri}&again')
    assert not result.successful
    text += result.reason + published()
    assert SECRET not in text and 'source.uri' in text


@pytest.mark.parametrize('model_id', MODELS)
def test_a_secret_in_model_id_is_not_published(make_bench, capfd, model_id):
    bench = make_bench(start=False, model__id=model_id, model__sha256='0' * 64)
    published = everything_published(bench, capfd)
    assert not bench.transition('configure')
    text = published() + str(bench.node.get_parameter('model.id').value)
    result = bench.set_parameters(model__id=f'{model_id}&again')
    text += result.reason + published()
    assert SECRET not in text and 'model.id' in text


def test_a_secret_in_the_name_of_a_source_is_in_no_datagram_and_no_log(
        make_bench, tmp_path, capfd):
    clip = write_clip(tmp_path / f'a&password={SECRET}.avi', frames=3, fps=20.0, step=5)
    bench = make_bench(start=False, source__uri=str(clip))
    published = everything_published(bench, capfd)
    assert bench.bring_up()
    datagrams = [bench.receiver.recv(65535).decode() for _ in range(3)]
    assert all('password=***' in text and SECRET not in text for text in datagrams)
    bench.wait_until(lambda: bench.node.stats.snapshot().processed == 3)
    assert SECRET not in published()


@pytest.mark.parametrize('argument', [
    f'source.uri:=[rtsp://me:{SECRET}@127.0.0.1:9/1]', f'source.uri=rtsp://me:{SECRET}@host/1',
    f'source.uri:=rtsp://me:{SECRET}@127.0.0.1:9/1'])
def test_a_secret_on_the_command_line_is_not_printed(argument):
    done = subprocess.run(
        [sys.executable, '-c', 'import sys; from udp_infer_ros.ros.main import main; '
         'sys.exit(main())', '--ros-args', '-p', argument],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
