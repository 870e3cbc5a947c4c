# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What a file says about itself is read, but not trusted."""

import pytest
from udp_infer_ros.detection.model_file import ModelFile


def names(text):
    """Read class names from a file's metadata."""
    return ModelFile('m', (), {'names': text}).labels()


@pytest.mark.parametrize('text, labels', [
    ("{0: 'person', 1: 'car'}", ('person', 'car')),
    ("['person', 'car']", ('person', 'car')),
    ('{"0": "person", "1": "car"}', ('person', 'car')),
    ("{2: 'dog', 0: 'cat'}", ('cat', 'class_1', 'dog')),
    ("{0: 'caf\u00e9'}", ('caf\u00e9',)),
])
def test_names_are_a_literal_of_python_or_json(text, labels):
    assert names(text) == labels


@pytest.mark.parametrize('text', [
    '', 'nonsense', '{', '42', '{}', '[]', "{'a': 'b'}", "{-1: 'x'}", "{99999: 'x'}",
    "{70000: 'x'}", "__import__('os').system('false')", '[' * 100_000, '"' + 'x' * 2_000_000 + '"',
    '{0: ' + '(' * 500 + ')' * 500 + '}',
])
def test_what_is_no_list_of_names_is_none_and_is_never_run(text):
    assert names(text) in ((), ('()',))
