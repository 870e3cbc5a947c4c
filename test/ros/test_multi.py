# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""One process for many cameras: each node works as if it ran alone."""

import gc
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from helpers import record_sessions, target_of, write_clip, write_model, yolo_table
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters, SetParameters
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter, parameter_value_to_python
from std_srvs.srv import SetBool
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.ros.core_log import log_as, ros_log_handler
from udp_infer_ros.ros.node import UdpInferNode
from udp_infer_ros.threads import BackgroundThread
import yaml

pytestmark = pytest.mark.timeout(90)
SINGLE, MULTI = (
    [sys.executable, '-c', f'import sys; from udp_infer_ros.ros.{name} import main; '
     'sys.exit(main())'] for name in ('main', 'multi'))
BOXES = [(0, 0, 20, 20, 0.9, 0), (30, 30, 60, 60, 0.6, 1)]


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 2), dark=True))


@pytest.fixture
def receivers():
    opened = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
    for receiver in opened:
        receiver.bind(('127.0.0.1', 0))
        receiver.settimeout(20.0)
    yield opened
    for receiver in opened:
        receiver.close()


@pytest.fixture
def silent_server():
    """Return the address of a server that accepts connections and sends nothing."""
    with socket.create_server(('127.0.0.1', 0), backlog=16) as server:
        yield f'http://127.0.0.1:{server.getsockname()[1]}/stream'


@pytest.fixture
def endless_server():
    """Return the address of a server that sends noise as fast as it is read."""
    ended = threading.Event()
    noise = np.random.default_rng(0).bytes(1 << 16)

    def serve():
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                continue
            with connection:
                connection.settimeout(1.0)
                try:
                    connection.sendall(b'HTTP/1.0 200 OK\r\nContent-Type: multipart/'
                                       b'x-mixed-replace; boundary=b\r\n\r\n')
                    while not ended.is_set():
                        connection.sendall(b'--b\r\nContent-Length: 65536\r\n\r\n' + noise)
                except OSError:
                    continue
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(0.2)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f'http://127.0.0.1:{server.getsockname()[1]}/stream'
        ended.set()
        thread.join()


