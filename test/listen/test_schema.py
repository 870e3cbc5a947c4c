# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Validation of messages against the schema."""

import json

from helpers import make_result
import pytest
from udp_infer_ros.outputs.payload import encode

pytest.importorskip('jsonschema')

from udp_infer_ros.listen.schema import MAX_ERRORS, MAX_TEXT, MessageValidator  # noqa: E402, I100

BOX = {
    'x': 1.0, 'y': 2.0, 'width': 3.0, 'height': 4.0, 'confidence': 0.5, 'class': 'a',
    'class_id': 1}


def errors(change):
    """Validate a message of the node after a change at the top level."""
    content = {**json.loads(encode(make_result(2))[0]), **change}
    return list(MessageValidator().iter_errors(content))


@pytest.mark.parametrize('payload', ['full', 'roboflow'])
@pytest.mark.parametrize('count', [0, 1, 100])
def test_messages_of_the_node_are_valid(payload, count):
    validator = MessageValidator()
    for data in encode(make_result(count), payload=payload):
        assert list(validator.iter_errors(json.loads(data))) == []


@pytest.mark.parametrize('change, error', [
    ({'frame_id': -1}, 'message.frame_id: -1 is less than the minimum of 0'),
    ({'frame_id': 1.5}, "message.frame_id: 1.5 is not of type 'integer'"),
    ({'frame_id': True}, "message.frame_id: True is not of type 'integer'"),
    ({'image': {'width': 1}}, "message.image: 'height' is a required property"),
    ({'more': 1}, "message: Additional properties are not allowed ('more' was unexpected)"),
    ({'time': 'x'}, "message.time: 'x' is not of type 'number'"),
    ({'predictions': [BOX, {**BOX, 'class': 1}]},
     "message.predictions[1].class: 1 is not of type 'string'"),
    ({'predictions': [{**BOX, 'confidence': 1.1}]},
     'message.predictions[0].confidence: 1.1 is greater than the maximum of 1'),
    ({'predictions': {}}, "message.predictions: {} is not of type 'array'"),
    ({'udp_infer': None}, "message.udp_infer: None is not of type 'object'"),
])
def test_an_error_names_the_path_and_the_rule(change, error):
    assert errors(change) == [error]


@pytest.mark.parametrize('change', [
    {'predictions': [{**BOX, 'width': 0}]}, {'predictions': [{}]}, {'udp_infer': {}},
    {'time': float('nan')}, {'time': float('inf')}, {'frame_id': float('inf')},
    {'predictions': [{**BOX, 'x': float('nan')}]},
    {'predictions': [{**BOX, 'confidence': float('inf')}]},
])
def test_numbers_out_of_range_or_not_finite_and_missing_keys_are_errors(change):
    assert errors(change)


def test_a_schema_number_other_than_1_is_an_error():
    content = json.loads(encode(make_result(0))[0])
    content['udp_infer']['schema'] = 2
    assert list(MessageValidator().iter_errors(content)) == [
        'message.udp_infer.schema: 1 was expected']


@pytest.mark.parametrize('value', ['x' * 60_000, list(range(10_000))], ids=['text', 'list'])
def test_the_text_of_an_error_is_short_however_large_the_message_is(value):
    error, = errors({'image': value})
    assert error.endswith("is not of type 'object'")
    assert len(error) < MAX_TEXT + 50


def test_the_path_of_an_error_is_short_however_long_a_key_is():
    content = json.loads(encode(make_result(0))[0])
    content['udp_infer']['dropped'] = {'k' * 50_000: -1}
    error, = MessageValidator().iter_errors(content)
    assert len(error) < 2 * MAX_TEXT + 50


def test_the_number_of_errors_is_limited():
    assert len(errors({'predictions': [{}] * 10_000})) == MAX_ERRORS


@pytest.mark.parametrize('key, errors_expected', [('time', 0), ('frame_id', 0), ('image', 1)])
def test_an_integer_of_any_size_is_a_number(key, errors_expected):
    assert len(errors({key: 10**4000})) == errors_expected


def test_a_deeply_nested_message_is_an_error_and_not_an_exception():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert errors({'image': nested}) == ['message: is nested too deeply']
