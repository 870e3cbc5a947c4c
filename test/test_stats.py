# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Counters by cause, rates and latencies."""

import threading

import pytest
from udp_infer_ros.stats import Drop, Rate, Stats


class Clock:
    """A clock that moves when it is told to."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_n_ticks_are_n_minus_one_intervals():
    rate = Rate()
    for i in range(31):
        rate.tick(i / 30)
    assert rate.per_s(1.0) == pytest.approx(30.0)


def test_a_rate_is_zero_before_the_second_tick_and_after_a_silence():
    rate = Rate()
    rate.tick(0.0)
    assert rate.per_s(0.0) == 0.0
    rate.tick(0.1)
    assert rate.per_s(0.2) == pytest.approx(10.0)
    assert rate.per_s(5.0) == 0.0


def test_a_slow_rate_is_not_taken_for_silence():
    rate = Rate()
    rate.tick(0.0)
    rate.tick(4.0)
    assert rate.per_s(10.0) == pytest.approx(0.25)


def test_frames_are_numbered_in_the_order_in_which_they_are_offered():
    stats = Stats()
    assert [stats.offer() for _ in range(3)] == [0, 1, 2]


def test_every_loss_has_a_cause_and_causes_without_losses_are_told_too():
    stats = Stats()
    stats.drop(Drop.REPLACED)
    stats.drop(Drop.REPLACED)
    stats.drop(Drop.BAD_MESSAGE)
    assert stats.dropped() == {
        'replaced': 2, 'max_fps': 0, 'stale': 0, 'bad_message': 1, 'decode_error': 0,
        'inference_error': 0}


def test_a_snapshot_has_rates_latencies_and_errors_from_one_moment():
    clock = Clock()
    stats = Stats(clock)
    for i in range(11):
        stats.offer()
        stats.processed({'total': float(i)})
        clock.now_s += 0.1
    stats.error('udp 127.0.0.1:9')
    told = stats.snapshot()
    assert (told.offered, told.processed) == (11, 11)
    assert told.offered_hz == pytest.approx(10.0)
    assert told.processed_hz == pytest.approx(10.0)
    assert (told.latency_ms['total'].p50_ms, told.latency_ms['total'].p95_ms) == (5.0, 9.5)
    assert told.errors == {'udp 127.0.0.1:9': 1}


@pytest.mark.timeout(20)
def test_no_count_is_lost_between_threads():
    stats = Stats()

    def work():
        for _ in range(2000):
            stats.offer()
            stats.drop(Drop.REPLACED)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stats.snapshot().offered == 8000
    assert stats.dropped()['replaced'] == 8000
