# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model on a server gives what a file gives, and every failure of the server is an error."""

from concurrent.futures import ThreadPoolExecutor
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time

from helpers import wait_until, write_model, yolo_table
from inference_server import grpc, InferenceServer
import numpy as np
import pytest
from udp_infer_ros.detection import remote
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.model_server import ModelServer
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.errors import ModelChangedError, ModelError, SettingError, SharedCallError
from udp_infer_ros.settings import DetectSettings, ModelSettings, Settings

onnx = pytest.importorskip('onnx')
TENSORS = onnx.TensorProto
BOXES = [(8, 8, 40, 40, 0.9, 0), (20, 30, 60, 50, 0.7, 2)]
IMAGE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)
FEEDS = {'images': np.zeros((1, 3, 64, 64), np.float32)}
NAMES = {'names': "{0: 'cat', 1: 'dog', 2: 'cow'}"}
SECRET = 'S3cr3t0f0urs'


@pytest.fixture
def file(tmp_path):
    return write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 3))


@pytest.fixture
def make_server():
    servers = []

    def make(path, **keywords):
        servers.append(InferenceServer(path, **keywords))
        return servers[-1]
    yield make
    for server in servers:
        server.served.go_on.set()
        server.stop()


@pytest.fixture
def server(make_server, file):
    return make_server(file)


@pytest.fixture
def load():
    """Return a function that loads a model of a server, and makes it answer once."""
    backends = []

    def load_one(server, models=None, **changes):
        backend = (models or ModelPool()).load(ModelSettings(id=server.uri, **changes))
        backends.append(backend)
        backend.infer(FEEDS)
        return backend
    yield load_one
    for backend in backends:
        backend.close()


def detect(model_id, **changes):
    """Return the detections in IMAGE, and the properties of the model."""
    detector = Detector.load(ModelSettings(id=str(model_id), **changes))
    selection = detector.selection(DetectSettings(), 0.4)
    prepared = detector.prepare(IMAGE)
    found = detector.read(detector.run(prepared), prepared.letterbox, selection)
    detector.close()
    return found, detector.info


@pytest.mark.parametrize('kind, shape, dtype', [
    (TENSORS.FLOAT, (1, 3, 64, 64), 'float32'), (TENSORS.FLOAT16, (1, 3, 64, 64), 'float16'),
    (TENSORS.UINT8, (1, 3, 64, 64), 'uint8'), (TENSORS.UINT8, ('n', 64, 64, 3), 'uint8'),
    (TENSORS.FLOAT, ('n', 3, 'h', 'w'), 'float32')])
def test_a_served_model_gives_the_same_detections_as_its_file(
        tmp_path, make_server, kind, shape, dtype):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table(BOXES, 3), input_type=kind, input_shape=shape,
        metadata={'imgsz': '[64, 64]'})
    server = make_server(path)
    server.served.parameters = {'imgsz': '[64, 64]'}
    local, local_info = detect(path)
    remote, info = detect(server.uri)
    assert len(local) == len(BOXES)
    assert np.array_equal(local.xyxy, remote.xyxy) and np.array_equal(local.score, remote.score)
    assert (info.family, info.input_width, info.input_dtype) == (
        local_info.family, 64, dtype)
    assert info.frame_bytes == 64 * 64 * 3 * np.dtype(dtype).itemsize
    assert str(info).endswith(
        f'test server 1.2 at 127.0.0.1:{server.port}, version 1 (set by model.id)')


@pytest.mark.parametrize('parameters', [
    NAMES, {'names': '["cat", "dog", "cow"]'},
    # As ultralytics writes them.
    {'metadata': "{'stride': 32, 'task': 'detect', 'names': {0: 'cat', 1: 'dog', 2: 'cow'}}"}])
def test_class_names_are_in_the_configuration_of_the_served_model(server, parameters):
    server.served.parameters = parameters
    assert detect(server.uri)[1].labels == ('cat', 'dog', 'cow')
    assert detect(server.uri, labels=('a', 'b', 'c'))[1].labels == ('a', 'b', 'c')


def test_a_server_without_configurations_needs_model_labels_for_names(server):
    server.served.has_configuration = False
    assert detect(server.uri)[1].labels == ('class_0', 'class_1', 'class_2')
    assert detect(server.uri, labels=('a', 'b', 'c'))[1].labels == ('a', 'b', 'c')


