# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model is found or downloaded, complete and unchanged, or an error gives the reason."""

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import logging
import os
from pathlib import Path
import shutil
import subprocess
import sys
import threading

from helpers import write_model
import numpy as np
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.model_store import bundled_models, cache_folder, locate
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings

CONTENT = b'a model' * 50_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
pytestmark = pytest.mark.timeout(60)


class Handler(BaseHTTPRequestHandler):
    """Serves the model, a part of it, or an error."""

    def do_GET(self):
        self.server.requests += 1
        path = self.path.partition('?')[0]
        if path == '/missing.onnx':
            self.send_error(404)
            return
        if path == '/busy.onnx' and self.server.requests == 1:
            self.send_error(503)
            return
        if path == '/elsewhere.onnx':
            self.send_response(302, 'gone\x1b[31m')
            self.send_header('Location', 'ftps://other/?token=secret')
            self.end_headers()
            return
        self.send_response(200)
        length = '\xb2' if path == '/length.onnx' else str(len(CONTENT))
        self.send_header('Content-Length', length)
        self.end_headers()
        self.wfile.write(CONTENT[:1000] if path == '/cut.onnx' else CONTENT)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    served = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    served.requests = 0
    served.url = f'http://127.0.0.1:{served.server_port}'
    thread = threading.Thread(target=served.serve_forever, args=(0.02,))
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '*')
    return tmp_path / 'cache' / 'udp_infer_ros'


def refusal(*arguments):
    """Return the error of a model that must be refused."""
    with pytest.raises(ModelError) as caught:
        locate(*arguments)
    return str(caught.value)


def files_in(folder):
    """List the files below a folder."""
    return [path for path in folder.rglob('*') if path.is_file()]


def test_a_bundled_model_is_found_by_its_name():
    assert 'nanodet_g_416' in bundled_models()
    assert locate('nanodet_g_416').is_file()


def test_a_path_is_found_and_its_checksum_is_verified_if_given(tmp_path):
    path = tmp_path / 'm.onnx'
    path.write_bytes(CONTENT)
    assert locate(str(path)) == locate(f'file://{path}') == path
    assert locate(str(path), SHA256.upper()) == path
    assert 'is not the checksum of' in refusal(str(path), '0' * 64)


def test_a_file_of_a_package_is_found_in_its_share_folder(tmp_path, monkeypatch):
    path = tmp_path / 'b' / 'share' / 'my_models' / 'nets' / 'm.onnx'
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}/a:{tmp_path}/b')
    assert locate('package://my_models/nets/m.onnx') == path
    text = refusal('package://my_models/other.onnx')
    assert "there is no 'other.onnx' in the share folder of 'my_models'" in text


@pytest.mark.parametrize('model_id, cause', [
    ('~nosuchuser/m.onnx', 'home'), ('http://[', 'not a valid path or address'),
    ('x' * 300 + '.onnx', 'File name too long'), ('a\0b.onnx', ''), ('', ''),
    ('/dev/null', ''), ('/dev', ''), ('m\ud800.onnx', ''), ('package://', ''),
    ('package://' + 'x' * 300 + '/m.onnx', ''), ('http://', ''), ('https:///m.onnx', ''),
    ('http://a..b/m.onnx', ''), ('http://m\xf6del/\xe9.onnx', ''), ('http://h:x/m.onnx', ''),
])
def test_every_other_text_is_an_error_with_a_remedy(model_id, cause, monkeypatch):
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt')
    with pytest.raises(ModelError) as caught:
        locate(model_id, SHA256)
    assert caught.value.name == 'model.id' and caught.value.remedy
    assert cause in caught.value.rule


@pytest.fixture
def unprivileged():
    """Drop the permissions of root."""
    user = os.geteuid()
    if not user:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.parametrize('name, mode', [('m.onnx', 0o000), ('folder/m.onnx', 0o600)])
@pytest.mark.parametrize('sha256', ['', SHA256])
def test_a_file_without_permission_is_an_error_that_says_so(
        tmp_path, request, name, mode, sha256):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(CONTENT)
    (path.parent if path.parent != tmp_path else path).chmod(mode)
    tmp_path.chmod(0o755)
    request.getfixturevalue('unprivileged')
    text = refusal(str(path), sha256)
    assert f'model.id = {str(path)!r}: cannot be used: Permission denied; ' in text
    assert text.endswith('the user of this process may read the file')


