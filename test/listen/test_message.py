# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Messages of every sender are parsed, and no datagram can do harm."""

import json
import random

from helpers import make_result
import pytest
from udp_infer_ros.listen.message import (
    InvalidMessage, MAX_DEPTH, MAX_INCOMPLETE, MAX_INCOMPLETE_BYTES, MAX_NUMBER, MAX_TEXT, Message,
    Reassembler)
from udp_infer_ros.listen.senders import MAX_SENDERS, Senders, SHOWN_OBJECTS
from udp_infer_ros.listen.show import line
from udp_infer_ros.outputs.payload import encode

BOX = {'x': 1.0, 'y': 2.0, 'width': 3.0, 'height': 4.0, 'confidence': 0.5}


def parse(content, sender='10.0.0.1:5', received_s=100.0):
    """Parse a message given as an object or as bytes."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Message.parse(data, sender, received_s)


@pytest.mark.parametrize('content, expected', [
    # UdpStream before 0.8.1: another key for the class, no index.
    ({'frame_id': 3, 'image': {'width': 4, 'height': 4},
      'predictions': [{**BOX, 'class_name': 'ball'}]},
     'frame 3  1 object  [ball 0.50 at 1,2 3x4]'),
    # UdpStream 0.9.9 and later.
    ({'frame_id': 3, 'image': {'width': 4, 'height': 4},
      'predictions': [{**BOX, 'class': 'ball', 'class_id': 7, 'tracker_id': 2,
                       'detection_id': 'x'}]},
     'frame 3  1 object  [ball#2 0.50 at 1,2 3x4]'),
    # pydantic 2 writes NaN as null, older ones as NaN.
    ({'frame_id': 3, 'predictions': [{**BOX, 'x': None}, {**BOX, 'class': 'a'}]},
     'frame 3  1 object  1 without a box  [a 0.50 at 1,2 3x4]'),
    (b'{"frame_id":3,"predictions":[{"x":NaN,"y":1,"width":1,"height":1,"confidence":1}]}',
     'frame 3  0 objects  1 without a box'),
    # UDPSink: the frame number is in inference_metadata; image can be a list.
    ({'image': [{'width': 4, 'height': 4}], 'predictions': [],
      'inference_metadata': {'source_id': 0, 'frame_id': 9}},
     'frame 9  0 objects'),
])
def test_messages_of_roboflow_are_parsed(content, expected):
    assert line(parse(content).frame) == f'10.0.0.1:5  {expected}'


def test_age_and_latency_are_parsed_from_messages_of_the_node():
    frame = parse(encode(make_result(1, stamp_ns=99_500_000_000))[0]).frame
    assert frame.age_s == pytest.approx(0.5)
    assert (frame.latency_ms, frame.seq, frame.source) == (12.5, 8, 'test')


@pytest.mark.parametrize('data', [
    b'', b'\xff\xfe', b'[]', b'42', b'null', b'{}', b'[' * 60000, b'{"a":' * 13000,
    b'{"frame_id":"x","predictions":[]}', b'{"frame_id":1,"predictions":[7]}',
    b'{"frame_id":1,"predictions":7}', b'{"frame_id":1e999,"predictions":[]}', b'9' * 65507,
    b'{"frame_id":1,"predictions":[],"udp_infer":[1]}',
    b'{"frame_id":1,"predictions":[{"x":1,"y":1,"width":1,"height":1,"confidence":1,'
    b'"tracker_id":"one"}]}',
])
def test_a_datagram_that_is_not_a_message_is_refused(data):
    with pytest.raises(InvalidMessage):
        parse(data)


@pytest.mark.parametrize('part, parts', [(0, 0), (2, 2), (-1, 3), (0, 10**12)])
def test_impossible_part_numbers_are_refused(part, parts):
    data = encode(make_result(0))[0].replace(
        b'"part":0,"parts":1', b'"part":%d,"parts":%d' % (part, parts))
    with pytest.raises(InvalidMessage):
        parse(data)


def message_with(**udp_infer):
    """Return a message of the node after changes in its object udp_infer."""
    content = json.loads(encode(make_result(1))[0])
    content['udp_infer'].update(udp_infer)
    return content


@pytest.mark.parametrize('number', [MAX_NUMBER + 1, -MAX_NUMBER - 1, 10**4299, 1e300])
def test_numbers_of_more_than_64_bits_are_refused(number):
    box = {**BOX, 'tracker_id': number}
    for content in (
            message_with(seq=number), {'frame_id': number, 'predictions': []},
            {'frame_id': 1, 'predictions': [box]}):
        with pytest.raises(InvalidMessage):
            parse(content)
    assert parse(message_with(seq=MAX_NUMBER)).frame.seq == MAX_NUMBER


def test_lost_messages_of_a_sender_with_huge_numbers_can_be_printed():
    assert len(str(sender_after(*[1, MAX_NUMBER] * 1000).lost)) < 30


def nested(levels):
    """Return a message of so many nested lists and objects."""
    return b'{"frame_id":1,"predictions":[],"x":%s}' % (
        b'[' * (levels - 1) + b']' * (levels - 1))


def test_the_depth_of_a_message_is_limited():
    assert parse(nested(MAX_DEPTH)).frame.frame_id == 1
    for levels in (MAX_DEPTH + 1, 500, 980, 30_000):
        with pytest.raises(InvalidMessage):
            parse(nested(levels))


@pytest.mark.parametrize('label', [
    '\x7f', '\x80\x85\x9b2J\x9d', '\u202e\u2066\u200f', '\u2028\u2029', '\U000e0001', 'a b',
    '\u00e9\u4e00\U0001f600', '\n\x1b[2J"\\'])
def test_the_text_of_a_message_is_one_printable_line_of_the_same_value(label):
    content = {'frame_id': 1, 'predictions': [{**BOX, 'class': label}], label: [label]}
    for indent in (None, '\t'):
        text = parse(json.dumps(content, ensure_ascii=False, indent=indent).encode()).text
        assert text.isprintable() and json.loads(text) == content


def test_long_labels_and_sources_are_cut():
    content = message_with(source='s' * 10_000)
    content['predictions'][0]['class'] = 'c' * 10_000
    frame = parse(content).frame
    assert (len(frame.source), len(frame.objects[0].label)) == (MAX_TEXT, MAX_TEXT)


def test_ten_thousand_damaged_datagrams_do_no_harm():
    rng = random.Random(5)
    whole = encode(make_result(5))[0]
    reassembler, senders = Reassembler(), Senders()
    refused = 0
    for _ in range(10_000):
        data = bytearray(
            whole[:rng.randrange(1, len(whole) + 1)] if rng.random() < 0.3 else whole)
        for _ in range(rng.randrange(0, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            message = parse(bytes(data), sender=f'10.0.0.1:{rng.randrange(1000)}')
        except InvalidMessage:
            refused += 1
            continue
        for frame in reassembler.add(message):
            senders.add(frame)
            assert line(frame).isprintable()
    assert 1000 < refused < 10_000
    assert len(senders.by_name) <= MAX_SENDERS + 1


def test_parts_are_reassembled_in_any_order():
    result = make_result(100)
    parts = [parse(data) for data in encode(result, max_bytes=1400)]
    reassembler = Reassembler()
    random.Random(1).shuffle(parts)
    frames = [frame for part in parts for frame in reassembler.add(part)]
    assert len(frames) == 1
    assert [item.confidence for item in frames[0].objects] == [
        item.score for item in result.objects]


def test_an_incomplete_frame_is_returned_at_the_end():
    reassembler = Reassembler()
    first, *_ = [parse(data) for data in encode(make_result(100), max_bytes=1400)]
    assert reassembler.add(first) == []
    frame, = reassembler.flush()
    assert frame.objects == first.frame.objects and not frame.complete
    assert reassembler.flush() == []


def test_the_number_of_incomplete_frames_is_bounded():
    reassembler = Reassembler()
    expired = 0
    for seq in range(1, 1001):
        first = parse(encode(make_result(100, seq=seq), max_bytes=1400)[0])
        expired += len(reassembler.add(first))
    assert expired == 1000 - MAX_INCOMPLETE


def test_the_size_of_incomplete_frames_is_bounded():
    reassembler = Reassembler()
    text = 'x' * 59_000
    sent = held = incomplete = 0
    for i in range(300):
        message = parse({**message_with(seq=1 + i // 50, part=i % 50, parts=4096), 'x': text})
        sent += message.size
        frames = reassembler.add(message)
        incomplete += sum(not frame.complete for frame in frames)
        held += 1 - sum(len(frame.objects) for frame in frames)
        assert held * message.size <= MAX_INCOMPLETE_BYTES
    assert sent > 4 * MAX_INCOMPLETE_BYTES
    # No part is lost: each had one object.
    assert sum(len(frame.objects) for frame in reassembler.flush()) == held
    assert incomplete >= 4


def test_a_part_that_arrives_twice_is_counted_once():
    reassembler = Reassembler()
    parts = [parse(data) for data in encode(make_result(100), max_bytes=1400)]
    for _ in range(3 * MAX_INCOMPLETE_BYTES // parts[0].size):
        assert reassembler.add(parts[0]) == []
    frame, = [frame for part in parts[1:] for frame in reassembler.add(part)]
    assert frame.complete and len(frame.objects) == 100


def test_incomplete_frames_are_counted_for_their_sender():
    senders, reassembler = Senders(), Reassembler()
    for seq in (1, 2):
        reassembler.add(parse(encode(make_result(100, seq=seq), max_bytes=1400)[0]))
    for frame in reassembler.flush():
        sender = senders.add(frame)
    assert (sender.frames, sender.incomplete) == (2, 2)


def test_only_the_first_objects_of_the_last_frame_are_kept():
    sender = Senders().add(parse(encode(make_result(100))[0]).frame)
    assert (len(sender.last.objects), sender.last_objects) == (SHOWN_OBJECTS, 100)


def sender_after(*numbers):
    """Return the statistics of a sender after results with these sequence numbers at 10 Hz."""
    senders = Senders()
    for i, seq in enumerate(numbers):
        last = senders.add(parse(encode(make_result(0, seq=seq))[0], received_s=i * 0.1).frame)
    return last


@pytest.mark.parametrize('numbers, lost', [
    ((1, 2, 3), 0), ((1, 3, 6), 3), ((5, 6), 0), ((1, 3, 2, 4), 0),
    ((5000, 5001, 1, 2), 0),
])
def test_gaps_are_losses_but_a_restart_or_a_late_message_is_not(numbers, lost):
    assert sender_after(*numbers).lost == lost


def test_the_rate_is_computed_from_the_times_of_arrival():
    assert sender_after(*range(1, 12)).rate_hz == pytest.approx(10.0)


def test_losses_are_counted_for_each_sender():
    senders = Senders()
    for port in (1, 2):
        data = encode(make_result(0, seq=port))[0]
        senders.add(parse(data, sender=f'10.0.0.1:{port}').frame)
    assert [sender.lost for sender in senders.by_name.values()] == [0, 0]