def test_another_task_is_refused(server):
    server.served.parameters = {'metadata': "{'task': 'segment'}"}
    with pytest.raises(ModelError, match="its task is 'segment'"):
        detect(server.uri)


@pytest.mark.parametrize('model_id', [
    'grpc://127.0.0.1', 'grpc:///m', 'grpc://h/m/1/2', 'grpc://me:pw@h/m', 'grpc://h/m?x=1',
    'grpc://h:port/m', 'grpc://[::1/m', 'grpcs://h/'])
def test_another_form_of_the_address_is_refused(model_id):
    with pytest.raises(ModelError, match='must be grpc://host:port/model') as caught:
        detect(model_id)
    assert 'pw' not in str(caught.value)


def test_a_checksum_of_a_served_model_is_refused(server):
    with pytest.raises(ModelError, match='model.sha256 = .* cannot be checked'):
        detect(server.uri, sha256='0' * 64)


def test_without_the_client_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tritonclient.grpc', None)
    with pytest.raises(ModelError, match=r"pip install 'tritonclient\[grpc\]'"):
        detect('grpc://127.0.0.1:1/m')


def test_the_client_is_imported_when_it_is_used():
    subprocess.run([sys.executable, '-c', (
        'import sys; from udp_infer_ros.detection.detector import Detector; '
        'assert "grpc" not in sys.modules and "tritonclient" not in sys.modules')], check=True)


# At the start.

def test_a_server_that_is_not_there_is_an_error(server):
    server.stop()
    with pytest.raises(ModelError, match='is not available.*wait_for_server'):
        detect(server.uri)


def test_a_server_of_another_protocol_is_an_error():
    def answer(other):
        connection = other.accept()[0]
        connection.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')
        connection.close()
    with socket.create_server(('127.0.0.1', 0)) as other:
        threading.Thread(target=answer, args=(other,), daemon=True).start()
        with pytest.raises(ModelError, match='is not available'):
            detect(f'grpc://127.0.0.1:{other.getsockname()[1]}/m')


@pytest.mark.parametrize('attribute, message', [
    ('live', 'the server is not live'), ('ready', 'the model is not ready')])
def test_a_server_or_a_model_that_is_not_ready_is_an_error(server, attribute, message):
    setattr(server.served, attribute, False)
    with pytest.raises(ModelError, match=message):
        detect(server.uri)


def test_an_unknown_model_is_an_error(server):
    with pytest.raises(ModelError, match='does not have this model: unknown model mm'):
        detect(server.uri + 'm')


def test_wait_for_server_waits_for_the_server_and_for_the_model(server, caplog):
    server.stop()
    server.served.ready = False
    with ThreadPoolExecutor(1) as threads:
        loaded = threads.submit(detect, server.uri, wait_for_server=True)
        wait_until(lambda: 'is not available' in caplog.text)
        server.start()
        wait_until(lambda: 'waiting for the model server: the model is not ready' in caplog.text)
        server.served.ready = True
        assert len(loaded.result(20)[0]) == len(BOXES)


def test_the_wait_for_a_server_can_be_aborted(server, caplog):
    server.stop()
    abort = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        loaded = threads.submit(
            ModelPool().load, ModelSettings(id=server.uri, wait_for_server=True), abort=abort)
        wait_until(lambda: 'waiting for the model server' in caplog.text)
        abort.set()
        with pytest.raises(ModelError, match='is not available'):
            loaded.result(20)


def test_a_model_that_does_not_state_its_outputs_is_refused(server, monkeypatch):
    monkeypatch.setattr(server.served.session, 'get_outputs', tuple, raising=False)
    with pytest.raises(ModelError, match='does not state the inputs and the outputs'):
        detect(server.uri)


def test_a_version_that_is_stated_with_the_answers_only_is_in_the_properties(server, caplog):
    caplog.set_level(logging.INFO)
    server.served.states_version, server.served.version = False, 'v7'
    assert str(detect(server.uri)[1]).endswith(', version v7 (set by model.id)')
    assert 'now, before' not in caplog.text


# While it runs.

