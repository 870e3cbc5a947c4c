# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Counters by cause, rates and latencies."""

import threading

import pytest
from udp_infer_ros.errors import Drop
from udp_infer_ros.stats import Rate, Stats, WINDOW


class Clock:
    """A clock that the test sets."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_n_events_are_n_minus_one_intervals():
    rate = Rate()
    for i in range(31):
        rate.tick(i / 30)
    assert rate.per_s(1.0) == pytest.approx(30.0)


def test_a_rate_is_zero_before_the_second_event_and_after_a_silence():
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


def test_events_at_one_moment_have_no_rate():
    rate = Rate()
    rate.tick(1.0)
    rate.tick(1.0)
    assert rate.per_s(1.0) == 0.0


def test_every_drop_has_a_cause_and_causes_without_drops_are_listed_too():
    stats = Stats()
    stats.count_drop(Drop.REPLACED)
    stats.count_drop(Drop.REPLACED)
    stats.count_drop(Drop.BAD_MESSAGE)
    assert stats.dropped() == {
        'replaced': 2, 'max_fps': 0, 'stale': 0, 'bad_message': 1, 'decode_error': 0,
        'inference_error': 0}


def test_a_snapshot_has_rates_latencies_and_counters_of_one_moment():
    clock = Clock()
    stats = Stats(clock)
    for i in range(11):
        stats.count_offered()
        stats.count_processed({'total': float(i)})
        clock.now_s += 0.1
    stats.count_output_error('udp')
    stats.count_reconnect()
    stats.count_stall()
    stats.record_error('no signal')
    now = stats.snapshot()
    assert (now.offered, now.processed) == (11, 11)
    assert now.offered_hz == pytest.approx(10.0)
    assert now.processed_hz == pytest.approx(10.0)
    assert (now.latency_ms['total'].p50_ms, now.latency_ms['total'].p95_ms) == (5.0, 9.5)
    assert now.output_errors == {'udp': 1}
    assert (now.reconnects, now.stalls, now.last_error) == (1, 1, 'no signal')


def test_what_the_transport_lost_is_unknown_until_a_source_reports_it():
    stats = Stats()
    assert stats.transport_lost is None and stats.snapshot().transport_lost is None
    stats.set_transport_known(True)
    assert stats.transport_lost == 0
    stats.count_transport_loss(2)
    stats.count_transport_loss(3)
    now = stats.snapshot()
    assert now.transport_lost == stats.transport_lost == 5
    assert now.offered == sum(now.dropped.values()) == 0, 'these frames were not offered'
    stats.set_transport_known(False)
    assert stats.transport_lost is None


def test_latencies_are_those_of_the_latest_frames():
    stats = Stats()
    for _ in range(3):
        stats.count_processed({'total': 1000.0})
    for _ in range(WINDOW):
        stats.count_processed({'total': 1.0})
    assert stats.snapshot().latency_ms['total'].p95_ms == 1.0


def test_a_snapshot_does_not_change_when_counting_goes_on():
    stats = Stats()
    before = stats.snapshot()
    stats.count_drop(Drop.STALE)
    stats.count_output_error('udp')
    assert before.dropped['stale'] == 0 and before.output_errors == {}


@pytest.mark.timeout(20)
def test_no_count_is_lost_between_threads():
    stats = Stats()

    def work():
        for _ in range(2000):
            stats.count_offered()
            stats.count_drop(Drop.REPLACED)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stats.offered == 8000
    assert stats.dropped()['replaced'] == 8000
