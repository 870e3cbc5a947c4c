# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""What source.uri names, and how it may be shown."""

import pytest
from udp_infer_ros.errors import SourceError
from udp_infer_ros.sources.uri import SourceUri, without_password


def test_a_number_is_a_camera():
    assert SourceUri.parse('2') == SourceUri('device', 2, '/dev/video2')


@pytest.mark.parametrize('text', ['rtsp://cam/1', 'http://cam/mjpeg', 'udp://0.0.0.0:5000'])
def test_what_has_a_scheme_is_a_stream(text):
    assert SourceUri.parse(text) == SourceUri('stream', text, text)


def test_a_path_is_a_file_with_or_without_its_scheme(tmp_path):
    path = tmp_path / 'a.mp4'
    path.touch()
    assert SourceUri.parse(str(path)) == SourceUri('file', str(path), str(path))
    assert SourceUri.parse(f'file://{path}').target == str(path)


def test_a_path_that_is_not_there_is_refused():
    with pytest.raises(SourceError) as caught:
        SourceUri.parse('/no/such.mp4')
    assert str(caught.value).startswith("source.uri = '/no/such.mp4': no such file or device; ")


@pytest.mark.parametrize('url, shown', [
    ('rtsp://user:secret@10.0.0.7:554/h264?ch=1', 'rtsp://***@10.0.0.7:554/h264?ch=1'),
    ('http://secret@cam/', 'http://***@cam/'),
    ('rtsp://user:p@ss:w/rd@cam/1', 'rtsp://user:p@ss:w/rd@cam/1'),
    ('rtsp://cam/1', 'rtsp://cam/1'),
    ('rtsp://[::1', '(a malformed URL)'),
])
def test_a_password_is_never_shown(url, shown):
    if '/rd@' in url:
        assert 'p@ss' not in without_password(url)
    else:
        assert without_password(url) == shown
        assert SourceUri.parse(url).shown == shown
