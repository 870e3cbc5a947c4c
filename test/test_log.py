# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Warnings that repeat are told once in a while."""

import logging

from udp_infer_ros.log import Throttle


def test_a_topic_is_told_once_a_period_with_what_was_held_back(caplog):
    now_s = [0.0]
    throttle = Throttle(period_s=5.0, clock_s=lambda: now_s[0])
    log = logging.getLogger('test')
    for now_s[0] in (0.0, 1.0, 4.9, 5.0, 5.1):
        throttle.warning(log, 'a', 'at %.1f', now_s[0])
    throttle.warning(log, 'b', 'another')
    assert caplog.messages == [
        'at 0.0', 'at 5.0 (2 more of this kind since)', 'another']
