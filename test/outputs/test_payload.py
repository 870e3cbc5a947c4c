# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The datagram contract, schema 1."""

from importlib.resources import files
import json

from helpers import DROPPED, LATENCY_MS, make_result
import jsonschema
import pytest
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.outputs.payload import encode

SCHEMA = json.loads(
    files('udp_infer_ros').joinpath('payload.v1.schema.json').read_text(encoding='utf-8'))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def decode(data):
    """Read a datagram as a strict receiver would."""
    def refuse(text):
        raise AssertionError(f'{text} is not JSON')
    message = json.loads(data.decode('utf-8'), parse_constant=refuse)
    VALIDATOR.validate(message)
    return message


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_datagram_of_schema_1_looks_like_this():
    result = make_result(2)
    result.detections.xyxy[:] = (100.126, 50.5, 200.376, 80), (0, 0, 640, 480)
    result.detections.confidence[:] = 0.87654321, 0.5
    [data] = encode(result)
    assert data == (
        b'{"frame_id":11,"image":{"width":640,"height":480},"predictions":['
        b'{"x":150.255,"y":65.25,"width":100.25,"height":29.5,"confidence":0.8765,'
        b'"class":"person","class_id":0,"tracker_id":1},'
        b'{"x":320.0,"y":240.0,"width":640.0,"height":480.0,"confidence":0.5,'
        b'"class":"car","class_id":1}],'
        b'"time":0.012,"udp_infer":{"schema":1,"seq":8,"part":0,"parts":1,"truncated":0,'
        b'"source":"test","ros_frame":"camera","stamp":{"sec":12,"nanosec":34},"model":"model",'
        b'"dropped":{"replaced":3,"bad_message":0,"decode_error":0,"inference_error":0},'
        b'"latency_ms":{"wait":0.5,"preprocess":1.0,"inference":10.0,"postprocess":0.25,'
        b'"track":0.25,"total":12.0}}}')


@pytest.mark.parametrize('payload', ['full', 'roboflow'])
@pytest.mark.parametrize('count', [0, 1, 7, 300])
def test_a_datagram_says_what_the_result_says(payload, count):
    result = make_result(count)
    [data] = encode(result, payload=payload)
    message = decode(data)
    assert message['frame_id'] == 11
    assert message['image'] == {'width': 640, 'height': 480}
    for told, found in zip(message['predictions'], result.objects):
        assert (told['x'], told['y'], told['width'], told['height'], told['confidence']) == (
            found.x, found.y, found.width, found.height, found.score)
        assert (told['class'], told['class_id']) == (found.class_name, found.class_id)
        assert told.get('tracker_id', NO_TRACK) == found.track_id
    assert len(message['predictions']) == count
    if payload == 'full':
        assert message['udp_infer']['dropped'] == DROPPED
        assert message['udp_infer']['latency_ms'] == LATENCY_MS


def test_roboflow_has_exactly_the_keys_of_udp_stream_in_their_order():
    [data] = encode(make_result(4), payload='roboflow')
    message = decode(data)
    assert list(message) == ['frame_id', 'image', 'predictions']
    keys = ['x', 'y', 'width', 'height', 'confidence', 'class', 'class_id', 'detection_id']
    assert list(message['predictions'][1]) == keys
    assert list(message['predictions'][0]) == [*keys[:-1], 'tracker_id', keys[-1]]
    assert len({told['detection_id'] for told in message['predictions']}) == 4


@pytest.mark.parametrize('max_bytes', [1024, 1400, 9000, 65507])
@pytest.mark.parametrize('count', [0, 1, 50, 1000])
def test_a_frame_that_does_not_fit_is_split_into_parts_that_each_stand_alone(max_bytes, count):
    result = make_result(count)
    datagrams = encode(result, max_bytes=max_bytes)
    assert max(map(len, datagrams)) <= max_bytes
    messages = [decode(data) for data in datagrams]
    assert [item['udp_infer']['part'] for item in messages] == list(range(len(messages)))
    assert {item['udp_infer']['parts'] for item in messages} == {len(messages)}
    assert {item['udp_infer']['truncated'] for item in messages} == {0}
    together = [told for item in messages for told in item['predictions']]
    assert [told['confidence'] for told in together] == [found.score for found in result.objects]


def test_parts_are_no_more_than_needed():
    small, large = encode(make_result(100), max_bytes=1400), encode(make_result(100))
    assert len(large) == 1
    assert len(small) <= 1 + len(large[0]) // (1400 - 600)


def test_truncation_leaves_out_the_lowest_scores_and_says_how_many():
    result = make_result(100)
    [data] = encode(result, max_bytes=1400, overflow='truncate')
    message = decode(data)
    told = len(message['predictions'])
    assert 0 < told < 100 and len(data) <= 1400
    assert message['udp_infer']['truncated'] == 100 - told
    assert message['predictions'][-1]['confidence'] == result.objects[told - 1].score


@pytest.mark.parametrize('name', [
    'gün "quote" \\ \n 中文 😀', '\ud800 lone surrogate', '%d %s %', ''])
def test_any_text_survives(name):
    result = make_result(2, names=(name, name), source=name)
    message = decode(encode(result)[0])
    expected = name.encode('utf-8', 'replace').decode('utf-8')
    assert message['predictions'][0]['class'] == expected
    assert message['udp_infer']['source'] == expected


def test_long_names_do_not_break_the_limit_and_what_cannot_fit_is_counted():
    result = make_result(
        5, names=('x' * 2000, 'car'), source='/very/long' * 100 + '/é' * 100)
    datagrams = encode(result, max_bytes=1024)
    assert max(map(len, datagrams)) <= 1024
    message = decode(datagrams[0])
    assert message['udp_infer']['source'].startswith('…')
    assert message['udp_infer']['source'].endswith('/é/é')
    told = sum(len(decode(data)['predictions']) for data in datagrams)
    assert told + message['udp_infer']['truncated'] == 5


def test_a_stamp_before_1970_is_told_as_ros_tells_it():
    message = decode(encode(make_result(0, stamp_ns=-1))[0])
    assert message['udp_infer']['stamp'] == {'sec': -1, 'nanosec': 999_999_999}


def test_encoding_changes_nothing_in_the_result():
    result = make_result(3)
    before = result.detections.xyxy.copy()
    assert encode(result) == encode(result)
    assert (result.detections.xyxy == before).all()
