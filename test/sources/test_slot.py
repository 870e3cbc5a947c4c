# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""One frame waits; the newest wins, or the source does."""

import threading
import time

import pytest
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(10)


def test_the_newest_wins_and_what_it_replaces_is_counted():
    stats = Stats()
    slot = FrameSlot(stats)
    for name in 'abc':
        assert slot.put(name)
    assert slot.take() == 'c'
    assert stats.dropped()['replaced'] == 2


def test_a_waiting_source_loses_nothing():
    stats = Stats()
    slot = FrameSlot(stats, wait=True)
    source = threading.Thread(target=lambda: [slot.put(i) for i in range(100)] and slot.close())
    source.start()
    taken = []
    while (item := slot.take()) is not None:
        taken.append(item)
    assert taken == list(range(100))
    assert stats.dropped()['replaced'] == 0


def test_what_waits_when_the_slot_is_closed_can_still_be_taken_but_nothing_is_added():
    slot = FrameSlot(Stats())
    slot.put('last')
    slot.close()
    assert not slot.put('late')
    assert slot.take() == 'last'
    assert slot.take() is None


@pytest.mark.parametrize('call', ['put', 'take'])
def test_closing_wakes_whoever_waits(call):
    slot = FrameSlot(Stats(), wait=True)
    answers = []
    if call == 'put':
        slot.put('first')
    waiting = threading.Thread(target=lambda: answers.append(
        slot.put('second') if call == 'put' else slot.take()))
    waiting.start()
    time.sleep(0.05)
    slot.close()
    waiting.join(5)
    assert answers == [False if call == 'put' else None]
