# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Metadata of a model file is parsed, but not trusted."""

import pytest
from udp_infer_ros.detection.model_file import ModelFile


def names(text):
    """Return the class names in metadata."""
    return ModelFile(name='m', inputs=(), metadata={'names': text}).labels()


@pytest.mark.parametrize('text, labels', [
    ("{0: 'person', 1: 'car'}", ('person', 'car')),
    ("['person', 'car']", ('person', 'car')),
    ('{"0": "person", "1": "car"}', ('person', 'car')),
    ("{2: 'dog', 0: 'cat'}", ('cat', 'class_1', 'dog')),
    ("{0: 'caf\u00e9'}", ('caf\u00e9',)),
])
def test_class_names_are_a_python_or_json_literal(text, labels):
    assert names(text) == labels


@pytest.mark.parametrize('text', [
    '', 'nonsense', '{', '42', '{}', '[]', "{'a': 'b'}", "{-1: 'x'}", "{99999: 'x'}",
    "{70000: 'x'}", "__import__('os').system('false')", '[' * 100_000, '"' + 'x' * 2_000_000 + '"',
    '{0: ' + '(' * 500 + ')' * 500 + '}',
])
def test_other_text_is_ignored_and_never_executed(text):
    assert names(text) in ((), ('()',))
