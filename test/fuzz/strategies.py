# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Generators of hostile input, and the decorator of the property tests."""

from helpers import FUZZ_FACTOR
from hypothesis import given, settings, strategies as st
import numpy as np
from udp_infer_ros.frame import Detections, NO_TRACK

SPECIAL = (
    float('nan'), float('inf'), float('-inf'), 0.0, -0.0, -1.0, 1e-45, 1e9, 3.4e38, -3.4e38)


def examples(count, **strategies):
    """
    Run a test on generated arguments.

    :param count: number of examples, for a factor of 1.
    """
    def decorate(test):
        return settings(max_examples=max(1, round(count * FUZZ_FACTOR)))(given(**strategies)(test))
    return decorate


def any_text(max_size=60):
    """Return text with lone surrogates, control characters and changes of direction."""
    return st.text(st.one_of(
        st.characters(exclude_categories=()), st.sampled_from('\0\x1b\x9b\r\n\u202e\ud800{}[]%')),
        max_size=max_size)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text(20),
    st.sampled_from((2**63, -2**64, 10**400, -10**4299, 1e308, '', '0', '-1', 'NaN')))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(any_text(6), inner, max_size=4)),
    max_leaves=8)
"""What YAML or JSON can contain."""


@st.composite
def mutated(draw, data, *, others=(b'',)):
    """
    Change bytes, cut, repeat and splice.

    :param data: a valid example.
    :param others: where spliced bytes come from.
    """
    data = bytearray(data)
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2, 4)))):
        position = draw(st.integers(0, len(data)))
        size = draw(st.integers(1, 64))
        kind = draw(st.sampled_from(
            ('flip', 'flip', 'set', 'set', 'number', 'number', 'cut', 'drop', 'repeat', 'splice')))
        if kind == 'flip' and position < len(data):
            data[position] ^= 1 << draw(st.integers(0, 7))
        elif kind == 'set':
            data[position:position + 1] = draw(st.binary(min_size=1, max_size=8))
        elif kind == 'number':
            width = draw(st.sampled_from((2, 4)))
            value = draw(st.sampled_from((0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)))
            order = draw(st.sampled_from(('big', 'little')))
            data[position:position + width] = (value % 256**width).to_bytes(width, order)
        elif kind == 'cut':
            del data[position:]
        elif kind == 'drop':
            del data[position:position + size]
        elif kind == 'repeat':
            data[position:position] = data[position:position + size]
        elif kind == 'splice':
            other = draw(st.sampled_from(others))
            data[position:] = other[draw(st.integers(0, len(other))):]
    return bytes(data)


@st.composite
def arrays(draw, shape, dtype=np.float32):
    """
    Fill an array with random numbers of one scale, some of them replaced by special ones.

    Drawing single elements would take most of the time.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = draw(st.sampled_from(((0, 1), (-1, 1), (0, 64), (-1000, 1000), (-1e30, 1e30))))
    values = random.uniform(low, high, shape)
    share = draw(st.sampled_from((0.0, 0.0, 0.02, 0.5, 1.0)))
    special = draw(st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=4))
    values = np.where(random.random(shape) < share, random.choice(special, shape), values)
    with np.errstate(all='ignore'):
        return np.asarray(values).astype(dtype)


def make_detections(xyxy, score, class_id, names):
    """Build detections without tracks from columns of any content."""
    count = len(score)
    return Detections(
        xyxy=np.asarray(xyxy, dtype=np.float32).reshape(count, 4),
        score=np.asarray(score, dtype=np.float32).reshape(count),
        class_id=np.asarray(class_id, dtype=np.intp).reshape(count),
        class_name=np.array(list(names), dtype=object),
        track_id=np.full(count, NO_TRACK, dtype=np.int64))


def is_safe(text):
    """Return whether text has only lines of printable characters."""
    return all(line.isprintable() for line in text.split('\n'))