@pytest.mark.parametrize('name, words', [
    ('yolo11n.pt', ('is a PyTorch file, not an ONNX file; export it to ONNX',)),
    ('net.PTH', ('is a PyTorch file',)),
    ('net.engine', ('is a TensorRT engine', 'the ONNX file')),
    ('net.tflite', ('is a TensorFlow Lite file', 'export the model to ONNX')),
])
@pytest.mark.parametrize('folder', ['', 'package://my_models/', 'https://models/'])
def test_a_file_of_another_format_is_called_what_it_is(folder, name, words):
    text = refusal(folder + name)
    assert all(word in text for word in words)


@pytest.mark.parametrize('model_id, scheme', [
    ('s3://bucket/m.onnx', 's3'), ('hf://org/model', 'hf'), ('ftp://me:secret@host/m', 'ftp')])
def test_an_unknown_scheme_is_named(model_id, scheme):
    text = refusal(model_id)
    assert f'has an unknown scheme {scheme}://; known are package://, http://' in text
    assert 'secret' not in text


def test_a_url_is_downloaded_once_and_then_read_from_the_cache(server, cache):
    url = f'{server.url}/a/model.onnx?v=1'
    path = locate(url, SHA256)
    assert path.read_bytes() == CONTENT
    assert path.name == 'model.onnx' and cache in path.parents
    server.shutdown()
    assert locate(url, SHA256) == path
    assert server.requests == 1
    assert cache_folder() == cache


def test_a_damaged_file_in_the_cache_is_downloaded_again(server):
    path = locate(f'{server.url}/m.onnx', SHA256)
    path.write_bytes(b'rot')
    assert locate(f'{server.url}/m.onnx', SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize('sha256', ['', 'abc', 'z' * 64])
def test_a_url_needs_a_checksum(server, sha256):
    assert 'must be 64 hexadecimal digits' in refusal(f'{server.url}/m.onnx', sha256)
    assert server.requests == 0


def test_a_file_with_another_checksum_is_refused_and_deleted(server, cache):
    text = refusal(f'{server.url}/m.onnx', '0' * 64)
    assert f'which is {SHA256}; use it only if you trust that file' in text
    assert files_in(cache) == []


def test_a_truncated_download_is_refused_and_deleted(server, cache):
    text = refusal(f'{server.url}/cut.onnx', SHA256)
    assert 'the download ended early: ' in text and text.endswith('try again')
    assert files_in(cache) == []


def test_the_status_of_the_server_is_in_the_error_at_once(server, cache):
    assert 'the server responded 404 Not Found' in refusal(f'{server.url}/missing.onnx', SHA256)
    assert server.requests == 1, 'not repeated'
    assert files_in(cache) == []


def test_a_download_is_repeated_after_an_error_of_the_server(server):
    assert locate(f'{server.url}/busy.onnx', SHA256).read_bytes() == CONTENT
    assert server.requests == 2


def test_the_rest_of_an_interrupted_download_is_replaced(server, cache):
    folder = cache / SHA256[:16]
    folder.mkdir(parents=True)
    (folder / 'm.onnx.part').write_bytes(CONTENT[:3])
    assert locate(f'{server.url}/m.onnx', SHA256).read_bytes() == CONTENT
    assert [path.name for path in files_in(cache)] == ['m.onnx']


def test_two_processes_download_a_model_once(server, cache):
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(locate(f'{server.url}/m.onnx', SHA256)))
        for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1 and server.requests == 1


@pytest.mark.parametrize('path, digest', [
    ('{url}/m.onnx?token=secret', ''), ('{url}/m.onnx?token=secret', '0' * 64),
    ('{url}/missing.onnx?token=secret', SHA256), ('{url}/cut.onnx?token=secret', SHA256),
    ('{url}/elsewhere.onnx?token=secret', SHA256), ('{url}/with space?token=secret', SHA256),
    ('http://me:secret@localhost/m.onnx', SHA256), ('http://localhost:1/m?key=secret', SHA256),
    ('http://me:secret@h\u2100/m', SHA256), ('http://[/?token=secret', ''),
    ('http://me:secret@h/m.pt', ''), ('~nosuchuser/token=secret', ''), ('me:secret@host/m', ''),
])
def test_a_secret_in_the_address_is_not_in_the_error_or_the_log(server, caplog, path, digest):
    caplog.set_level(logging.DEBUG)
    text = refusal(path.format(url=server.url), digest)
    assert 'secret' not in text + caplog.text
    assert text.isprintable()


