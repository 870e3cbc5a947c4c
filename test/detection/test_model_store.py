# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model is found or downloaded, complete and unchanged, or an error gives the reason."""

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
    """Serves the model, a part of it, or an error."""

    def do_GET(self):
        self.server.requests += 1
        if self.path == '/missing.onnx':
            self.send_error(404)
            return
        if self.path == '/busy.onnx' and self.server.requests == 1:
            self.send_error(503)
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
    assert "there is no other.onnx in the share folder of 'my_models'" in text


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
