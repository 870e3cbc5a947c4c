# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Whatever a datagram or a recording contains, the listener continues and prints safe text."""

from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
import json
import math
from pathlib import Path
import signal
import tempfile
from unittest.mock import patch

from fuzz.strategies import any_text, examples, is_safe, mutated, VALUES
from helpers import make_result
from hypothesis import strategies as st
import pytest
from udp_infer_ros.listen import show
from udp_infer_ros.listen.command import Listener, main
from udp_infer_ros.listen.message import InvalidMessage, Message, Reassembler
from udp_infer_ros.listen.schema import MessageValidator
from udp_infer_ros.listen.senders import Senders
from udp_infer_ros.outputs.payload import encode

pytestmark = pytest.mark.once
pytest.importorskip('jsonschema')
VALIDATOR = MessageValidator()
VALID = [
    *encode(make_result(3)), encode(make_result(1), payload='roboflow')[0],
    *encode(make_result(12), max_bytes=1024)]


def as_bytes(content):
    """Write JSON; lone surrogates can only be sent as escapes."""
    try:
        return json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(content).encode()


def paths(content, path=()):
    """Yield the path of every value in parsed JSON."""
    yield path
    if isinstance(content, (dict, list)):
        keys = content if isinstance(content, dict) else range(len(content))
        for key in keys:
            yield from paths(content[key], (*path, key))


@st.composite
def changed_messages(draw):
    """Replace or remove some values of a valid message."""
    content = json.loads(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(paths(content), key=str)))
        value = draw(VALUES)
        if not path:
            content = value
            continue
        parent = content
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.integers(0, 3)):
            parent[path[-1]] = value
        else:
            del parent[path[-1]]
    return as_bytes(content)


@st.composite
def nested(draw):
    """Nest lists and objects around a message."""
    levels = draw(st.one_of(st.integers(0, 40), st.sampled_from((500, 5000, 20000))))
    opening, closing = draw(st.sampled_from((('[', ']'), ('{"a":', '}'))))
    inner = f'{opening * levels}1{closing * levels}'
    return f'{{"frame_id":1,"predictions":[],"more":{inner}}}'.encode()


DATAGRAMS = st.one_of(
    changed_messages(), st.sampled_from(VALID),
    st.sampled_from(VALID).flatmap(lambda data: mutated(data, others=tuple(VALID))),
    VALUES.map(as_bytes), nested(),
    st.binary(max_size=100))
TIMES = st.one_of(
    st.floats(0.0, 2.0**33), st.sampled_from((0.0, 1.7e9)))


def parse(data, received_s=1.0):
    """Parse a datagram; return None if it is not a message."""
    try:
        return Message.parse(data, '192.0.2.1:5', received_s)
    except InvalidMessage as error:
        assert is_safe(str(error)) and len(str(error)) < 200
        return None


@examples(600, data=DATAGRAMS, received_s=TIMES)
def test_a_message_is_one_line_of_the_same_json_and_has_finite_boxes(data, received_s):
    message = parse(data, received_s)
    if message is None:
        assert data not in VALID
        return
    assert message.text.isprintable() and message.text.encode()
    # Text, because NaN is not equal to itself.
    assert repr(json.loads(message.text)) == repr(message.content)
    for item in message.frame.objects:
        assert all(map(math.isfinite, (
            item.x, item.y, item.width, item.height, item.confidence)))
    line = show.line(message.frame)
    assert line.isprintable() and len(line) < 200 + 2000 * len(message.frame.objects) + 2000


@examples(
    250, received=st.lists(DATAGRAMS, max_size=8), as_json=st.booleans(), verbose=st.booleans(),
    validate=st.booleans(), senders=st.lists(any_text(10), min_size=1, max_size=2))
def test_a_listener_prints_only_printable_characters(
        received, as_json, verbose, validate, senders):
    stdout, stderr = StringIO(), StringIO()
    statistics = Senders()
    listener = Listener(
        senders=statistics, validator=VALIDATOR if validate else None, recording=None,
        as_json=as_json, verbose=verbose)
    with redirect_stdout(stdout), redirect_stderr(stderr):
        for number, data in enumerate(received):
            # Senders are addresses of the system, or are made printable when they are read.
            sender = show.printable(senders[number % len(senders)])
            listener.receive(data, sender, 1.7e9 + number)
        listener.flush()
        show.summary(statistics)
    assert is_safe(stdout.getvalue()) and is_safe(stderr.getvalue())
    assert 'Traceback' not in stderr.getvalue()
    messages = sum(parse(data) is not None for data in received)
    assert statistics.invalid == len(received) - messages
    if as_json:
        assert len(stdout.getvalue().splitlines()) == listener.frames == messages


