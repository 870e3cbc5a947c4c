# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Every datagram fits, conforms to the schema, and no detection is lost without being counted."""

import json

from fuzz.strategies import any_text, examples, make_detections
from hypothesis import strategies as st
import numpy as np
import pytest
from udp_infer_ros.errors import Drop
from udp_infer_ros.frame import FrameInfo, NO_TRACK, Result
from udp_infer_ros.listen.message import Message
from udp_infer_ros.listen.schema import MessageValidator
from udp_infer_ros.outputs.payload import encode, to_json

pytestmark = pytest.mark.once
pytest.importorskip('jsonschema')
VALIDATOR = MessageValidator()
COUNTS = st.integers(0, 2**63 - 1)
LATENCY = st.one_of(st.floats(0.0, 1e6), st.sampled_from((0.0, 1e-9, 1e300)))
STAGES = ('wait', 'decode', 'preprocess', 'inference', 'postprocess', 'track', 'total')
NAMES = st.one_of(
    any_text(200), st.text('äß€😀', min_size=90, max_size=200),
    st.text('\x01\\"', min_size=90, max_size=200))


@st.composite
def results(draw, names=NAMES):
    """Draw a result with boxes inside the image."""
    count = draw(st.sampled_from((0, 1, 2, 5, 40)))
    width, height = draw(st.integers(1, 65535)), draw(st.integers(1, 65535))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    corners = random.uniform(0, 0.5, (count, 2)) * (width, height)
    size = random.uniform(0.01, 0.5, (count, 2)) * (width, height) + 0.01
    labels = draw(st.lists(
        st.one_of(any_text(30), any_text(2000)), min_size=1, max_size=3))
    detections = make_detections(
        np.round(np.hstack((corners, corners + size)), 2), np.sort(random.random(count))[::-1],
        random.integers(0, 2**40, count), [labels[i % len(labels)] for i in range(count)])
    tracks = random.integers(1, 2**62, count)
    detections = detections.with_track_ids(np.where(random.random(count) < 0.5, tracks, NO_TRACK))
    info = FrameInfo(
        index=draw(COUNTS), stamp_ns=draw(st.integers(-2**31 * 10**9, 2**31 * 10**9)),
        frame_id=draw(names), source=draw(names), width=width, height=height)
    return Result(
        frame=info, seq=draw(st.integers(1, 2**63 - 1)), detections=detections,
        model=draw(names), latency_ms={stage: draw(LATENCY) for stage in STAGES},
        dropped={cause.value: draw(COUNTS) for cause in Drop})


SIZES = st.one_of(st.integers(1024, 65507), st.sampled_from((1024, 1400)))


def check(datagrams, result, max_bytes):
    """Check everything that a receiver relies on."""
    found, left_out = [], 0
    for number, data in enumerate(datagrams):
        assert len(data) <= max_bytes
        content = json.loads(data)
        assert list(VALIDATOR.iter_errors(content)) == []
        assert len(Message.parse(data, 'sender', 1.0).frame.objects) == len(content['predictions'])
        found += content['predictions']
        if 'udp_infer' in content:
            about = content['udp_infer']
            assert (about['part'], about['parts']) == (number, len(datagrams))
            left_out = about['truncated']
    if not datagrams or 'udp_infer' in json.loads(datagrams[0]):
        assert len(found) + left_out == len(result.objects)
    scores = [item['confidence'] for item in found]
    assert scores == sorted(scores, reverse=True)


def has_short_json(text):
    """Return whether JSON escapes nothing in a text."""
    return len(json.dumps(text, ensure_ascii=False)) == len(text) + 2


@examples(
    150, result=results(names=NAMES.filter(has_short_json)),
    payload=st.sampled_from(('full', 'roboflow')),
    overflow=st.sampled_from(('split', 'truncate')), max_bytes=SIZES)
def test_datagrams_fit_and_nothing_is_lost_without_being_counted(
        result, payload, overflow, max_bytes):
    datagrams = encode(result, payload=payload, overflow=overflow, max_bytes=max_bytes)
    assert datagrams and (overflow == 'split' or len(datagrams) == 1)
    check(datagrams, result, max_bytes)


@pytest.mark.parametrize('character', ['\x01', '"', '\\'])
def test_a_datagram_fits_if_json_escapes_the_names(character):
    name = 96 * character
    info = FrameInfo(
        index=2**40, stamp_ns=10**18, frame_id=name, source=name, width=640, height=480)
    result = Result(
        frame=info, seq=2**40, detections=make_detections([], [], [], []), model=name,
        latency_ms=dict.fromkeys(STAGES, 100.125),
        dropped=dict.fromkeys((cause.value for cause in Drop), 10**6))
    check(encode(result, max_bytes=1024), result, 1024)


@examples(60, result=results())
def test_json_is_one_line_of_utf_8(result):
    text = to_json(result)
    assert '\n' not in text and text.encode() and json.loads(text)
