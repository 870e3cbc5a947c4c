# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model is found or fetched, whole and unchanged, or an error says why not."""

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
import shutil
import subprocess
import sys
import threading

import pytest
from udp_infer_ros.detection.model_store import bundled_models, cache_folder, locate
from udp_infer_ros.errors import ModelError

CONTENT = b'a model' * 50_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
pytestmark = pytest.mark.timeout(60)


class Handler(BaseHTTPRequestHandler):
    """Serves the model, or a part of it."""

    def do_GET(self):
        self.server.requests += 1
        if self.path == '/missing.onnx':
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header('Content-Length', str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:1000] if self.path == '/cut.onnx' else CONTENT)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    served = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    served.requests = 0
    served.url = f'http://127.0.0.1:{served.server_port}'
    thread = threading.Thread(target=served.serve_forever)
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
    """Ask for a model that is not to be had; return the text."""
    with pytest.raises(ModelError) as caught:
        locate(*arguments)
    return str(caught.value)


def files_in(folder):
    """List the files below a folder."""
    return [path for path in folder.rglob('*') if path.is_file()]


def test_the_bundled_models_are_found_by_name():
    assert 'nanodet_g_416' in bundled_models()
    assert locate('nanodet_g_416').is_file()


def test_a_path_is_found_and_its_checksum_is_compared_if_given(tmp_path):
    path = tmp_path / 'm.onnx'
    path.write_bytes(CONTENT)
    assert locate(str(path)) == locate(f'file://{path}') == path
    assert locate(str(path), SHA256.upper()) == path
    assert 'is not the checksum of' in refusal(str(path), '0' * 64)


def test_a_file_of_a_package_is_found_where_ament_has_it(tmp_path, monkeypatch):
    path = tmp_path / 'b' / 'share' / 'my_models' / 'nets' / 'm.onnx'
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}/a:{tmp_path}/b')
    assert locate('package://my_models/nets/m.onnx') == path
    text = refusal('package://my_models/other.onnx')
    assert "there is no other.onnx in the share folder of 'my_models'" in text


def test_a_url_is_fetched_once_and_then_used_without_the_server(server, cache):
    url = f'{server.url}/a/model.onnx?v=1'
    path = locate(url, SHA256)
    assert path.read_bytes() == CONTENT
    assert path.name == 'model.onnx' and cache in path.parents
    server.shutdown()
    assert locate(url, SHA256) == path
    assert server.requests == 1
    assert cache_folder() == cache


def test_a_file_in_the_cache_that_was_changed_is_fetched_again(server):
    path = locate(f'{server.url}/m.onnx', SHA256)
    path.write_bytes(b'rot')
    assert locate(f'{server.url}/m.onnx', SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize('sha256', ['', 'abc', 'z' * 64])
def test_a_url_needs_a_checksum(server, sha256):
    assert 'must be 64 hexadecimal digits' in refusal(f'{server.url}/m.onnx', sha256)
    assert server.requests == 0


def test_a_file_with_another_checksum_is_refused_and_not_kept(server, cache):
    text = refusal(f'{server.url}/m.onnx', '0' * 64)
    assert f'which is {SHA256}; use it only if you trust that file' in text
    assert files_in(cache) == []


def test_a_download_that_is_cut_off_is_refused_and_not_kept(server, cache):
    text = refusal(f'{server.url}/cut.onnx', SHA256)
    assert 'the download was cut off' in text and text.endswith('try again')
    assert files_in(cache) == []


def test_an_answer_that_is_no_file_is_refused(server, cache):
    assert 'the server answers 404 Not Found' in refusal(f'{server.url}/missing.onnx', SHA256)
    assert files_in(cache) == []


def test_without_a_network_it_says_so(server, cache):
    server.shutdown()
    server.server_close()
    text = refusal(f'{server.url}/m.onnx', SHA256)
    assert 'cannot be fetched: ' in text and 'fetch it by hand and give its path' in text
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


def test_a_full_disk_is_said_and_leaves_nothing(server, cache):
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
    assert f'cannot be kept in {cache}: No space left on device; make room there' in line


def test_a_cache_that_cannot_be_written_is_said(server, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert 'cannot be kept in' in refusal(f'{server.url}/m.onnx', SHA256)
