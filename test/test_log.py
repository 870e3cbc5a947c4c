# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

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