def test_a_slow_answer_is_an_error_at_the_deadline_and_calls_do_not_pile_up(server, load):
    backend = load(server, timeout_s=0.2)
    server.served.go_on.clear()
    for _ in range(5):
        with pytest.raises(ModelError, match='did not answer in time; model.timeout_s'):
            backend.infer(FEEDS)
    wait_until(lambda: server.served.running == 0)
    assert server.served.most_running == 1
    server.served.go_on.set()
    assert list(backend.infer(FEEDS)) == ['output0']
    assert (backend.values()['server_calls'], backend.values()['server_failures']) == (7, 5)


def test_a_server_that_is_killed_in_mid_call_and_returns_goes_on(server, load, caplog):
    caplog.set_level(logging.INFO)
    backend = load(server, timeout_s=0.5)
    server.served.go_on.clear()
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(backend.infer, FEEDS)
        wait_until(lambda: server.served.running)
        server.stop()
        with pytest.raises(ModelError, match='model.id'):
            call.result(20)
    with pytest.raises(ModelError, match='did not answer in time|is not available'):
        backend.infer(FEEDS)
    server.served.go_on.set()
    server.start()
    # A call waits for the server until its deadline, so this needs few calls.
    for _ in range(20):
        try:
            assert list(backend.infer(FEEDS)) == ['output0']
            break
        except ModelError:
            continue
    assert backend.values()['server_failures'] >= 2
    assert 'the server answers again, after' in caplog.text


# MLServer has no code for that.
@pytest.mark.parametrize('code', [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNKNOWN])
def test_a_model_that_is_unloaded_and_loaded_again_goes_on(server, load, code):
    backend = load(server, timeout_s=0.3)
    server.served.error = (code, 'the model was not found')
    server.served.ready = False
    for _ in range(2):
        with pytest.raises(ModelError, match='does not have this model|is not ready'):
            backend.infer(FEEDS)
    assert server.served.inferences == 2
    server.served.error, server.served.ready = None, True
    assert list(backend.infer(FEEDS)) == ['output0']


def test_another_version_of_the_same_kind_goes_on_and_is_reported(server, load, caplog):
    caplog.set_level(logging.INFO)
    backend = load(server)
    server.served.version = '2'
    assert list(backend.infer(FEEDS)) == ['output0']
    assert backend.values()['model_version'] == '2'
    assert 'the server has version 2 now, before 1' in caplog.text


@pytest.mark.parametrize('noticed_by', ['version', 'shape', 'restart'])
def test_a_model_of_another_shape_is_an_error_until_it_is_loaded_again(
        server, load, tmp_path, noticed_by):
    models = ModelPool()
    backend = load(server, models, timeout_s=5.0)
    server.served.load(write_model(tmp_path / 'other.onnx', yolo_table([], 5)))
    if noticed_by == 'version':
        server.served.version = '2'
    elif noticed_by == 'shape':
        with pytest.raises(ModelError, match='has an output output0'):
            backend.infer(FEEDS)
    else:
        server.stop()
        with pytest.raises(ModelError, match='is not available'):
            backend.infer(FEEDS)
        server.start()
    with pytest.raises(ModelChangedError, match='the server has another model now: the outputs'):
        backend.infer(FEEDS)
    calls = server.served.inferences
    with pytest.raises(ModelChangedError, match='configure again'):
        backend.infer(FEEDS)
    assert server.served.inferences == calls
    # Also while other engines still hold the previous one.
    assert load(server, models, timeout_s=5.0).infer(FEEDS)['output0'].shape == (1, 9, 84)


def test_other_class_names_are_another_model(server, load):
    server.served.parameters = NAMES
    backend = load(server)
    server.served.version, server.served.parameters = '2', {'names': '["a", "b", "c"]'}
    with pytest.raises(ModelChangedError, match='another model now: other names'):
        backend.infer(FEEDS)


def rename(response):
    response.outputs[0].name = 'other'


def retype(response):
    response.outputs[0].datatype = 'INT32'


def reshape(response):
    response.outputs[0].shape[2] = 42


def negate(response):
    response.outputs[0].shape[2] = -1


def cut(response):
    response.raw_output_contents[0] = response.raw_output_contents[0][:-3]


def remove(response):
    del response.raw_output_contents[:]