@examples(60, received=st.lists(DATAGRAMS, min_size=1, max_size=6))
def test_the_table_contains_only_printable_characters(received):
    pytest.importorskip('rich')
    senders, stdout = Senders(), StringIO()
    listener = Listener(
        senders=senders, validator=None, recording=None, as_json=False, verbose=False)
    with redirect_stdout(stdout), show.Table(senders):
        for data in received:
            listener.receive(data, '192.0.2.1:5', 1.7e9)
        listener.flush()
    assert is_safe(stdout.getvalue())


@st.composite
def parts(draw):
    """Draw one part of a frame; its object is named after it."""
    count = draw(st.sampled_from((1, 2, 3, 4096)))
    seq, part = draw(st.integers(1, 90)), draw(st.integers(0, min(count, 5) - 1))
    content = json.loads(encode(make_result(1, seq=seq))[0])
    content['udp_infer'].update(part=part, parts=count)
    content['predictions'][0]['class'] = f'{seq}/{part}'
    content['padding'] = 'x' * draw(st.sampled_from((0, 0, 60_000)))
    return json.dumps(content).encode()


@examples(100, received=st.lists(parts(), max_size=120))
def test_reassembly_loses_no_part(received):
    reassembler, frames = Reassembler(), []
    expected = set()
    for data in received:
        message = Message.parse(data, 'sender', 1.0)
        expected.update(item.label for item in message.frame.objects)
        frames += reassembler.add(message)
    frames += reassembler.flush()
    assert reassembler.flush() == []
    assert {item.label for frame in frames for item in frame.objects} == expected
    for frame in frames:
        labels = [item.label for item in frame.objects]
        assert labels == sorted(set(labels)) and {label.split('/')[0] for label in labels} == {
            str(frame.seq)}


def recorded(data, sender, received_s):
    """Write the line of a recording."""
    return (f'{{"received":{received_s},"sender":{json.dumps(sender)},"message":'.encode()
            + data.replace(b'\n', b' ') + b'}\n')


RECORDINGS = st.one_of(
    st.binary(max_size=300),
    st.lists(st.builds(
        recorded, DATAGRAMS, any_text(10), TIMES), max_size=5).map(b''.join),
    st.lists(st.builds(recorded, st.sampled_from(VALID), st.just('192.0.2.1:5'), TIMES),
             min_size=1, max_size=5).map(b''.join).flatmap(mutated))


def replay(content, *arguments):
    """Run the command on a recording, without its pauses; return exit code, output and errors."""
    stdout, stderr = StringIO(), StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / 'recording.jsonl').write_bytes(content)
        stack.enter_context(redirect_stdout(stdout))
        stack.enter_context(redirect_stderr(stderr))
        stack.enter_context(patch('time.sleep'))
        arguments = [argument.replace('FOLDER', str(folder)) for argument in arguments]
        try:
            code = main(['--replay', str(folder / 'recording.jsonl'), *arguments])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        copy = folder / 'copy.jsonl'
        return code, stdout.getvalue(), stderr.getvalue(), (
            copy.read_bytes() if copy.exists() else b'')


@examples(
    250, content=RECORDINGS,
    mode=st.sampled_from(((), ('--lines',), ('--json',), ('--validate',), ('--count', '2'))))
def test_a_recording_of_any_content_ends_with_a_documented_exit_code(content, mode):
    code, out, errors, _ = replay(content, *mode)
    assert code in (0, 1, 2, 3)
    assert is_safe(out) and is_safe(errors) and 'Traceback' not in errors


@examples(60, received=st.lists(st.sampled_from(VALID) | changed_messages(), max_size=5))
def test_a_recording_of_a_recording_has_the_same_frames(received):
    content = b''.join(
        recorded(message.text.encode(), message.frame.sender, 1.7e9)
        for message in map(parse, received) if message)
    code, out, _, copy = replay(content, '--lines', '--record', 'FOLDER/copy.jsonl')
    assert replay(copy, '--lines')[:2] == (code, out)