@pytest.fixture
def start(tmp_path):
    """Return a function that starts `udp_infer_multi`; what still runs at the end is killed."""
    processes = []

    def start_process(cameras, *arguments):
        path = tmp_path / 'cameras.yaml'
        path.write_text(yaml.safe_dump({'cameras': cameras}))
        processes.append(subprocess.Popen(
            [*MULTI, str(path), '--ros-args', *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True))
        return processes[-1]
    yield start_process
    for process in processes:
        process.kill()
        process.communicate()


class Peer:
    """A node of another process, which calls the services of the nodes."""

    def __init__(self):
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('peer', context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)

    def call(self, kind, name, **fields):
        """Call a service and return the response."""
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(timeout_sec=20.0), name
        future = client.call_async(kind.Request(**fields))
        self._executor.spin_until_future_complete(future, timeout_sec=20.0)
        assert future.done(), name
        return future.result()

    def transition(self, camera, label):
        """Request a transition of the node of a camera; return whether it succeeded."""
        return self.call(ChangeState, f'/{camera}/udp_infer/change_state',
                         transition=Transition(label=label)).success

    def state(self, camera):
        """Return the lifecycle state of the node of a camera."""
        return self.call(GetState, f'/{camera}/udp_infer/get_state').current_state.label

    def set(self, camera, **values):  # noqa: A003
        """Set parameters of the node of a camera; return whether that succeeded."""
        parameters = [
            Parameter(name.replace('__', '.'), value=value).to_parameter_msg()
            for name, value in values.items()]
        results = self.call(
            SetParameters, f'/{camera}/udp_infer/set_parameters', parameters=parameters).results
        return all(result.successful for result in results)

    def parameters(self, camera, names):
        """Return the values of parameters of the node of a camera."""
        values = self.call(
            GetParameters, f'/{camera}/udp_infer/get_parameters', names=names).values
        return [parameter_value_to_python(value) for value in values]

    def spin_until(self, condition, timeout_s=20.0):
        """Serve callbacks until a condition is true."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s
            self._executor.spin_once(timeout_sec=0.1)


@pytest.fixture
def peer():
    created = Peer()
    yield created
    created.node.destroy_node()
    rclpy.shutdown(context=created.context)


def camera_of(name, uri, receiver=None, **parameters):
    """Return an entry of the list of cameras."""
    targets = [target_of(receiver)] if receiver else []
    return {'name': name, 'uri': str(uri), 'parameters': {
        'udp.targets': targets, **{key.replace('__', '.'): value
                                   for key, value in parameters.items()}}}


def read_until(process, text):
    """Read the output of a process up to the line with a text; return all lines."""
    lines = []
    while not lines or text not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], ''.join(lines)
    return lines


def results_of(receiver):
    """Return all waiting datagrams without what depends on the time."""
    receiver.setblocking(False)
    results = []
    while True:
        try:
            datagram = json.loads(receiver.recv(65535))
        except BlockingIOError:
            receiver.settimeout(20.0)
            return results
        results.append((
            datagram['frame_id'], datagram['predictions'], datagram['udp_infer']['seq'],
            datagram['udp_infer']['source']))


def contiguous(receiver, count):
    """Wait for some datagrams; return whether none is missing between them."""
    numbers = [json.loads(receiver.recv(65535))['udp_infer']['seq'] for _ in range(count)]
    return numbers == list(range(numbers[0], numbers[0] + count))


def drained(receiver):
    """Remove the waiting datagrams of a receiver."""
    results_of(receiver)
    return receiver


def end(process, code=0):
    """Wait for the end of a process; check its exit code, and return its output."""
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code, output
    assert 'Traceback' not in output, output
    return output


def test_each_camera_sends_what_it_sends_alone(tmp_path, model, receivers, start):
    clips = [write_clip(tmp_path / f'{step}.avi', frames=40, fps=25.0, step=step)
             for step in (3, 4, 5, 6)]
    common = {'model__id': model, 'source__exit_at_end': True}
    alone = []
    for clip, receiver in zip(clips, receivers):
        code = subprocess.run(
            [*SINGLE, '--ros-args', '-p', f'model.id:={model}', '-p', f'source.uri:={clip}', '-p',
             'source.exit_at_end:=true', '-p', f"udp.targets:=['{target_of(receiver)}']"],
            capture_output=True, timeout=40).returncode
        assert code == 0
        alone.append(results_of(receiver))
    process = start([
        camera_of(f'camera{i}', clip, receiver, **common)
        for i, (clip, receiver) in enumerate(zip(clips, receivers))])
    log = end(process)
    assert log.splitlines()[-1].endswith('stopping with exit code 0: all cameras are finished')
    assert [results_of(receiver) for receiver in receivers] == alone
    assert [len(results) for results in alone] == [40] * 4
    assert alone[0] != alone[3]
    # Each record is logged once, under the node of its camera.
    for i, clip in enumerate(clips):
        for text in (f'end of {clip} after 40 frames', 'model m: '):
            lines = [line for line in log.splitlines()
                     if text in line and f'[camera{i}.udp_infer]' in line]
            assert len(lines) == 1, (text, log)
        assert log.count(f'end of {clip} after') == 1


def test_a_camera_that_hangs_or_sends_noise_or_fails_changes_nothing_for_another(
        tmp_path, model, receivers, start, peer, silent_server, endless_server):
    clip = write_clip(tmp_path / 'clip.avi', frames=40, fps=40.0, step=6)
    good, repaired = receivers[:2]
    playing = {'model__id': model, 'source__loop': True, 'source__realtime': True,
               'source__policy': 'every'}
    process = start([
        camera_of('good', clip, good, **playing),
        camera_of('hanging', silent_server, model__id=model, source__wait_for_source=True),
        camera_of('noise', endless_server, model__id=model, source__wait_for_source=True),
        camera_of('wrong', clip, repaired, **{**playing, 'model__id': '/no/such.onnx'})])
    read_until(process, 'wrong.udp_infer]: configure did not succeed')
    assert contiguous(good, 60)
    assert peer.state('wrong') == 'unconfigured' and peer.state('good') == 'active'
    assert peer.state('noise') == 'active'

    # The one that failed can be repaired while the others run.
    assert peer.set('wrong', model__id=model)
    assert peer.transition('wrong', 'configure') and peer.transition('wrong', 'activate')
    assert contiguous(repaired, 20) and contiguous(drained(good), 20)

    # Each node has its own life cycle and parameters.
    assert peer.set('wrong', detect__confidence=0.8)
    assert peer.transition('wrong', 'deactivate') and peer.transition('wrong', 'cleanup')
    assert peer.state('wrong') == 'unconfigured' and peer.state('good') == 'active'
    assert not peer.call(SetBool, '/wrong/udp_infer/enable', data=True).success
    assert peer.call(SetBool, '/noise/udp_infer/enable', data=False).success
    assert contiguous(drained(good), 20)
    datagrams = [json.loads(good.recv(65535)) for _ in range(40)]
    scores = {item['confidence'] for datagram in datagrams for item in datagram['predictions']}
    assert 0.6 in scores, 'the threshold of the other camera does not apply'

    process.send_signal(signal.SIGINT)
    assert 'stopping with exit code 0: SIGINT' in end(process)


def test_the_diagnostics_of_each_camera_have_its_name_and_the_calls_of_the_shared_model(
        tmp_path, model, start, peer):
    clip = write_clip(tmp_path / 'clip.avi', frames=40, fps=40.0, step=6)
    playing = {'model__id': model, 'source__loop': True, 'source__realtime': True}
    start([camera_of(name, clip, **playing) for name in ('left', 'right')])
    values = {}

    def keep(message):
        for status in message.status:
            values[status.name] = {item.key: item.value for item in status.values}
    peer.node.create_subscription(DiagnosticArray, '/diagnostics', keep, 10)

    def is_shared():
        models = [values.get(f'{name}/udp_infer: model', {}) for name in ('left', 'right')]
        # The calls of both are counted together.
        return all(
            int(item.get('model_calls', 0)) > int(item.get('processed', 0)) + 20 > 40
            for item in models)
    peer.spin_until(is_shared)


def test_the_process_fails_when_no_camera_is_left_and_one_did_not_start(
        tmp_path, model, start):
    clip = write_clip(tmp_path / 'clip.avi', frames=20, fps=40.0, step=6)
    log = end(start([
        camera_of('good', clip, model__id=model, source__exit_at_end=True),
        camera_of('wrong', '/no/such.mp4', model__id=model)]), code=1)
    assert '[good.udp_infer]: stopping: end of source' in log
    assert '/wrong/udp_infer did not start, and no other camera is left' in log


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_cameras_that_hang_at_the_same_time(model, start, silent_server, number):
    process = start([
        camera_of(f'hanging{i}', silent_server, model__id=model, source__wait_for_source=waits)
        for i, waits in enumerate([True, False] * 3)])
    read_until(process, 'model m: ')
    process.send_signal(number)
    output = end(process)
    assert f'stopping with exit code 0: {number.name}' in output


@pytest.mark.parametrize('delay_s', np.linspace(0.0, 2.0, 6).round(1).tolist())
def test_a_signal_at_any_moment_ends_the_process_with_exit_code_0(
        tmp_path, model, start, delay_s):
    clip = write_clip(tmp_path / 'clip.avi', frames=20, fps=40.0, step=6)
    process = start([
        camera_of(f'camera{i}', clip, model__id=model, source__loop=True) for i in range(4)])
    time.sleep(0.3 + delay_s)  # Python reaches main() after about 0.1 s.
    process.send_signal(signal.SIGTERM)
    end(process)


def test_the_command_line_applies_to_all_cameras_and_their_own_parameters_to_one(
        tmp_path, model, receivers, start, peer):
    clip = write_clip(tmp_path / 'clip.avi', frames=20, fps=40.0, step=6)
    params = tmp_path / 'params.yaml'
    params.write_text(yaml.safe_dump({
        '/**': {'ros__parameters': {'track': {'min_hits': 3}, 'detect.confidence': 0.3}},
        '/robot/right/udp_infer': {'ros__parameters': {'track.lost_s': 7.0}}}))
    process = start(
        [camera_of('left', clip, receivers[0], model__id=model, source__loop=True,
                   detect__confidence=0.7),
         camera_of('right', clip, receivers[1], model__id=model, source__loop=True)],
        '-r', '__ns:=/robot', '--params-file', str(params), '-p', 'use_sim_time:=true')
    read_until(process, '-> /robot/')
    names = ['detect.confidence', 'track.min_hits', 'track.lost_s', 'use_sim_time']
    assert peer.parameters('robot/left', names) == [0.7, 3, 1.0, True]
    assert peer.parameters('robot/right', names) == [0.3, 3, 7.0, True]


@pytest.mark.parametrize('content, text', [
    ('cameras: []', 'must have a list named cameras'),
    ('cameras: [{name: a, topic: /a, uri: b}]', 'must have either a topic or a uri'),
    ('cameras: [{name: a, uri: b, parameters: {detect.confidence: 7}}]',
     'detect.confidence = 7: must be a number from 0 to 1'),
    (None, 'cannot be read: '),
])
def test_a_wrong_list_of_cameras_gives_one_line_and_exit_code_1(tmp_path, content, text):
    path = tmp_path / 'cameras.yaml'
    if content is not None:
        path.write_text(content)
    done = subprocess.run(
        [*MULTI, str(path)], capture_output=True, text=True, timeout=40)
    [line] = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 1 and text in line


def test_a_wrong_parameter_of_the_command_line_names_the_camera(tmp_path, start):
    log = end(start([camera_of('left', 'clip.avi')], '-p', 'detect.iou:=7'), code=1)
    [line] = log.splitlines()
    assert 'camera left: detect.iou = 7: must be a number from 0 to 1' in line


@pytest.mark.parametrize('arguments, code, text', [
    (['--help'], 0, 'cameras_file'), ([], 2, 'the following arguments are required'),
    (['a.yaml', '--ros-args', '-p', 'udp.targets:=[['], 1, 'invalid ROS arguments')])
def test_the_arguments_are_parsed(arguments, code, text):
    done = subprocess.run(
        [*MULTI, *arguments], capture_output=True, text=True, timeout=40)
    assert done.returncode == code and text in done.stdout + done.stderr


class Logged:
    """A logger of a node, with the texts of its warnings."""

    def __init__(self):
        self.texts = []
        self.warning = self.texts.append


def test_a_record_has_the_name_of_the_node_of_its_thread_also_after_that_node_has_ended():
    left, right = Logged(), Logged()
    for logger in (left, right):
        ros_log_handler.attach(logger)
    released = threading.Event()

    def run():
        log_as(left)
        inner = BackgroundThread(warn, name='inner')
        inner.start()
        inner.join()

    def warn():
        released.wait(20.0)
        logging.getLogger('udp_infer_ros.test').warning('from the left')
    thread = BackgroundThread(run, name='outer')
    thread.start()
    try:
        ros_log_handler.detach(left)
        released.set()
        thread.join(20.0)
    finally:
        ros_log_handler.detach(right)
    assert (left.texts, right.texts) == (['from the left'], [])


def test_the_last_node_that_cleans_up_releases_the_model(model, monkeypatch):
    sessions = record_sessions(monkeypatch)
    models = ModelPool(2)
    context = Context()
    rclpy.init(context=context)
    nodes = [UdpInferNode(
        context=context, models=models, cli_args=['--ros-args', '-r', f'__ns:=/{name}'],
        parameter_overrides=[Parameter('model.id', value=model)]) for name in ('left', 'right')]
    try:
        for node in nodes:
            node.trigger_configure()
        assert len(sessions) == 1
        for node, is_used in zip(nodes, (True, False)):
            node.trigger_cleanup()
            gc.collect()
            assert (sessions[0]() is not None) == is_used
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.shutdown(context=context)