@pytest.mark.parametrize('change', [rename, retype, reshape, negate, cut, remove])
def test_an_answer_that_is_not_as_stated_is_an_error_and_the_next_may_be_right(
        server, load, change):
    backend = load(server)
    server.served.change = change
    with pytest.raises(ModelError, match='the answer has'):
        backend.infer(FEEDS)
    server.served.change = lambda response: None
    assert list(backend.infer(FEEDS)) == ['output0']


def test_numbers_may_come_in_another_field_than_bytes(server, load):
    backend = load(server)
    expected = backend.infer(FEEDS)['output0']

    def as_numbers(response):
        numbers = np.frombuffer(response.raw_output_contents[0], np.float32)
        response.outputs[0].contents.fp32_contents.extend(numbers.tolist())
        del response.raw_output_contents[:]
    server.served.change = as_numbers
    assert np.array_equal(backend.infer(FEEDS)['output0'], expected)


def test_values_that_are_not_numbers_are_no_detections(server):
    detector = Detector.load(ModelSettings(id=server.uri))

    def spoil(response):
        count = len(response.raw_output_contents[0]) // 4
        response.raw_output_contents[0] = np.full(count, np.nan, np.float32).tobytes()
    server.served.change = spoil
    prepared = detector.prepare(IMAGE)
    selection = detector.selection(DetectSettings(), 0.4)
    assert len(detector.read(detector.run(prepared), prepared.letterbox, selection)) == 0
    detector.close()


@pytest.mark.parametrize('code', [
    grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_an_error_of_the_server_is_an_error_with_its_text(server, load, code):
    backend = load(server)
    server.served.error = (code, 'out of\n memory')
    with pytest.raises(ModelError, match=f'answered with {code.name}: out of memory'):
        backend.infer(FEEDS)


def test_the_figures_have_the_server_the_version_and_the_round_trip(server, load):
    backend = load(server)
    values = [backend.infer(FEEDS) and backend.values() for _ in range(3)][-1]
    assert (values['server'], values['model_version']) == ('test server 1.2', '1')
    assert (values['server_calls'], values['server_failures']) == (4, 0)
    assert 0 < values['round_trip_p50_ms'] <= values['round_trip_p95_ms']
    assert values['server_mb_per_s'] > 0


# Several cameras.

def test_other_class_names_after_a_restart_between_two_calls_are_noticed(
        server, load, monkeypatch):
    monkeypatch.setattr(remote, 'CHECK_PERIOD_S', 0.1)
    server.served.parameters = {'names': "['a', 'b', 'c']"}
    backend = load(server, timeout_s=5.0)
    backend.infer(FEEDS)
    server.stop()
    server.served.parameters = {'names': "['x', 'y', 'z']"}
    server.start()
    with pytest.raises(ModelChangedError, match='the server has another model now'):
        for _ in range(200):
            backend.infer(FEEDS)
            time.sleep(0.01)


def test_cameras_share_a_connection_and_each_has_one_call_in_flight(server, load):
    models = ModelPool(cameras=4)
    backends = [load(server, models, timeout_s=10.0) for _ in range(4)]
    server.served.most_running = 0
    server.served.go_on.clear()
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(backend.infer, FEEDS) for backend in backends]
        wait_until(lambda: server.served.running == 4)
        server.served.go_on.set()
        assert all(list(call.result(20)) == ['output0'] for call in calls)
    assert server.served.most_running == 4
    # One shared network: all of them have the calls of all.
    assert {backend.values()['server_calls'] for backend in backends} == {8}


def test_each_connection_that_is_opened_is_closed(server, load, monkeypatch):
    opened, closed = [], []
    create, close = ModelServer.__init__, ModelServer.close
    monkeypatch.setattr(ModelServer, '__init__', lambda self, settings: (
        opened.append(self), create(self, settings))[1])
    monkeypatch.setattr(ModelServer, 'close', lambda self: (
        closed.append(self), close(self))[1])
    models = ModelPool(cameras=3)
    backends = [load(server, models) for _ in range(3)]
    assert len(opened) - len(closed) == 1
    for backend in backends:
        backend.close()
    assert opened and set(opened) == set(closed)


def test_with_max_batch_waiting_frames_are_one_call(make_server, tmp_path, load):
    server = make_server(free_batch_model(tmp_path / 'm.onnx'))
    models = ModelPool(cameras=4)
    backends = [load(server, models, timeout_s=10.0, max_batch=4) for _ in range(4)]

    def all_at_once():
        server.served.go_on.clear()
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(backend.infer, FEEDS) for backend in backends]
            wait_until(lambda: server.served.running == 1)
            time.sleep(0.2)
            server.served.go_on.set()
            assert all(call.result(20)['output0'].shape[0] == 1 for call in calls)
    all_at_once()  # The first batch is compared with single calls.
    before = server.served.inferences
    all_at_once()
    assert server.served.inferences - before == 2
    assert backends[0].values()['largest_batch'] == 3


