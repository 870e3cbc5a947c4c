# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""One frame waits: a newer one replaces it, or the source waits."""

import threading

import pytest
from udp_infer_ros.sources.slot import FrameSlot

pytestmark = pytest.mark.timeout(10)


def test_a_newer_frame_replaces_the_waiting_one_and_put_returns_that():
    slot = FrameSlot()
    assert [slot.put(name) for name in 'abc'] == [(True, None), (True, 'a'), (True, 'b')]
    assert slot.take() == 'c'


def test_no_frame_is_replaced_if_the_source_waits():
    slot = FrameSlot(wait=True)
    replaced = []

    def put_all():
        replaced.extend(slot.put(i)[1] for i in range(100))
        slot.close()
    source = threading.Thread(target=put_all, daemon=True)
    source.start()
    taken = []
    while (item := slot.take()) is not None:
        taken.append(item)
    source.join(5)
    assert taken == list(range(100))
    assert replaced == [None] * 100


def test_a_closed_slot_accepts_nothing_but_its_last_frame_can_be_taken():
    slot = FrameSlot()
    slot.put('last')
    slot.close()
    assert slot.closed and not slot.drained
    assert slot.put('late') == (False, None)
    assert slot.take() == 'last'
    assert slot.take() is None
    assert slot.drained


def test_wake_ends_one_take_without_a_frame():
    slot = FrameSlot()
    slot.wake()
    assert slot.take() is None
    slot.put('frame')
    assert slot.take() == 'frame'


@pytest.mark.parametrize('call, end, expected', [
    (lambda slot: slot.put('second'), FrameSlot.close, (False, None)),
    (FrameSlot.take, FrameSlot.close, None),
    (FrameSlot.take, FrameSlot.wake, None)])
def test_a_waiting_thread_returns_when_the_slot_is_closed_or_woken(call, end, expected):
    slot = FrameSlot(wait=True)
    slot.put('first')
    if call is FrameSlot.take:
        assert slot.take() == 'first'
    begun, results = threading.Event(), []

    def wait():
        begun.set()
        results.append(call(slot))
    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert begun.wait(5)
    end(slot)
    waiting.join(5)
    assert results == [expected]
