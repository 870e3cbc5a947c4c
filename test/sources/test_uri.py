# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The kind of source that source.uri names, and how it may be logged."""

import pytest
from udp_infer_ros.errors import SourceError
from udp_infer_ros.sources.uri import FINITE_KINDS, SourceUri


def test_a_number_is_a_camera():
    assert SourceUri.parse('2') == SourceUri(kind='device', target=2, redacted='/dev/video2')


@pytest.mark.parametrize('text', ['/dev/video63', '/dev/v4l/by-id/usb-cam-index0'])
def test_a_path_below_dev_is_a_camera_although_it_is_not_plugged_in(text):
    uri = SourceUri.parse(text)
    assert uri.kind == 'device' and uri.redacted == text
    assert uri.kind not in FINITE_KINDS


@pytest.mark.parametrize('text', [
    'rtsp://cam/1', 'http://cam/mjpeg', 'udp://0.0.0.0:5000', 'tcp://cam:5000'])
def test_a_url_is_a_stream(text):
    assert SourceUri.parse(text) == SourceUri(kind='stream', target=text, redacted=text)


def test_elements_with_exclamation_marks_between_them_are_a_pipeline():
    text = 'rtspsrc location=rtsp://me:secret@cam/1 user-pw=hidden ! decodebin ! appsink'
    uri = SourceUri.parse(text)
    assert uri.kind == 'pipeline' and uri.target == text
    assert uri.redacted == (
        'rtspsrc location=rtsp://***@cam/1 user-pw=*** ! decodebin ! appsink')


def test_a_path_is_a_file_with_or_without_its_scheme(tmp_path):
    path = tmp_path / 'a.mp4'
    path.touch()
    assert SourceUri.parse(str(path)) == SourceUri(
        kind='file', target=str(path), redacted=str(path))
    assert SourceUri.parse(f'file://{path}').target == str(path)
    assert SourceUri.parse(str(path)).kind in FINITE_KINDS


def test_a_file_in_shared_memory_is_not_a_camera():
    with pytest.raises(SourceError, match='no such file'):
        SourceUri.parse('/dev/shm/no-such-clip.mp4')


def test_a_folder_and_a_glob_are_images(tmp_path):
    assert SourceUri.parse(str(tmp_path)).kind == 'images'
    assert SourceUri.parse(f'{tmp_path}/*.png').kind == 'images'
    (tmp_path / 'odd[1].mp4').touch()
    assert SourceUri.parse(str(tmp_path / 'odd[1].mp4')).kind == 'file'


def test_a_path_that_does_not_exist_is_refused():
    with pytest.raises(SourceError) as caught:
        SourceUri.parse('/no/such.mp4')
    assert str(caught.value).startswith("source.uri = '/no/such.mp4': no such file or device; ")


@pytest.mark.parametrize('url, redacted', [
    ('rtsp://user:secret@10.0.0.7:554/h264?ch=1', 'rtsp://***@10.0.0.7:554/h264?ch=1'),
    ('http://secret@cam/', 'http://***@cam/'),
    ('rtsp://user:secret@[::1]:554/1', 'rtsp://***@[::1]:554/1'),
    ('rtsp://user:se@cr:e/t@cam/1', 'rtsp://***@cam/1'),
    ('rtsp://user:se?cr#et@cam/1', 'rtsp://***@cam/1'),
    ('rtsp:/user:secret@cam/1', 'rtsp:/***@cam/1'),
    ('http://cam/mjpeg?user=me&password=secret&ch=1',
     'http://cam/mjpeg?user=me&password=***&ch=1'),
    ('http://cam/?access_token=secret#x', 'http://cam/?access_token=***#x'),
    ('http://cam/?usr=me&PWD=secret', 'http://cam/?usr=me&PWD=***'),
    ('http://cam/cgi?loginuse=me&loginpas=secret', 'http://cam/cgi?loginuse=me&loginpas=***'),
    ('http://cam/?api-key=secret&x-sig=secret', 'http://cam/?api-key=***&x-sig=***'),
    ('rtsp://cam:554/user=me_password=secret_channel=1.sdp',
     'rtsp://cam:554/user=me_password=***'),
    ('rtsp://cam/1', 'rtsp://cam/1'),
    ('rtsp://[::1', 'rtsp://[::1'),
])
def test_a_password_is_redacted(url, redacted):
    assert 'secret' not in redacted
    if '://' in url:
        assert SourceUri.parse(url) == SourceUri(
            kind='stream', target=url, redacted=redacted)
    else:
        with pytest.raises(SourceError) as caught:
            SourceUri.parse(url)
        assert 'secret' not in str(caught.value)


def test_the_value_of_an_environment_variable_is_used_and_not_logged(monkeypatch):
    monkeypatch.setenv('CAMERA', 'me:secret')
    uri = SourceUri.parse('http://cam/${CAMERA}')
    assert uri.target == 'http://cam/me:secret' and uri.redacted == 'http://cam/${CAMERA}'
    monkeypatch.delenv('CAMERA')
    with pytest.raises(SourceError, match='the environment has no variable CAMERA'):
        SourceUri.parse('http://cam/${CAMERA}')
