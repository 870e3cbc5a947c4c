# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""No password or token in an address reaches a log, an error or a result."""

import os
from unittest.mock import patch

from fuzz.strategies import any_text, examples
from hypothesis import strategies as st
import pytest
from udp_infer_ros.detection.model_store import locate
from udp_infer_ros.errors import ModelError, SettingError, SourceError
from udp_infer_ros.redact import redacted
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.uri import SourceUri

pytestmark = pytest.mark.once
MARK = 'Zq7xK'
"""Part of every secret; nothing else contains it."""
ASCII = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"\'!')
SCHEMES = st.sampled_from((
    'rtsp', 'rtsps', 'RTSP', 'http', 'https', 'rtmp', 'rtmps', 'srt', 'ftp', 'udp', 'tcp', 'mms'))
HOSTS = st.sampled_from(('cam', '10.0.0.7', 'cam.example:554', '[fd00::7]', '[::1]:8554', 'a.b-c'))
PATHS = st.sampled_from(('', '/', '/1', '/h264?ch=1', '/live/main.sdp?subtype=0', '/a/b#c'))
USERS = st.one_of(
    st.just('admin'), st.text(st.sampled_from('abcXYZ019._-%'), min_size=1, max_size=12))
KEYS = st.sampled_from((
    'password', 'pass', 'pwd', 'PWD', 'passwd', 'token', 'access_token', 'secret', 'key', 'apikey',
    'api_key', 'api-key', 'auth', 'authkey', 'sig', 'signature', 'X-Amz-Signature', 'jwt',
    'session', 'credential'))


def secrets(alphabet):
    """Surround the mark with characters."""
    around = st.text(alphabet, max_size=10)
    return st.tuples(around, around).map(MARK.join)


HEX = st.text('0123456789abcdef', min_size=14, max_size=30)
TOKENS = HEX.map(lambda text: f'{text[:7]}{MARK}{text[7:]}0')
"""Text that no one would use as the name of a stream."""
PASSWORDS = secrets(ASCII)
# Values that contain an @: test_a_secret_with_an_at_sign_in_a_query_is_hidden.
WORDS = secrets(ASCII.filter(lambda character: character not in '&#;@'))
STREAMS = st.one_of(
    st.builds('{}://{}:{}@{}{}'.format, SCHEMES, USERS, PASSWORDS, HOSTS, PATHS),
    st.builds('{}://{}@{}{}'.format, SCHEMES, PASSWORDS, HOSTS, PATHS),
    st.builds('{}:/{}:{}@{}{}'.format, SCHEMES, USERS, PASSWORDS, HOSTS, PATHS),
    st.builds('{}:{}:{}@{}{}'.format, SCHEMES, USERS, PASSWORDS, HOSTS, PATHS),
    st.builds('{}://{}/cgi?user=me&{}={}&ch=1'.format, SCHEMES, HOSTS, KEYS, WORDS),
    st.builds('{}://{}/cgi?{}={}'.format, SCHEMES, HOSTS, KEYS, WORDS),
    st.builds('{}://{}/{}/mjpeg'.format, SCHEMES, HOSTS, TOKENS),
    st.builds('{}://{}/live?id={}&ch=1'.format, SCHEMES, HOSTS, TOKENS))
PIPELINES = st.one_of(
    st.builds('rtspsrc location={}://{}:{}@{}{} ! decodebin ! appsink'.format,
              SCHEMES, USERS, WORDS, HOSTS, PATHS),
    st.builds('rtspsrc location="{}://{}:{}@{}{}" latency=0 ! appsink'.format,
              SCHEMES, USERS, WORDS, HOSTS, PATHS),
    st.builds('rtspsrc location=rtsp://cam/1 user-id=me user-pw={} ! appsink'.format, WORDS),
    st.builds('rtspsrc location=rtsp://cam/1 user-pw="{}" user-id=me ! appsink'.format, WORDS))
WITHOUT_SCHEME = st.builds(
    '{}:{}@{}{}'.format, st.just('admin'), PASSWORDS, HOSTS, PATHS)
ADDRESSES = st.one_of(STREAMS, PIPELINES, WITHOUT_SCHEME)


def parse_error(text):
    """Return the name of a source or the error of its address, as they are logged."""
    try:
        return SourceUri.parse(text).redacted
    except SourceError as error:
        return f'{error}{error.value!r}'


@examples(1000, text=ADDRESSES)
def test_no_secret_is_in_the_name_of_a_source_or_in_its_error(text):
    assert MARK in text
    assert MARK not in redacted(text)
    if '://' in text or ' ! ' in text or not set('*?[') & set(text):
        assert MARK not in parse_error(text)


@pytest.mark.parametrize('text', [
    f'rtsp://cam/cgi?user=me&password=@{MARK}&ch=1', f'http://cam/?token=a@{MARK}'])
def test_a_secret_with_an_at_sign_in_a_query_is_hidden(text):
    assert MARK not in redacted(text)


@pytest.mark.parametrize('text', [
    f'rtsp:/admin:{MARK}@cam/h264?ch=1', f'admin:{MARK}@cam/h264?ch=1', f'admin:{MARK}*@cam/1'])
def test_an_address_without_a_scheme_that_looks_like_a_glob_is_redacted(text):
    assert MARK not in parse_error(text)


@examples(300, text=ADDRESSES, before=any_text(15), after=any_text(15))
def test_redaction_of_any_text_ends_and_does_not_change_a_redacted_text(text, before, after):
    for noisy in (before + text, text + after, before):
        once = redacted(noisy)
        assert redacted(once) == once


@examples(300, text=ADDRESSES, name=st.sampled_from(('source.uri', 'model.id', 'source.fourcc')))
def test_no_secret_is_in_the_error_of_a_parameter(text, name):
    for value in ([text], {'uri': text}, text):
        try:
            Settings().with_values({name: value})
        except SettingError as error:
            assert MARK not in str(error)


@examples(300, text=st.one_of(STREAMS, WITHOUT_SCHEME), sha256=st.sampled_from(('', 'abc')))
def test_no_secret_is_in_the_error_of_a_model_id(text, sha256):
    with pytest.raises(ModelError) as caught:
        locate(text, sha256)
    assert MARK not in str(caught.value)


@examples(200, password=PASSWORDS.filter(lambda text: '\0' not in text), scheme=SCHEMES)
def test_no_value_of_a_variable_is_in_the_name_of_a_source(password, scheme):
    with patch.dict(os.environ, {'CAMERA_PASSWORD': password}):
        uri = SourceUri.parse(f'{scheme}://admin:${{CAMERA_PASSWORD}}@cam/1')
    assert MARK in str(uri.target) and MARK not in uri.redacted