def free_batch_model(path):
    """Write a model whose output depends on each image of the batch."""
    helper = onnx.helper
    node = helper.make_node('ReduceMean', ['images'], ['output0'], axes=[3], keepdims=0)
    graph = helper.make_graph(
        [node], 'test',
        [helper.make_tensor_value_info('images', TENSORS.FLOAT, ('n', 3, 64, 64))],
        [helper.make_tensor_value_info('output0', TENSORS.FLOAT, ('n', 3, 64))])
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), str(path))
    return path


def test_a_failed_call_for_several_frames_is_an_error_of_each(make_server, tmp_path, load):
    server = make_server(free_batch_model(tmp_path / 'm.onnx'))
    models = ModelPool(cameras=3)
    backends = [load(server, models, timeout_s=10.0, max_batch=3) for _ in range(3)]
    server.served.error = (grpc.StatusCode.INTERNAL, 'broken')
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(backend.infer, FEEDS) for backend in backends]
        for call in calls:
            with pytest.raises((ModelError, SharedCallError), match='broken'):
                call.result(20)


# Secrets and certificates.

def test_a_header_has_its_value_from_the_environment_and_no_error_has_it(
        server, load, monkeypatch):
    monkeypatch.setenv('TOKEN_OF_TEST', SECRET)
    backend = load(server, headers=('Authorization: Bearer ${TOKEN_OF_TEST}',))
    assert server.served.headers[-1]['authorization'] == f'Bearer {SECRET}'
    server.served.error = (grpc.StatusCode.UNAUTHENTICATED, f'the token {SECRET} is too old')
    with pytest.raises(ModelError, match='refuses the call: the token .* is too old') as caught:
        backend.infer(FEEDS)
    assert SECRET not in str(caught.value) and caught.value.__cause__ is None


def test_a_header_needs_its_environment_variable(server):
    with pytest.raises(ModelError, match='model.headers.*has no variable NOT_SET_IN_TEST'):
        detect(server.uri, headers=('x-key: ${NOT_SET_IN_TEST}',))


@pytest.mark.parametrize('line', [
    f'Authorization: Bearer {SECRET}', SECRET, f'x-key: a\n{SECRET}${{A}}'])
def test_a_header_without_a_variable_is_refused_without_its_value(line):
    with pytest.raises(SettingError, match='must be "name: value" with an environment') as caught:
        Settings().with_values({'model.headers': [line]})
    assert SECRET not in str(caught.value)


@pytest.fixture(scope='module')
def certificate(tmp_path_factory):
    """Create a certificate for 127.0.0.1; return the paths of the key and of the certificate."""
    if shutil.which('openssl') is None:
        pytest.skip('needs openssl')
    folder = tmp_path_factory.mktemp('tls')
    key, path = folder / 'key.pem', folder / 'ca.pem'
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
         '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', path],
        check=True, capture_output=True)
    return key, path


@pytest.fixture
def tls_server(make_server, file, certificate):
    key, path = certificate
    return make_server(file, credentials=grpc.ssl_server_credentials(
        [(key.read_bytes(), path.read_bytes())]))


def test_grpcs_needs_a_certificate_that_model_ca_file_signed(tls_server, certificate):
    found, info = detect(tls_server.uri, ca_file=str(certificate[1]))
    assert len(found) == len(BOXES)
    with pytest.raises(ModelError, match='is not available'):
        detect(tls_server.uri)


def test_a_missing_certificate_file_is_an_error(tls_server, tmp_path):
    with pytest.raises(ModelError, match='model.ca_file = .* cannot be read: No such file'):
        detect(tls_server.uri, ca_file=str(tmp_path / 'missing.pem'))
