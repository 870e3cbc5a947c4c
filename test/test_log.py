# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Repeated warnings are rate limited."""

import logging

from udp_infer_ros.log import Throttle


def test_a_warning_is_logged_once_per_period_and_key_with_the_number_suppressed(caplog):
    now_s = [0.0]
    throttle = Throttle(period_s=5.0, clock_s=lambda: now_s[0])
    log = logging.getLogger('test')
    for now_s[0] in (0.0, 1.0, 4.9, 5.0, 5.1):
        throttle.warning(log, 'a', 'at %.1f', now_s[0])
    throttle.warning(log, 'b', 'another')
    assert caplog.messages == ['at 0.0', 'at 5.0 (2 similar warnings suppressed)', 'another']


def test_a_different_text_with_the_same_key_is_suppressed_too(caplog):
    throttle = Throttle(period_s=5.0, clock_s=lambda: 0.0)
    log = logging.getLogger('test')
    throttle.warning(log, 'stall', 'no frame for %.1f s', 5.1)
    throttle.warning(log, 'stall', 'no frame for %.1f s', 5.4)
    assert caplog.messages == ['no frame for 5.1 s']
