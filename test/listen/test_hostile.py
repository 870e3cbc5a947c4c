# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Hostile datagrams, sent to the listener in each of its modes."""

import json
import random
import signal

from helpers import FUZZ_FACTOR, make_result
import pytest
from udp_infer_ros.outputs.payload import encode

pytestmark = pytest.mark.once
MAX_MEMORY_MB = 100
BOX = {'x': 1, 'y': 1, 'width': 1, 'height': 1, 'confidence': 1}
TITLE = '\x1b]0;title\x07'
"""Sets the title of a terminal. The listener itself does not."""
TEXTS = (
    TITLE, '\x9b2J\x9d0;x\x9c', '\u202eabc\u2066', '\u2028\u2029\x85\n', '\x7f\x00\r', '\ud800',
    '[red]x[/red]:bomb:[/]', '\U0001f600' * 500, '\\"', '%s{0}', 'x' * 20_000)
NUMBERS = (
    10**4299, -10**4299, 2**63, 10**400, -1, 0, 0.5, 1e308, -1e308, float('inf'), float('nan'),
    True, None, '7', '9' * 5000, [], {})
KEYS = (
    ('frame_id',), ('time',), ('image',), ('predictions',), ('inference_metadata',),
    *(('predictions', 0, key) for key in (*BOX, 'class', 'class_id', 'tracker_id')),
    *(('udp_infer', key) for key in (
        'schema', 'seq', 'part', 'parts', 'truncated', 'source', 'stamp', 'dropped',
        'latency_ms')),
    ('udp_infer', 'stamp', 'sec'), ('udp_infer', 'latency_ms', 'total'))
MODES = {
    'lines': ('--lines',), 'json': ('--json',), 'validate': ('--lines', '--validate'),
    'table': (), 'table and validate': ('--validate',), 'record': ('--lines', '--record')}


