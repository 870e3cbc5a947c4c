# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model is found or downloaded, complete and unchanged, or an error gives the reason."""

from dataclasses import replace
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import logging
import os
from pathlib import Path
import re
import shutil
import socket
import subprocess
import sys
import threading

from helpers import wait_until, write_model, yolo_table
import numpy as np
import pytest
from udp_infer_ros.detection.catalog import CATALOG, CatalogModel, COCO
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.model_store import bundled_models, cache_folder, locate
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings

CONTENT = b'a model' * 50_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
pytestmark = pytest.mark.timeout(60)


OTHER_CONTENT = b'another' * 50_000
LAST_MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT'


class Handler(BaseHTTPRequestHandler):
    """Serves the model, a part of it, or an error; `/r/` with ranges, as a cloud storage does."""

    def do_GET(self):
        self.server.requests += 1
        self.server.ranges.append(self.headers.get('Range'))
        if self.path.startswith('/r/'):
            self.send_range()
            return
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

    def send_range(self):
        """Send what is requested; close the connection after `server.limit` bytes."""
        content, version = self.server.content, self.server.version
        begin, total = 0, len(content)
        if (self.headers.get('Range') and self.server.has_ranges
                and self.headers.get('If-Range') == version[1]):
            begin = int(self.headers['Range'].removeprefix('bytes=').rstrip('-'))
            if begin >= total:
                self.send_response(416)
                self.send_header('Content-Range', f'bytes */{total}')
                self.end_headers()
                return
            self.send_response(206)
            first = begin + self.server.shift
            self.send_header('Content-Range', f'bytes {first}-{total - 1}/{total}')
        else:
            self.send_response(200)
        if version[1]:
            self.send_header(*version)
        self.send_header('Content-Length', str(total - begin))
        self.end_headers()
        self.wfile.write(content[begin:][:self.server.limit])
        self.server.sent.set()
        self.server.hold.wait(20.0)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    served = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    served.requests, served.ranges = 0, []
    served.content, served.version, served.has_ranges = CONTENT, ('ETag', '"v1"'), True
    served.limit, served.shift = len(CONTENT), 0
    served.sent, served.hold = threading.Event(), threading.Event()
    served.hold.set()
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


def interrupt(server, *, limit=100_000):
    """Break off three attempts, after which a part is left."""
    server.limit = limit
    refusal(f'{server.url}/r/m.onnx', SHA256)
    server.limit = len(CONTENT)
    server.ranges.clear()


def test_an_interrupted_download_is_continued_in_the_next_attempt(server):
    server.limit = 150_000
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.ranges == [None, 'bytes=150000-', 'bytes=300000-']


@pytest.mark.parametrize('version', [('ETag', '"v1"'), ('Last-Modified', LAST_MODIFIED)])
def test_an_interrupted_download_is_continued_at_the_next_start(server, cache, version):
    server.version = version
    interrupt(server)
    assert [path.name for path in sorted(files_in(cache))] == [
        'm.onnx.part', 'm.onnx.part.version']
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.ranges == ['bytes=300000-']
    assert [path.name for path in files_in(cache)] == ['m.onnx']


@pytest.mark.parametrize('version', [('ETag', ''), ('ETag', 'W/"v1"'), ('ETag', '"\xe9"')])
def test_a_file_without_a_strong_version_is_downloaded_from_its_beginning(server, cache, version):
    server.version = version
    interrupt(server)
    assert files_in(cache) == []
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_server_without_ranges_sends_the_file_from_its_beginning(server):
    server.has_ranges = False
    interrupt(server)
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.requests == 4


def test_the_parts_of_two_versions_are_not_joined(server, cache):
    server.content, server.version = OTHER_CONTENT, ('ETag', '"v0"')
    interrupt(server)
    server.content, server.version = CONTENT, ('ETag', '"v1"')
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.ranges == ['bytes=300000-'], 'one request: it is answered with the whole file'


def test_a_damaged_part_is_replaced(server, cache, caplog):
    interrupt(server)
    [part] = cache.rglob('*.part')
    part.write_bytes(b'rot' * 100_000)
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.ranges == ['bytes=300000-', None]
    assert 'the checksum of the continued download is wrong' in caplog.text


@pytest.mark.parametrize('size', [len(CONTENT), len(CONTENT) + 5])
def test_a_part_as_long_as_the_file_is_replaced(server, cache, size):
    interrupt(server)
    [part] = cache.rglob('*.part')
    part.write_bytes(b'x' * size)
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.ranges == [f'bytes={size}-', None]


def test_another_range_than_the_requested_one_is_not_appended(server, cache):
    interrupt(server)
    server.shift = -7
    assert locate(f'{server.url}/r/m.onnx', SHA256).read_bytes() == CONTENT
    assert server.ranges == ['bytes=300000-', None]


def test_a_wrong_checksum_after_a_continued_download_is_an_error_at_last(server, cache):
    interrupt(server)
    [part] = cache.rglob('*.part')
    server.content = OTHER_CONTENT
    assert 'is not the checksum of' in refusal(f'{server.url}/r/m.onnx', SHA256)
    assert server.ranges == ['bytes=300000-', None]
    assert files_in(cache) == []


def test_progress_is_logged_where_there_is_no_terminal(server, caplog):
    caplog.set_level(logging.INFO)
    server.limit = 190_000
    locate(f'{server.url}/r/m.onnx', SHA256)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == f'downloading {server.url}/r/m.onnx'
    assert lines[-1] == 'm.onnx: 0.3 of 0.3 MB'
    assert f'downloading {server.url}/r/m.onnx, the rest of it' in lines
    assert 4 <= len(lines) <= 14


