# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Text from model files does not control a terminal, forge a log line or break a message."""

import pytest
from udp_infer_ros.detection.text import printable


@pytest.mark.parametrize('text, expected', [
    ('v\u00e9hicule \U0001f697', 'v\u00e9hicule \U0001f697'),
    ('\u0645\u06cc\u200c\u062e', '\u0645\u06cc\u200c\u062e'),
    (' stop\n\tsign\r\u2028\u00a0\u3000x\x85 ', 'stop sign x'),
    ('\x1b[31mred\x07\x00\x7f\x9b', '\ufffd[31mred\ufffd\ufffd\ufffd\ufffd'),
    ('\u202eexe.tac\u2066\ufeff\u200b', '\ufffdexe.tac\ufffd\ufffd\ufffd'),
    ('\ud800\udfff', '\ufffd\ufffd'),
    ('\ue000\U000e0001', '\ufffd\ufffd'),
    ('x' * 100, 'x' * 100),
    ('x' * 101, 'x' * 99 + '\u2026'),
    ('x' * 10_000_000, 'x' * 99 + '\u2026'),
    (' \n ', ''),
])
def test_a_text_becomes_one_printable_line_of_limited_length(text, expected):
    assert printable(text) == expected
    expected.encode('utf-8')