def unfinished_part(number, *, frames=60, **more):
    """Build a datagram of up to 59 KB, of one of some frames that are never complete."""
    content = json.loads(encode(make_result(1))[0])
    content['udp_infer'].update(
        seq=1 + number % frames, part=number // frames % 4096, parts=4096)
    return json.dumps({**content, **more}, separators=(',', ':')).encode()


def changed(rng):
    """Build a message with hostile values at some keys."""
    content = json.loads(encode(make_result(2, seq=rng.randrange(1, 1000)))[0])
    for _ in range(rng.randrange(1, 4)):
        *path, last = rng.choice(KEYS)
        parent = content
        try:
            for key in path:
                parent = parent[key]
            parent[last] = rng.choice(NUMBERS if rng.random() < 0.5 else TEXTS)
        except (LookupError, TypeError):
            continue  # An earlier change replaced the parent.
    if rng.random() < 0.2:
        content['udp_infer'] = {rng.choice(TEXTS): -1, 'dropped': {rng.choice(TEXTS): -1}}
    # Surrogates can only be sent as escapes.
    plain = json.dumps(content, ensure_ascii=False).encode('utf-8', 'replace')
    return rng.choice((plain, json.dumps(content).encode()))


def damaged(rng):
    """Build a message with some bytes changed or missing."""
    data = bytearray(encode(make_result(rng.randrange(4)))[0])
    for _ in range(rng.randrange(1, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[:rng.choice((len(data), rng.randrange(len(data))))])


def large(rng):
    """Build a large or deep datagram."""
    levels = rng.choice((20, 31, 32, 500, 985, 10_000))
    return rng.choice((
        lambda: b'{"frame_id":1,"predictions":%s}' % (b'[' * levels + b']' * levels),
        lambda: json.dumps({'frame_id': 1, 'predictions': [], 'x': [{}] * 14_000}).encode(),
        lambda: json.dumps({'frame_id': 1, 'predictions': [BOX] * 800}).encode(),
        lambda: unfinished_part(rng.randrange(10**6), frames=10**6, x=[[]] * 14_000),
        lambda: b'9' * 60_000))()


def hostile_datagrams(count, seed):
    """Yield hostile datagrams, the same for each seed."""
    rng = random.Random(seed)
    for _ in range(count):
        kind = rng.random()
        if kind < 0.1:
            yield rng.randbytes(rng.randrange(200))
        elif kind < 0.4:
            yield damaged(rng)
        elif kind < 0.95:
            yield changed(rng)[:65_507]
        else:
            yield large(rng)


def attack(listener, datagrams):
    """Send datagrams, then a message of the node; return the peak of the memory in MB."""
    for data in datagrams:
        listener.send(data)
    for data in (encode(make_result(1, names=('end', 'end')))[0],) * 2:
        listener.send(data)
    listener.wait_for_output('"class":"end"' if '--json' in listener.process.args else 'end', 30)
    assert listener.dropped() == 0
    return listener.peak_memory_mb()


def check_output(lines, errors, *, terminal):
    """Check that no datagram controls the terminal, and that nothing went wrong."""
    assert 'Traceback' not in errors
    # rich moves the cursor by sequences that begin with ESC [.
    text = '\n'.join(lines)
    assert '\x1b]' not in text
    text = text.replace('\x1b', '').replace('\r', '') if terminal else text
    bad = {c for c in (text + errors).replace('\n', '') if not c.isprintable()}
    assert not bad


@pytest.mark.timeout(60)
@pytest.mark.parametrize('more', [
    {'x': [{}] * 19_000}, {'predictions': [BOX] * 1000}, {'x': 'x' * 58_000}],
    ids=['objects', 'predictions', 'text'])
def test_the_memory_stays_below_100_mb_however_many_parts_are_unfinished(start, more):
    listener = start('--lines')
    memory_mb = attack(listener, (unfinished_part(i, **more) for i in range(400)))
    listener.kill(signal.SIGTERM)
    code, _, errors = listener.finish()
    assert code == 0 and memory_mb < MAX_MEMORY_MB
    assert ' incomplete\n' in errors


def run_mode(start, tmp_path, mode, datagrams, *, exit_code):
    """Attack the listener in one mode; check its output, memory and exit code."""
    if 'table' in mode:
        pytest.importorskip('rich')
    if 'validate' in mode:
        pytest.importorskip('jsonschema')
    file = tmp_path / 'recording.jsonl'
    arguments = MODES[mode] + ((str(file),) if mode == 'record' else ())
    listener = start(*arguments, terminal=(160, 50) if 'table' in mode else None)
    memory_mb = attack(listener, datagrams)
    listener.kill(signal.SIGTERM)
    code, lines, errors = listener.finish()
    assert code == exit_code
    assert memory_mb < MAX_MEMORY_MB
    check_output(lines, errors, terminal='table' in mode)
    if mode == 'json':
        assert all(json.loads(line)['predictions'] is not None for line in lines)
    if mode == 'record':
        recorded = file.read_text().split('\n')[:-1]
        assert len(recorded) > 50 and all(line.isprintable() for line in recorded)
        assert all(json.loads(line).keys() == {'received', 'sender', 'message'}
                   for line in recorded)


@pytest.mark.timeout(60)
@pytest.mark.parametrize('mode', MODES)
def test_hostile_datagrams_do_no_harm(start, tmp_path, mode):
    run_mode(
        start, tmp_path, mode, hostile_datagrams(600, seed=1),
        exit_code=3 if 'validate' in mode else 0)


@pytest.mark.parametrize('mode', ['lines', 'json', 'validate', 'table'])
def test_numbers_of_4300_digits_do_not_end_the_listener(start, tmp_path, mode):
    numbers = [1, 10**4299, 1, 10**4300 - 1] * 3
    message = json.loads(encode(make_result(1))[0])
    datagrams = [
        json.dumps({**message, 'udp_infer': {**message['udp_infer'], 'seq': number}}).encode()
        for number in numbers]
    run_mode(start, tmp_path, mode, datagrams, exit_code=0)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize('mode', MODES)
def test_thousands_of_hostile_datagrams_do_no_harm(start, tmp_path, mode):
    run_mode(
        start, tmp_path, mode, hostile_datagrams(round(2_000 * FUZZ_FACTOR), seed=2),
        exit_code=3 if 'validate' in mode else 0)
