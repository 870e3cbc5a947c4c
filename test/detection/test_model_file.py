# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Metadata of a model file is parsed, but not trusted."""

import tracemalloc

import pytest
from udp_infer_ros.detection.model_file import ModelFile
from udp_infer_ros.detection.types import TensorInfo


def names(text):
    """Return the class names in metadata."""
    return ModelFile(name='m', inputs=(), metadata={'names': text}).labels()


@pytest.mark.parametrize('text, labels', [
    ("{0: 'person', 1: 'car'}", ('person', 'car')),
    ("['person', 'car']", ('person', 'car')),
    ('{"0": "person", "1": "car"}', ('person', 'car')),
    ("{2: 'dog', 0: 'cat'}", ('cat', 'class_1', 'dog')),
    ("{0: 'caf\u00e9'}", ('caf\u00e9',)),
    (" ( 'person' , 'car' , ) ", ('person', 'car')),
    ('{0: 7, 1: 3.5, 2: True}', ('7', '3.5', 'True')),
    ("['it\\'s', 'a \"b\"', \"it's\", 'a, b: {c}']", ("it's", 'a "b"', "it's", 'a, b: {c}')),
    (r'["caf\u00e9", "\ud83d\ude97", "a\/b"]', ('caf\u00e9', '\U0001f697', 'a/b')),
    (r"['\xe9', '\d', '\x']", ('\xe9', r'\d', r'\x')),
])
def test_class_names_are_a_python_or_json_literal(text, labels):
    assert names(text) == labels


@pytest.mark.parametrize('text', [
    '', 'nonsense', '{', '42', '{}', '[]', "{'a': 'b'}", "{-1: 'x'}", "{99999: 'x'}",
    "{70000: 'x'}", "__import__('os').system('false')", '[' * 100_000, '"' + 'x' * 2_000_000 + '"',
    '{0: ' + '(' * 500 + ')' * 500 + '}', "{'a', 'b'}", "['a',, 'b']", "{0: 'a' 1: 'b'}", "['a'",
    "['a']; x", "[0: 'a']", "['a' 'b']", '[print(1)]', "{0: {1: 'a'}}", "['a', b'c']",
    "['" + '\\a' * 2000 + "']",
])
def test_other_text_is_ignored_and_never_executed(text):
    assert names(text) == ()


@pytest.mark.parametrize('part, closing', [
    ('[],', ']'), ('0,', ']'), ('{', ']'), ('(', ')'), ("'\\n',", ']'), ('"\\x",', ']'),
    ('\\a', ']'), (' ', ']'), ("'", ']'), ('a', ']'), ('0:', '}'), ('"": ', '}')])
def test_hostile_metadata_is_parsed_in_little_memory(part, closing):
    opening = {']': '[', ')': '(', '}': '{'}[closing]
    text = opening + part * (300_000 // len(part)) + closing
    tracemalloc.start()
    try:
        names(text)
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize('imgsz, size', [
    ('[32, 96]', (96, 32)), ('(32,96)', (96, 32)), ('96', (96, 96)), ('[96]', (96, 96)),
    ('[True, True]', (640, 640)), ('[1.5, 2]', (640, 640)), ('[-1, 64]', (640, 640)),
    ('[64, 64, 3]', (640, 640)), ('[' * 1_000_000, (640, 640)), ('', (640, 640)),
])
def test_the_size_in_the_metadata_is_one_or_two_whole_numbers(imgsz, size):
    image = TensorInfo(name='images', shape=(1, 3, None, None), dtype='tensor(float)')
    found = ModelFile(name='m', inputs=(image,), metadata={'imgsz': imgsz}).image_input().size
    assert (found.width, found.height) == size