def test_a_second_process_waits_and_says_so(server, cache, caplog):
    caplog.set_level(logging.INFO)
    server.hold.clear()
    server.limit = 1000
    url = f'{server.url}/r/m.onnx'
    paths = []
    first, second = (
        threading.Thread(target=lambda: paths.append(locate(url, SHA256))) for _ in range(2))
    first.start()
    assert server.sent.wait(10.0)
    second.start()
    wait_until(lambda: f'waiting for another process that downloads to {cache}' in caplog.text)
    server.limit = len(CONTENT)
    server.hold.set()
    first.join()
    second.join()
    assert paths[0] == paths[1] and server.requests == 2


@pytest.fixture
def catalog(server):
    """Return a catalog with a model on the server, as the catalog of the package."""
    return {'small_64': CatalogModel(
        name='small_64', url=f'{server.url}/r/some_name.onnx', sha256=SHA256, megabytes=0.4,
        ap=1.5, input_px=64, source='us', family='nanodet', labels=('a', 'b'))}


def test_a_model_of_the_catalog_is_downloaded_once_by_its_name(server, cache, catalog):
    path = locate('small_64', catalog=catalog)
    assert path == cache / SHA256[:16] / 'small_64.onnx' and path.read_bytes() == CONTENT
    server.shutdown()
    assert locate('small_64', SHA256, catalog) == path
    assert server.requests == 1


def test_another_checksum_for_a_model_of_the_catalog_is_an_error(catalog):
    assert f'is not the checksum of small_64, which is {SHA256}' in refusal(
        'small_64', '0' * 64, catalog)


@pytest.mark.parametrize('name, near', [
    ('yolox_s', 'did you mean yolox_s_640? the names are '),
    ('yolo11', 'must be the name of a model or the path of an ONNX file; the names are '),
    ('nanodet-plus-m', 'did you mean nanodet_plus_m_416? '),
])
def test_an_unknown_name_is_an_error_with_the_names(name, near):
    text = refusal(name)
    assert near in text and all(model in text for model in CATALOG)


@pytest.mark.parametrize('name, text', [
    ('/models/yolo11n.onnx', 'no such file; check the path'),
    ('~/yolo11n.onnx', 'no such file; check the path'),
    ('/', 'is a folder, not an ONNX file; check the path'),
    ('nope.onnx', f'no such file; a relative path starts at {Path.cwd()}'),
    ('models/nope', f'no such file; a relative path starts at {Path.cwd()}'),
])
def test_a_path_without_a_file_is_refused_as_such(name, text):
    assert refusal(name) == f"model.id = '{name}': {text}"


@pytest.fixture
def unreachable():
    """Return the address of a server that does not run."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return f'http://127.0.0.1:{probe.getsockname()[1]}/m.onnx'


def test_a_failed_download_is_logged_once_and_names_what_the_user_has_set(
        unreachable, catalog, caplog):
    caplog.set_level(logging.INFO)
    model = replace(catalog['small_64'], url=unreachable)
    assert refusal('small_64', '', {'small_64': model}) == (
        f"model.id = 'small_64': cannot be downloaded: Connection refused ({unreachable}); check "
        'the network, or download it by other means and give its path')
    assert caplog.messages == [f'downloading {unreachable}']


def test_a_model_of_the_catalog_with_another_checksum_names_no_parameter_that_is_not_set(
        server, catalog):
    server.content = OTHER_CONTENT
    text = refusal('small_64', '', catalog)
    assert text.startswith("model.id = 'small_64': the downloaded file has another checksum than "
                           f'the catalog ({server.url}/r/some_name.onnx); ')


def test_the_catalog_has_what_a_user_chooses_by_and_what_pins_a_file():
    assert set(bundled_models()) <= set(CATALOG)
    for name, model in CATALOG.items():
        assert name == model.name and name.endswith(f'_{model.input_px}')
        assert 0 < model.ap < 60 and 0 < model.megabytes < 100
        assert model.license and model.source
        if name not in bundled_models():
            assert model.url.startswith('https://') and len(set(COCO)) == len(model.labels) == 80
            assert re.fullmatch('[0-9a-f]{64}', model.sha256)
    assert list(CATALOG) == sorted(CATALOG, key=lambda name: CATALOG[name].ap)


@pytest.mark.parametrize('settings, family, reason, labels', [
    ({}, 'yolo', 'as in the catalog', ('a', 'b')),
    ({'family': 'yolo'}, 'yolo', 'set by model.family', ('a', 'b')),
    ({'labels': ('c', 'd')}, 'yolo', 'as in the catalog', ('c', 'd')),
])
def test_a_model_of_the_catalog_has_its_family_and_classes_unless_they_are_set(
        server, tmp_path, settings, family, reason, labels):
    server.content = write_model(tmp_path / 'm.onnx', yolo_table([], 2)).read_bytes()
    model = CatalogModel(
        name='tiny_64', url=f'{server.url}/r/m.onnx', megabytes=0.1, ap=1.0, input_px=64,
        sha256=hashlib.sha256(server.content).hexdigest(), source='us', family='yolo',
        labels=('a', 'b'))
    server.limit = len(server.content)
    info = Detector.load(
        ModelSettings(id='tiny_64', **settings), catalog={'tiny_64': model}).info
    assert (info.name, info.family, info.family_reason) == ('tiny_64', family, reason)
    assert info.labels == labels
