# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The node with a model on a server: its topics, its diagnostics, its states and its secrets."""

import subprocess
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray
from helpers import write_clip, write_model, yolo_table
from inference_server import grpc, InferenceServer
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import pytest
from rcl_interfaces.msg import Log, ParameterEvent

pytestmark = pytest.mark.timeout(120)
SECRET = 'S3cr3t0f0urs'


@pytest.fixture
def model(server):
    return server.uri


@pytest.fixture
def server(tmp_path):
    server = InferenceServer(write_model(tmp_path / 'm.onnx', yolo_table([], 2)))
    server.served.parameters = {'names': '["cat", "dog"]'}
    yield server
    server.served.go_on.set()
    server.stop()


@pytest.fixture
def clip(tmp_path):
    return str(write_clip(tmp_path / 'clip.avi', frames=40, fps=20.0, step=5))


@pytest.fixture
def make_node(make_bench, clip):
    """Return a function that makes a node with the model of the server and an endless clip."""
    def make(**values):
        return make_bench(**{
            'source__uri': clip, 'source__loop': True,
            'source__realtime': True, **values})
    return make


def messages_of(bench, kind, topic):
    messages = []
    bench.peer.create_subscription(kind, topic, messages.append, 100)
    return messages


def latest_values(arrays):
    """Return the latest values of the model in /diagnostics."""
    for array in reversed(arrays):
        for status in array.status:
            if status.name == 'udp_infer: model':
                return {item.key: item.value for item in status.values}
    return {}


def test_the_topics_and_the_diagnostics_name_the_server_and_the_version(make_node, server):
    bench = make_node()
    arrays = messages_of(bench, DiagnosticArray, '/diagnostics')
    bench.wait_until(lambda: bench.infos and bench.labels)
    assert f'test server 1.2 at 127.0.0.1:{server.port}, version 1' in bench.infos[0].method
    assert [item.class_name for item in bench.labels[0].class_map] == ['cat', 'dog']
    bench.wait_until(lambda: float(latest_values(arrays).get('server_mb_per_s', 0)) > 0)
    values = latest_values(arrays)
    assert (values['server'], values['model_version']) == ('test server 1.2', '1')
    assert int(values['server_calls']) > 0 and values['server_failures'] == '0'
    assert float(values['round_trip_p95_ms']) >= float(values['round_trip_p50_ms']) > 0


def test_frames_are_counted_as_lost_while_the_server_is_away_and_the_node_goes_on(
        make_node, server):
    bench = make_node(model__timeout_s=0.2)
    counts = bench.node.stats.snapshot
    bench.wait_until(lambda: counts().processed > 3)
    server.stop()
    bench.wait_until(lambda: counts().dropped['inference_error'] > 2)
    assert 'model.id' in counts().last_error
    processed = counts().processed
    server.start()
    bench.wait_until(lambda: counts().processed > processed + 3)
    now = counts()
    assert now.offered - now.processed - sum(now.dropped.values()) in (0, 1, 2)


def test_the_node_becomes_inactive_if_the_server_has_another_model(make_node, server, tmp_path):
    bench = make_node()
    texts = bench.subscribe_to_log()
    bench.wait_until(lambda: bench.node.stats.snapshot().processed > 1)
    server.served.load(write_model(tmp_path / 'other.onnx', yolo_table([], 3)))
    server.served.parameters, server.served.version = {}, '2'
    bench.wait_until(lambda: any('active -> inactive (the server has' in text for text in texts))
    assert any('the server has another model now: the outputs were' in text for text in texts)
    assert not bench.set_parameters(model__timeout_s=0.5).successful
    bench.labels.clear()
    assert bench.transition('cleanup', 'configure', 'activate')
    bench.wait_until(lambda: bench.labels and len(bench.labels[0].class_map) == 3)
    processed = bench.node.stats.snapshot().processed
    bench.wait_until(lambda: bench.node.stats.snapshot().processed > processed)


def test_a_node_that_waits_for_its_server_can_be_shut_down(make_node, server):
    server.stop()
    bench = make_node(start=False, model__wait_for_server=True)
    texts = bench.subscribe_to_log()
    configured = bench.executor.create_task(bench.node.bring_up)
    bench.wait_until(lambda: any('waiting for the model server' in text for text in texts))
    begin_s = time.monotonic()
    assert bench.transition('shutdown')
    assert time.monotonic() - begin_s < 5.0
    bench.wait_until(configured.done)
    assert configured.result() is False


def describe(model_id):
    return subprocess.run(
        [sys.executable, '-c', 'import sys; from udp_infer_ros.ros.main import main; '
         'sys.exit(main())', '--describe-model', model_id],
        capture_output=True, text=True, timeout=60)


def test_a_node_waits_for_its_server_after_a_shutdown_was_refused(make_node, server):
    bench = make_node(start=False, model__wait_for_server=True)
    server.stop()
    refused = Transition(id=Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert not bench.call(ChangeState, 'change_state', transition=refused).success
    configured = bench.call_async(
        ChangeState, 'change_state', transition=Transition(label='configure'))
    time.sleep(1.0)
    assert not configured.done()
    server.start()
    assert bench.wait_for(configured, 30.0).success


def test_describe_model_describes_a_served_model(server):
    done = describe(server.uri)
    assert (done.returncode, done.stderr) == (0, '')
    assert f'address  {server.uri}' in done.stdout and 'classes  2: cat, dog' in done.stdout
    done = describe(server.uri + 'x')
    assert done.returncode == 1 and 'does not have this model' in done.stderr


def test_a_token_of_a_server_is_not_published(make_node, server, monkeypatch, capfd):
    monkeypatch.setenv('TOKEN_OF_TEST', SECRET)
    bench = make_node(
        start=False, model__headers=['Authorization: Bearer ${TOKEN_OF_TEST}'],
        model__timeout_s=0.3)
    messages = [messages_of(bench, kind, topic) for kind, topic in (
        (Log, '/rosout'), (ParameterEvent, '/parameter_events'),
        (DiagnosticArray, '/diagnostics'))]
    assert bench.bring_up()
    assert server.served.headers[-1]['authorization'] == f'Bearer {SECRET}'
    server.served.error = (grpc.StatusCode.UNAUTHENTICATED, f'{SECRET} is too old')
    bench.wait_until(lambda: bench.node.stats.snapshot().dropped['inference_error'])
    bench.wait_until(lambda: any('refuses the call' in str(m) for m in messages[2]))
    refused = bench.set_parameters(model__headers=[f'x-key: {SECRET}'])
    assert not refused.successful and 'environment variable' in refused.reason
    captured = capfd.readouterr()
    text = ' '.join(map(str, [
        *messages, captured.out, captured.err, refused.reason, *bench.infos,
        bench.node.get_parameter('model.headers').value]))
    assert 'refuses the call' in text and SECRET not in text
