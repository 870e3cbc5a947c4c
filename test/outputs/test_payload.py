# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The datagram contract, schema 1."""

from dataclasses import replace
from importlib.resources import files
import json

from helpers import DROPPED, LATENCY_MS, make_result
import pytest
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.outputs.payload import encode, to_json

jsonschema = pytest.importorskip('jsonschema')
SCHEMA = json.loads(
    files('udp_infer_ros').joinpath('payload.v1.schema.json').read_text(encoding='utf-8'))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def decode(data):
    """Parse and validate a datagram."""
    def refuse(text):
        raise AssertionError(f'{text} is not JSON')
    message = json.loads(data.decode('utf-8'), parse_constant=refuse)
    VALIDATOR.validate(message)
    return message


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_datagram_of_schema_1_is_exactly_this_text():
    result = make_result(2)
    result.detections.xyxy[:] = (100.13, 50.5, 200.38, 80), (0, 0, 640, 480)
    result.detections.score[:] = 0.87654321, 0.5
    [data] = encode(result)
    assert data == (
        b'{"frame_id":11,"image":{"width":640,"height":480},"predictions":['
        b'{"x":150.255,"y":65.25,"width":100.25,"height":29.5,"confidence":0.8765,'
        b'"class":"person","class_id":0,"tracker_id":1},'
        b'{"x":320.0,"y":240.0,"width":640.0,"height":480.0,"confidence":0.5,'
        b'"class":"car","class_id":1}],'
        b'"time":0.0125,"udp_infer":{"schema":1,"seq":8,"part":0,"parts":1,"truncated":0,'
        b'"source":"test","ros_frame":"camera","stamp":{"sec":12,"nanosec":34},"model":"model",'
        b'"dropped":{"replaced":3,"max_fps":0,"stale":0,"bad_message":0,"decode_error":0,'
        b'"inference_error":0},'
        b'"latency_ms":{"wait":0.5,"decode":0.5,"preprocess":1.0,"inference":10.0,'
        b'"postprocess":0.25,"track":0.25,"total":12.5}}}')


@pytest.mark.parametrize('payload', ['full', 'roboflow'])
@pytest.mark.parametrize('count', [0, 1, 7, 300])
def test_a_datagram_has_the_values_of_the_result(payload, count):
    result = make_result(count)
    [data] = encode(result, payload=payload)
    message = decode(data)
    assert message['frame_id'] == 11
    assert message['image'] == {'width': 640, 'height': 480}
    for item, found in zip(message['predictions'], result.objects):
        assert (item['x'], item['y'], item['width'], item['height'], item['confidence']) == (
            found.x, found.y, found.width, found.height, found.score)
        assert (item['class'], item['class_id']) == (found.class_name, found.class_id)
        assert item.get('tracker_id', NO_TRACK) == found.track_id
    assert len(message['predictions']) == count
    if payload == 'full':
        assert message['udp_infer']['dropped'] == DROPPED
        assert message['udp_infer']['latency_ms'] == LATENCY_MS


def test_what_the_transport_lost_is_an_optional_key_beside_the_drops():
    [data] = encode(replace(make_result(1), transport_lost=7))
    assert decode(data)['udp_infer']['dropped'] == {**DROPPED, 'transport': 7}


def test_the_motion_of_the_camera_is_an_optional_key():
    motion = (0.99995, -0.0087265, 12.3456789, 0.0087265, 0.99995, -3.0)
    [data] = encode(replace(make_result(1), camera_motion=motion))
    assert decode(data)['udp_infer']['camera_motion'] == [
        0.99995, -0.00873, 12.34568, 0.00873, 0.99995, -3.0]
    [data] = encode(make_result(1))
    assert 'camera_motion' not in decode(data)['udp_infer']


