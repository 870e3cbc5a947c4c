# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Requests at any moment of start and stop have exactly the effect that their responses state."""

from contextlib import contextmanager
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import socket
import threading

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from helpers import wait_until, write_clip, write_model, yolo_table
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters
from ros_helpers import gray_image
from std_srvs.srv import SetBool
from udp_infer_ros.outputs import udp
from udp_infer_ros.ros import node as node_module
from udp_infer_ros.ros.node import UdpInferNode
from udp_infer_ros.settings import PARAMETERS

pytestmark = pytest.mark.timeout(90)
BOXES = [(10, 20, 30, 40, 0.9, 1), (40, 20, 60, 44, 0.6, 0)]
NAMES = {'names': "['person', 'car']"}


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    return str(write_model(tmp_path / 'two.onnx', yolo_table(BOXES, 2), metadata=NAMES))


class SlowServer:
    """
    An HTTP server that responds only when `gate` is set.

    :param respond: writes the response, given the handler.
    """

    def __init__(self, respond):
        self.gate, self.requested = threading.Event(), threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):

            def do_GET(self):  # noqa: N802
                outer.requested.set()
                outer.gate.wait(30.0)
                try:
                    respond(self)
                except (BrokenPipeError, ConnectionResetError):
                    return  # The client has closed the stream.

            def log_message(self, *arguments):
                """Write no log."""

        self._server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self._server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self._server.server_port}'
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        """Stop the server."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(respond):
    """Run a slow server."""
    server = SlowServer(respond)
    try:
        yield server
    finally:
        server.close()


def send_mjpeg(handler):
    """Send an endless MJPEG stream at 50 frames per second."""
    jpeg = cv2.imencode('.jpg', np.full((64, 128, 3), 127, dtype=np.uint8))[1].tobytes()
    handler.send_response(200)
    handler.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=b')
    handler.end_headers()
    pause = threading.Event()
    for _ in range(3000):
        handler.wfile.write(
            b'--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(jpeg))
        handler.wfile.write(jpeg + b'\r\n')
        pause.wait(0.02)


def threads(name):
    """Return the running threads of this name."""
    return [thread for thread in threading.enumerate() if name in thread.name]


def begin_bring_up(bench):
    """Start to configure and activate, and return the task."""
    return bench.executor.create_task(bench.node.bring_up)


def test_disabling_while_a_stream_opens_leaves_it_closed(make_bench):
    with serving(send_mjpeg) as server:
        bench = make_bench(start=False, source__uri=f'{server.url}/x.mjpg')
        task = begin_bring_up(bench)
        assert server.requested.wait(10.0)
        assert bench.call(SetBool, 'enable', data=False).message.startswith('disabled')
        assert task.done() and task.result(), 'the node is active, without a source'
        server.gate.set()
        assert not threads('udp_infer worker')
        assert bench.node.stats.offered == 0
        assert bench.call(SetBool, 'enable', data=True).message == 'enabled'
        bench.wait_until(lambda: bench.node.stats.snapshot().processed > 3)
        assert len(threads('udp_infer worker')) == 1
        assert bench.call(SetBool, 'enable', data=False).success
        offered = bench.node.stats.offered
        bench.wait_until(lambda: not threads('udp_infer worker'))
        assert bench.node.stats.offered == offered


def test_enabling_twice_while_a_stream_opens_opens_it_once(make_bench):
    with serving(send_mjpeg) as server:
        bench = make_bench(start=False, source__uri=f'{server.url}/x.mjpg')
        task = begin_bring_up(bench)
        assert server.requested.wait(10.0)
        answer = bench.call_async(SetBool, 'enable', data=True)
        server.gate.set()
        assert bench.wait_for(answer).message == 'already enabled'
        assert task.result()
        bench.wait_until(lambda: bench.node.stats.snapshot().processed > 3)
        assert len(threads('udp_infer worker')) == 1


def test_a_node_that_is_deactivated_while_its_stream_opens_ends_inactive(make_bench):
    with serving(send_mjpeg) as server:
        bench = make_bench(start=False, source__uri=f'{server.url}/x.mjpg')
        begin_bring_up(bench)
        assert server.requested.wait(10.0)
        assert bench.transition('deactivate')
        server.gate.set()
        assert bench.call(GetState, 'get_state').current_state.label == 'inactive'
        assert not threads('udp_infer worker')


def test_topics_services_and_diagnostics_are_served_while_a_model_loads(make_bench, model):
    content = open(model, 'rb').read()
    with serving(send_file_content(content)) as server:
        bench = make_bench(
            start=False, model__id=f'{server.url}/m.onnx',
            model__sha256=hashlib.sha256(content).hexdigest())
        reports = []
        bench.peer.create_subscription(DiagnosticArray, '/diagnostics', reports.append, 10)
        task = begin_bring_up(bench)
        assert server.requested.wait(10.0)
        answer = bench.call(GetParameters, 'get_parameters', names=['detect.confidence'])
        assert answer.values[0].double_value == 0.4
        assert bench.call(GetState, 'get_state').current_state.label == 'unconfigured'
        bench.wait_until(lambda: len(reports) >= 2)
        assert not task.done(), 'the model is still loading'
        server.gate.set()
        bench.wait_until(task.done)
        assert task.result()


def test_a_node_can_be_destroyed_while_a_model_is_downloaded(make_bench, model):
    content = open(model, 'rb').read()
    with serving(send_file_content(content)) as server:
        bench = make_bench(
            start=False, model__id=f'{server.url}/m.onnx',
            model__sha256=hashlib.sha256(content).hexdigest())
        begin_bring_up(bench)
        assert server.requested.wait(10.0)
        bench.close()
        assert not server.gate.is_set() and threads('udp_infer background')
        server.gate.set()
        wait_until(lambda: not threads('udp_infer background'))


def test_a_cleanup_during_a_download_is_executed_after_it(make_bench, model):
    content = open(model, 'rb').read()
    with serving(send_file_content(content)) as server:
        bench = make_bench(
            start=False, model__id=f'{server.url}/m.onnx',
            model__sha256=hashlib.sha256(content).hexdigest())
        configured, cleaned = (
            bench.call_async(ChangeState, 'change_state', transition=Transition(label=label))
            for label in ('configure', 'cleanup'))
        assert server.requested.wait(10.0)
        assert not configured.done() and not cleaned.done()
        server.gate.set()
        assert bench.wait_for(configured).success and bench.wait_for(cleaned).success
        assert bench.call(GetState, 'get_state').current_state.label == 'unconfigured'


def send_file_content(content):
    """Return a function that sends bytes."""
    def send(handler):
        handler.send_response(200)
        handler.send_header('Content-Length', str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
    return send


def test_a_change_during_configure_is_in_effect_afterwards_or_refused(make_bench, model):
    content = open(model, 'rb').read()
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(('127.0.0.1', 0))
    other.settimeout(10.0)
    with serving(send_file_content(content)) as server:
        bench = make_bench(
            start=False, model__id=f'{server.url}/m.onnx',
            model__sha256=hashlib.sha256(content).hexdigest())
        task = begin_bring_up(bench)
        assert server.requested.wait(10.0)
        changes = [
            bench.set_parameters_async(detect__confidence=0.7),
            bench.set_parameters_async(detect__classes=['cow']),
            bench.set_parameters_async(
                udp__targets=[f'127.0.0.1:{other.getsockname()[1]}'])]
        server.gate.set()
        results = [bench.wait_for(change).result for change in changes]
        assert [result.successful for result in results] == [True, False, True]
        assert "the model has no class 'cow'" in results[1].reason
        bench.wait_until(task.done)
        camera = bench.camera()
        bench.wait_until(lambda: bench.node.count_publishers('/image_raw'))
        bench.wait_until(lambda: camera.publish(gray_image()) or len(bench.arrays) > 0)
        assert len(bench.arrays[-1].detections) == 1, 'confidence 0.7'
        assert other.recv(65535)
    other.close()


def test_a_slow_name_server_delays_only_the_change_that_names_a_host(make_bench, monkeypatch):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    gate, asked = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow(host, *arguments, **keywords):
        if host != 'slow.example':
            return look_up(host, *arguments, **keywords)
        asked.set()
        gate.wait(30.0)
        raise socket.gaierror('no such name')
    monkeypatch.setattr(udp.socket, 'getaddrinfo', slow)
    change = bench.set_parameters_async(udp__targets=['slow.example:5000'])
    assert asked.wait(10.0)
    for i in range(5):
        message, _ = bench.publish(camera, gray_image(stamp=(6, i)))
        assert len(message.detections) == 2
    assert bench.call(GetState, 'get_state').current_state.label == 'active'
    assert not change.done()
    gate.set()
    result = bench.wait_for(change).result
    assert not result.successful and "the host 'slow.example' is unknown" in result.reason
    assert bench.node.get_parameter('udp.targets').value == list(bench.node.settings.udp.targets)


def test_a_change_of_one_group_asks_no_name_server_and_keeps_the_source_port(
        make_bench, monkeypatch):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    monkeypatch.setattr(udp.socket, 'getaddrinfo', None)
    bench.publish(camera, gray_image(stamp=(6, 0)))
    camera.publish(gray_image(stamp=(6, 1)))
    _, before = bench.receiver.recvfrom(65535)
    assert bench.set_parameters(detect__confidence=0.5, annotate__trails=False).successful
    bench.wait_until(lambda: len(bench.arrays) >= 2)
    camera.publish(gray_image(stamp=(6, 2)))
    _, after = bench.receiver.recvfrom(65535)
    assert before == after


def test_a_failed_activation_leaves_the_topics_silent(make_bench):
    bench = make_bench(start=False, source__uri='/dev/video63')
    assert bench.transition('configure')
    assert not bench.transition('activate')
    assert bench.call(GetState, 'get_state').current_state.label == 'inactive'
    assert bench.set_parameters(detect__confidence=0.5).successful
    assert bench.labels == []


def test_a_model_and_a_source_are_swapped_without_a_restart(make_bench, tmp_path):
    bench = make_bench()
    other = write_model(
        tmp_path / 'other.onnx', yolo_table([(0, 0, 20, 20, 0.8, 0)], 1),
        metadata={'names': "['dog']"})
    clip = write_clip(tmp_path / 'clip.avi', frames=5, fps=20.0, step=5)
    for state in ('active', 'inactive'):
        result = bench.set_parameters(model__id=str(other))
        assert not result.successful, state
        assert result.reason == (
            f'model.id = {str(other)!r}: can be changed only while the node is unconfigured; '
            'deactivate, cleanup, set it, then configure and activate')
        assert bench.transition('deactivate' if state == 'active' else 'cleanup')
    assert bench.set_parameters(model__id=str(other), source__uri=str(clip)).successful
    assert bench.transition('configure', 'activate')
    bench.wait_until(lambda: bench.node.stats.snapshot().processed == 5)
    bench.wait_until(lambda: bench.labels and bench.labels[-1].class_map[0].class_name == 'dog')


# A valid value of each type, other than the default.
OTHER_VALUES = {
    'source.policy': 'latest', 'source.uri': '/dev/video0', 'source.fourcc': 'MJPG',
    'source.transport': 'compressed', 'model.id': 'other.onnx', 'model.family': 'yolo',
    'model.resize': 'stretch', 'model.color': 'bgr', 'model.device': 'cpu',
    'model.mean': [1.0, 2.0, 3.0], 'model.std': [1.0, 2.0, 3.0], 'model.labels': ['a', 'b'],
    'model.headers': ['Authorization: Bearer ${TOKEN}'],
    'model.threads': 3, 'track.type': 'none', 'source.width': 640, 'source.height': 480}
SET_AT_CONFIGURE = [name for name, item in PARAMETERS.items() if item.change == 'configure']


def other_value(name):
    """Return a valid value of a parameter, other than the current one."""
    default = PARAMETERS[name].default
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    return not default if isinstance(default, bool) else (
        f'{default}_2' if isinstance(default, str) else default + 1)


def test_every_parameter_that_configure_reads_is_set_while_the_node_is_unconfigured(make_bench):
    bench = make_bench(start=False)
    together = ('source.width', 'source.height')
    for name in SET_AT_CONFIGURE:
        values = {name: other_value(name)} if name not in together else {
            name: other_value(name) for name in together}
        result = bench.set_parameters(**values)
        assert result.successful, result.reason
        assert not bench.node.describe_parameter(name).read_only
    assert {name: bench.node.get_parameter(name).value for name in SET_AT_CONFIGURE} == {
        name: other_value(name) for name in SET_AT_CONFIGURE}


def test_every_parameter_that_configure_reads_is_refused_later_with_what_to_do(make_bench):
    bench = make_bench(start=False)
    assert bench.transition('configure')
    for name in SET_AT_CONFIGURE:
        if name == 'source.height':  # It is set together with source.width.
            continue
        values = {name: other_value(name)} if name != 'source.width' else {
            'source.width': 640, 'source.height': 480}
        result = bench.set_parameters(**values)
        assert not result.successful and result.reason.endswith(
            'can be changed only while the node is unconfigured; '
            'deactivate, cleanup, set it, then configure and activate'), result.reason


def test_a_password_set_at_run_time_is_refused_and_not_published(make_bench):
    bench = make_bench(start=False)
    result = bench.set_parameters(source__uri='rtsp://me:hidden@10.0.0.7/1')
    assert not result.successful and 'hidden' not in result.reason
    assert 'use ${NAME}, an environment variable' in result.reason
    assert bench.node.get_parameter('source.uri').value == ''


@pytest.mark.parametrize('label', ['configure', 'activate', 'cleanup'])
def test_an_impossible_transition_of_an_active_node_changes_nothing(make_bench, label):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    assert not bench.transition(label)
    message, _ = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert len(message.detections) == 2


def test_after_shutdown_the_node_cannot_be_configured(make_bench):
    bench = make_bench()
    assert bench.call(ChangeState, 'change_state', transition=Transition(
        id=Transition.TRANSITION_ACTIVE_SHUTDOWN)).success
    assert not bench.transition('configure')
    assert bench.call(GetState, 'get_state').current_state.label == 'finalized'
    assert not threads('udp_infer worker')


def test_a_second_node_of_the_same_name_gives_one_warning(make_bench, monkeypatch):
    monkeypatch.setattr(node_module, 'SHARED_NAME_AFTER_S', 2.0)
    bench = make_bench(start=False)
    logged = bench.subscribe_to_log()
    other = UdpInferNode(context=bench.context)
    text = 'another node is named /udp_infer too'
    bench.wait_until(lambda: text in ''.join(logged))
    other.destroy_node()
    assert ''.join(logged).count(text) == 1


def test_two_nodes_in_one_process_log_each_line_once(make_bench, tmp_path, capfd):
    clip = write_clip(tmp_path / 'clip.avi', frames=3, fps=20.0, step=5)
    bench = make_bench(start=False, source__uri=str(clip))
    other = UdpInferNode(context=bench.context, namespace='other')
    bench.executor.add_node(other)
    assert bench.bring_up()
    bench.wait_until(lambda: bench.node.stats.snapshot().processed == 3)
    bench.wait_until(lambda: not threads('udp_infer worker'))
    assert other.stats.offered == 0
    other.destroy_node()
    assert capfd.readouterr().err.count(f'end of {clip} after 3 frames') == 1
