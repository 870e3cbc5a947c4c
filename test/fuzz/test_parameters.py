# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Whatever the values of parameters are, they are accepted or refused with their own error."""

import os
from pathlib import Path
import socket
from unittest.mock import patch

from fuzz.strategies import any_text, examples, VALUES
from hypothesis import strategies as st
import pytest
from udp_infer_ros.detection.model_store import locate
from udp_infer_ros.errors import ModelError, SettingError, SourceError
from udp_infer_ros.outputs.udp import resolve_target, resolve_targets
from udp_infer_ros.settings import PARAMETERS, Settings
from udp_infer_ros.sources.uri import SourceUri

pytestmark = pytest.mark.once


# Those above the largest float: test_a_number_that_is_too_large_is_refused.
SHORT_VALUES = VALUES.filter(lambda value: len(repr(value)) < 300)


@st.composite
def near(draw, parameter):
    """Draw a value of a parameter; half of them are of any type and size."""
    integers = st.integers(int(parameter.low or 0), int(parameter.high or 1000))
    numbers = st.one_of(integers, st.floats(parameter.low or 0.0, parameter.high or 1e6))
    texts = st.one_of(
        any_text(12), st.sampled_from(parameter.choices or ('', '0', 'MJPG')))
    if draw(st.booleans()):
        return draw(st.one_of(
            numbers, texts, st.integers(-2**63, 2**63 - 1), st.floats(), SHORT_VALUES))
    if parameter.choices:
        return draw(st.sampled_from(parameter.choices))
    items = texts if parameter.items is str else numbers
    return draw({
        bool: st.booleans(), int: integers, float: numbers, str: texts,
        tuple: st.lists(items, min_size=3, max_size=3)}[parameter.kind])


@st.composite
def changes(draw):
    """Draw some values by name; a few names are unknown."""
    names = draw(st.lists(st.sampled_from(sorted(PARAMETERS)), max_size=4, unique=True))
    values = {name: draw(near(PARAMETERS[name])) for name in names}
    if not draw(st.integers(0, 9)):
        values[draw(st.one_of(any_text(12), st.sampled_from(('detect', '', 'detect.'))))] = 0
    return values


@examples(600, values=changes())
def test_values_are_refused_or_make_settings_that_can_be_read_back(values):
    before = Settings()
    try:
        after = before.with_values(values)
    except SettingError as error:
        assert error.name in values or error.name in PARAMETERS
        assert str(error)
        return
    assert Settings().with_values(after.flat()) == after
    assert set(after.flat()) == set(PARAMETERS)
    for name in set(PARAMETERS) - set(values):
        assert after.flat()[name] == before.flat()[name]


@pytest.mark.parametrize('value', [10**400, -10**400], ids=['high', 'low'])
@pytest.mark.parametrize('name, is_list', [
    ('detect.confidence', False), ('model.threads', False), ('model.mean', True)])
def test_a_number_that_is_too_large_is_refused(name, is_list, value):
    with pytest.raises(SettingError):
        Settings().with_values({name: [value] * 3 if is_list else value})


HOSTS = st.one_of(
    any_text(30), st.sampled_from((
        '127.0.0.1', '::1', '[::1]', '[fe80::1%lo]', '255.255.255.255', '1.2.3', '0x7f000001', '',
        'a' * 300, 'a..b', '\u3002', 'ä' * 80, '[', '[]', 'host\0name', 'rtsp://me:pw@host')))
PORTS = st.one_of(
    st.integers(-10, 70000).map(str), any_text(6),
    st.sampled_from(('', '٣', '²', '0', '65535', '65536', '9' * 5000)))


def numeric_only(host, port, **more):
    """Look up without a name server."""
    return REAL_LOOKUP(host, port, flags=socket.AI_NUMERICHOST, **more)


REAL_LOOKUP = socket.getaddrinfo


@examples(600, text=st.one_of(
    any_text(40), st.tuples(HOSTS, PORTS).map(':'.join)))
def test_a_target_is_refused_or_has_a_host_and_a_port(text):
    with patch('socket.getaddrinfo', numeric_only):
        try:
            target = resolve_target(text, [text])
        except SettingError as error:
            assert error.name == 'udp.targets'
            return
    assert target.text == text
    assert target.family in (socket.AF_INET, socket.AF_INET6)
    assert 1 <= target.address[1] <= 65535


@examples(100, texts=st.lists(st.tuples(HOSTS, PORTS).map(':'.join), max_size=4))
def test_several_targets_are_refused_together_or_keep_their_order(texts):
    with patch('socket.getaddrinfo', numeric_only):
        try:
            targets = resolve_targets(texts)
        except SettingError:
            return
    assert [target.text for target in targets] == texts


ADDRESSES = st.one_of(
    any_text(40),
    st.builds(
        '{}{}'.format,
        st.sampled_from((
            '/dev/video', 'rtsp://', 'file://', '~', '~root/', '${', '${HOME}', '${NOT_SET}',
            '/dev/', '/dev/shm/', 'x ! ', '*', '[', 'package://', '//', '.', 'http://[')),
        any_text(20)),
    st.sampled_from(('0', '007', '/', '.', '~', '~nosuchuser/x', '*.png', '')))


@examples(500, text=ADDRESSES.filter(lambda text: '~' not in text.removeprefix('file://')[:1]))
def test_a_source_uri_is_refused_or_parsed(text):
    try:
        uri = SourceUri.parse(text)
    except SourceError as error:
        assert error.name == 'source.uri'
        return
    assert uri.kind in ('device', 'file', 'images', 'stream', 'pipeline')
    assert isinstance(uri.target, int if text.isdecimal() and text.isascii() else (int, str))


@pytest.mark.parametrize('text', [
    pytest.param('9' * 5000, id='a number of 5000 digits'),
    pytest.param('/dev/video' + '9' * 5000, id='a device number of 5000 digits'),
    pytest.param('x' * 5000, id='a name of 5000 characters'),
    pytest.param('~nosuchuser/clip.mp4', id='an unknown user')])
def test_an_impossible_source_uri_is_refused(text):
    with pytest.raises(SourceError):
        SourceUri.parse(text)


@examples(300, text=ADDRESSES, sha256=st.one_of(
    st.just(''), any_text(10), st.text('0123456789abcdefABCDEF', min_size=64, max_size=64)))
def test_a_model_id_is_refused_or_found(text, sha256):
    if text.lower().startswith('http'):
        sha256 = sha256[:10]  # so that nothing is downloaded
    with patch.dict(os.environ, {'AMENT_PREFIX_PATH': '/nowhere'}):
        try:
            path = locate(text, sha256)
        except ModelError as error:
            assert error.name in ('model.id', 'model.sha256')
            return
    assert isinstance(path, Path) and path.is_file()