def test_roboflow_has_exactly_the_keys_of_udp_stream_in_their_order():
    [data] = encode(make_result(4), payload='roboflow')
    message = decode(data)
    assert list(message) == ['frame_id', 'image', 'predictions']
    keys = ['x', 'y', 'width', 'height', 'confidence', 'class', 'class_id', 'detection_id']
    assert list(message['predictions'][1]) == keys
    assert list(message['predictions'][0]) == [*keys[:-1], 'tracker_id', keys[-1]]
    assert len({item['detection_id'] for item in message['predictions']}) == 4


@pytest.mark.parametrize('max_bytes', [1024, 1400, 9000, 65507])
@pytest.mark.parametrize('count', [0, 1, 50, 1000])
def test_a_frame_that_does_not_fit_is_split_into_parts_that_are_each_complete(max_bytes, count):
    result = make_result(count)
    datagrams = encode(result, max_bytes=max_bytes)
    assert max(map(len, datagrams)) <= max_bytes
    messages = [decode(data) for data in datagrams]
    about = [message['udp_infer'] for message in messages]
    assert [part['part'] for part in about] == list(range(len(messages)))
    assert {part['parts'] for part in about} == {len(messages)}
    assert {part['truncated'] for part in about} == {0}
    together = [item for message in messages for item in message['predictions']]
    assert [item['confidence'] for item in together] == [found.score for found in result.objects]


def test_a_frame_has_no_more_parts_than_needed():
    small, large = encode(make_result(100), max_bytes=1400), encode(make_result(100))
    assert len(large) == 1
    assert len(small) <= 1 + len(large[0]) // (1400 - 600)


def test_truncation_leaves_out_the_lowest_scores_and_counts_them():
    result = make_result(100)
    [data] = encode(result, max_bytes=1400, overflow='truncate')
    message = decode(data)
    kept = len(message['predictions'])
    assert 0 < kept < 100 and len(data) <= 1400
    assert message['udp_infer']['truncated'] == 100 - kept
    assert message['predictions'][-1]['confidence'] == result.objects[kept - 1].score


@pytest.mark.parametrize('name', [
    'gün "quote" \\ \n 中文 😀', '\ud800 lone surrogate', '%d %s %', ''])
def test_any_text_can_be_a_name(name):
    result = make_result(2, names=(name, name), source=name)
    message = decode(encode(result)[0])
    expected = name.encode('utf-8', 'replace').decode('utf-8')
    assert message['predictions'][0]['class'] == expected
    assert message['udp_infer']['source'] == expected


def test_long_names_stay_within_the_limit_and_what_cannot_fit_is_counted():
    result = make_result(
        5, names=('x' * 2000, 'car'), source='/very/long' * 100 + '/é' * 100)
    datagrams = encode(result, max_bytes=1024)
    assert max(map(len, datagrams)) <= 1024
    message = decode(datagrams[0])
    assert message['udp_infer']['source'].startswith('…')
    assert message['udp_infer']['source'].endswith('/é/é')
    kept = sum(len(decode(data)['predictions']) for data in datagrams)
    assert kept + message['udp_infer']['truncated'] == 5


def test_a_stamp_before_1970_has_negative_seconds_as_in_ros():
    message = decode(encode(make_result(0, stamp_ns=-1))[0])
    assert message['udp_infer']['stamp'] == {'sec': -1, 'nanosec': 999_999_999}


def test_encoding_does_not_change_the_result():
    result = make_result(3)
    before = result.detections.xyxy.copy()
    assert encode(result) == encode(result)
    assert (result.detections.xyxy == before).all()


@pytest.mark.parametrize('payload', ['full', 'roboflow'])
def test_json_is_one_line_with_the_object_of_one_datagram_however_long(payload):
    result = make_result(5000)
    text = to_json(result, payload=payload)
    assert '\n' not in text and len(text) > 65507
    message = decode(text.encode())
    assert len(message['predictions']) == 5000
    if payload == 'full':
        assert text.encode() == encode(result, max_bytes=len(text.encode()) + 100)[0]
