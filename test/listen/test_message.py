# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Messages of every sender are understood, and nothing that a stranger sends does harm."""

import json
import random

from helpers import make_result
import jsonschema
import pytest
from udp_infer_ros.listen.message import Joiner, MAX_UNJOINED, Message, NotAMessage
from udp_infer_ros.listen.schema import faults, load_schema
from udp_infer_ros.listen.senders import MAX_SENDERS, Senders
from udp_infer_ros.listen.show import line
from udp_infer_ros.outputs.payload import encode

BOX = {'x': 1.0, 'y': 2.0, 'width': 3.0, 'height': 4.0, 'confidence': 0.5}


def parse(content, sender='10.0.0.1:5', received_s=100.0):
    """Parse a message given as an object or as bytes."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Message.parse(data, sender, received_s)


@pytest.mark.parametrize('content, shown', [
    # UdpStream before 0.8.1: another key for the class, no index.
    ({'frame_id': 3, 'image': {'width': 4, 'height': 4},
      'predictions': [{**BOX, 'class_name': 'ball'}]},
     'frame 3  1 objects  [ball 0.50 at 1,2 3x4]'),
    # UdpStream 0.9.9 and later.
    ({'frame_id': 3, 'image': {'width': 4, 'height': 4},
      'predictions': [{**BOX, 'class': 'ball', 'class_id': 7, 'tracker_id': 2,
                       'detection_id': 'x'}]},
     'frame 3  1 objects  [ball#2 0.50 at 1,2 3x4]'),
    # pydantic 2 writes NaN as null, older ones as NaN.
    ({'frame_id': 3, 'predictions': [{**BOX, 'x': None}, {**BOX, 'class': 'a'}]},
     'frame 3  1 objects  1 without a box  [a 0.50 at 1,2 3x4]'),
    (b'{"frame_id":3,"predictions":[{"x":NaN,"y":1,"width":1,"height":1,"confidence":1}]}',
     'frame 3  0 objects  1 without a box'),
    # UDPSink: the number is in another place; an image may be a list.
    ({'image': [{'width': 4, 'height': 4}], 'predictions': [],
      'inference_metadata': {'source_id': 0, 'frame_id': 9}},
     'frame 9  0 objects'),
])
def test_what_others_send_is_understood(content, shown):
    assert line(parse(content)) == f'10.0.0.1:5  {shown}'


def test_age_and_latency_are_read_from_our_own_messages():
    message = parse(encode(make_result(1, stamp_ns=99_500_000_000))[0])
    assert message.age_s == pytest.approx(0.5)
    assert (message.latency_ms, message.seq, message.source) == (12.0, 8, 'test')


@pytest.mark.parametrize('data', [
    b'', b'\xff\xfe', b'[]', b'42', b'null', b'{}', b'[' * 60000, b'{"a":' * 13000,
    b'{"frame_id":"x","predictions":[]}', b'{"frame_id":1,"predictions":[7]}',
    b'{"frame_id":1,"predictions":7}', b'{"frame_id":1e999,"predictions":[]}', b'9' * 65507,
    b'{"frame_id":1,"predictions":[],"udp_infer":[1]}',
    b'{"frame_id":1,"predictions":[{"x":1,"y":1,"width":1,"height":1,"confidence":1,'
    b'"tracker_id":"one"}]}',
])
def test_what_is_no_message_is_told_apart(data):
    with pytest.raises(NotAMessage):
        parse(data)


@pytest.mark.parametrize('part, parts', [(0, 0), (2, 2), (-1, 3), (0, 10**12)])
def test_impossible_parts_are_no_message(part, parts):
    data = encode(make_result(0))[0].replace(
        b'"part":0,"parts":1', b'"part":%d,"parts":%d' % (part, parts))
    with pytest.raises(NotAMessage):
        parse(data)


def test_ten_thousand_damaged_datagrams_do_no_harm():
    chance = random.Random(5)
    whole = encode(make_result(5))[0]
    joiner, senders = Joiner(), Senders()
    schema = load_schema()
    refused = 0
    for _ in range(10_000):
        data = bytearray(whole[:chance.randrange(1, len(whole) + 1)]
                         if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(0, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            message = parse(bytes(data), sender=f'10.0.0.1:{chance.randrange(1000)}')
        except NotAMessage:
            refused += 1
            continue
        list(faults(message.content, schema))
        for frame in joiner.add(message):
            senders.add(frame)
            assert line(frame).isprintable()
    assert 1000 < refused < 10_000
    assert len(senders.by_name) <= MAX_SENDERS + 1


def test_parts_are_joined_in_order_however_they_come():
    result = make_result(100)
    parts = [parse(data) for data in encode(result, max_bytes=1400)]
    joiner = Joiner()
    chance = random.Random(1)
    chance.shuffle(parts)
    frames = [frame for part in parts for frame in joiner.add(part)]
    assert len(frames) == 1
    assert [found.confidence for found in frames[0].objects] == [
        found.score for found in result.objects]


def test_a_frame_of_which_a_part_is_lost_is_shown_as_it_is_in_the_end():
    joiner = Joiner()
    first, *_ = [parse(data) for data in encode(make_result(100), max_bytes=1400)]
    assert joiner.add(first) == []
    assert [len(frame.objects) for frame in joiner.rest()] == [len(first.objects)]


def test_memory_for_parts_that_never_come_is_bounded():
    joiner = Joiner()
    given_up = 0
    for seq in range(1, 1001):
        first = parse(encode(make_result(100, seq=seq), max_bytes=1400)[0])
        given_up += len(joiner.add(first))
    assert given_up == 1000 - MAX_UNJOINED


def heard(*numbers, sender='10.0.0.1:5'):
    """Hear results of these sequence numbers; give the sender's record."""
    senders = Senders()
    for i, seq in enumerate(numbers):
        last = senders.add(
            parse(encode(make_result(0, seq=seq))[0], sender=sender, received_s=i * 0.1))
    return last


@pytest.mark.parametrize('numbers, lost', [
    ((1, 2, 3), 0), ((1, 3, 6), 3), ((5, 6), 0), ((1, 3, 2, 4), 0),
    ((5000, 5001, 1, 2), 0),
])
def test_losses_are_gaps_in_the_sequence_but_not_a_restart_or_a_late_one(numbers, lost):
    assert heard(*numbers).lost == lost


def test_the_rate_is_that_of_the_latest_frames():
    assert heard(*range(1, 12)).rate_hz == pytest.approx(10.0)


def test_senders_are_told_apart():
    senders = Senders()
    for port in (1, 2):
        senders.add(parse(encode(make_result(0, seq=port))[0], sender=f'10.0.0.1:{port}'))
    assert [sender.lost for sender in senders.by_name.values()] == [0, 0]


@pytest.mark.parametrize('change', [
    {}, {'frame_id': -1}, {'frame_id': 1.5}, {'frame_id': True}, {'image': {'width': 0}},
    {'more': 1}, {'time': 'x'}, {'predictions': [{}]}, {'predictions': [{**BOX, 'class': 1}]},
    {'predictions': [{**BOX, 'class': 'a', 'class_id': 1, 'width': 0}]},
    {'predictions': [{**BOX, 'class': 'a', 'class_id': 1, 'confidence': 1.1}]},
    {'predictions': {}}, {'udp_infer': {}}, {'udp_infer': None},
])
def test_validation_agrees_with_that_of_jsonschema(change):
    content = {**json.loads(encode(make_result(2))[0]), **change}
    schema = load_schema()
    ours = not list(faults(content, schema))
    assert ours == jsonschema.Draft202012Validator(schema).is_valid(content)