@pytest.mark.parametrize('table, shape, metadata', [
    (None, None, None), (np.zeros((1, 5)), (1, 3, 64, 64), {}), (np.zeros((1, 5)), (1, 7), {}),
    (np.zeros((1, 84, 84)), (1, 3, 64, 64), {'names': "['a']"}),
    (np.zeros((1, 84, 84)), (1, 3, 64, 64), {'task': 'pose'}),
])
def test_a_secret_in_the_address_is_not_in_an_error_of_the_model(
        cache, tmp_path, table, shape, metadata):
    path = tmp_path / 'm.onnx'
    path.write_bytes(CONTENT)
    if table is not None:
        write_model(path, table, input_shape=shape, metadata=metadata)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (cache / sha256[:16]).mkdir(parents=True)
    path.rename(cache / sha256[:16] / 'm.onnx')
    with pytest.raises(ModelError) as caught:
        Detector.load(ModelSettings(id='https://models/m.onnx?sig=4ad2b6', sha256=sha256))
    assert 'https://models/m.onnx?sig=***' in str(caught.value)
    assert '4ad2b6' not in str(caught.value)


def test_a_random_path_is_not_the_name_of_the_file(server):
    secret = '4ad2b6a1f3c94c7d8e01'
    assert locate(f'{server.url}/{secret}', SHA256).name == 'model.onnx'
    assert locate(f'{server.url}/{secret}/m.onnx', SHA256).name == 'm.onnx'


@pytest.mark.parametrize('path, name', [
    ('a%1b%0ab.onnx', 'a__b.onnx'), ('%2e%2e', 'model.onnx'), ('..', 'model.onnx'),
    ('.onnx', 'onnx'), ('x' * 300 + '.onnx', 'x' * 95 + '.onnx'), ('d%c3%a9.onnx', 'd\xe9.onnx'),
])
def test_the_name_of_a_downloaded_file_is_made_safe(server, cache, path, name):
    found = locate(f'{server.url}/{path}', SHA256)
    assert found == cache / SHA256[:16] / name and found.read_bytes() == CONTENT


def test_a_length_that_is_not_a_number_is_ignored(server):
    assert locate(f'{server.url}/length.onnx', SHA256).read_bytes() == CONTENT


def test_a_malformed_address_is_not_tried_again(server, caplog):
    caplog.set_level(logging.INFO)
    refusal(f'{server.url}/with space.onnx', SHA256)
    assert len(caplog.records) == 1 and server.requests == 0


def test_an_unreachable_server_is_an_error_with_the_cause(server, cache):
    server.shutdown()
    server.server_close()
    text = refusal(f'{server.url}/m.onnx', SHA256)
    assert 'cannot be downloaded: Connection refused; check the network' in text
    assert files_in(cache) == []


ON_A_FULL_DISK = """
import sys
sys.path.insert(0, sys.argv[1])
from udp_infer_ros.detection.model_store import locate
from udp_infer_ros.errors import ModelError
try:
    locate(sys.argv[2], sys.argv[3])
except ModelError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_and_leaves_no_file(server, cache):
    alone = ['unshare', '--mount', '--map-root-user', 'sh', '-c',
             'mount -t tmpfs -o size=64k none "$1" && shift && "$@" && find "$XDG_CACHE_HOME" '
             '-type f', 'sh']
    cache.parent.mkdir()
    if not shutil.which('unshare') or subprocess.run(
            [*alone, cache.parent, 'true'], capture_output=True).returncode:
        pytest.skip('this machine does not let a test mount a small disk')
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [*alone, cache.parent, sys.executable, '-c', ON_A_FULL_DISK, root,
         f'{server.url}/m.onnx', SHA256], capture_output=True, text=True, timeout=50)
    [line] = done.stdout.splitlines()
    assert f'cannot be stored in {cache}/{SHA256[:16]}: No space left on device; free' in line


def test_a_cache_that_cannot_be_written_is_an_error(server, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert 'cannot be stored in' in refusal(f'{server.url}/m.onnx', SHA256)
