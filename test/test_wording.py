# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The words of logs and reports."""

import pytest
from udp_infer_ros.wording import counted


@pytest.mark.parametrize('number, text', [(0, '0 frames'), (1, '1 frame'), (11, '11 frames')])
def test_a_noun_is_plural_except_after_one(number, text):
    assert counted(number, 'frame') == text
