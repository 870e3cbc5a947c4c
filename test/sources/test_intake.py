# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames are thinned evenly, and old ones are told from those of another clock."""

import pytest
from udp_infer_ros.errors import StaleError
from udp_infer_ros.sources.pace import age_s, Freshness, Pace

SECOND_NS = 1_000_000_000
NOW_NS = 1_700_000_000 * SECOND_NS


@pytest.mark.parametrize('rate, wanted, expected', [
    (30, 0, 300), (30, 10, 100), (30, 20, 200), (30, 15, 150), (30, 30, 300), (30, 50, 300),
    (200, 30, 300), (1, 0.5, 5)])
def test_as_many_pass_as_are_wanted(rate, wanted, expected):
    pace = Pace(wanted)
    passed = sum(pace.admits(1000.0 + i / rate) for i in range(10 * rate))
    assert abs(passed - expected) <= 1


def test_a_source_of_just_this_rate_loses_nothing_when_it_trembles():
    pace = Pace(30.0)
    times = [i / 30.0 + (0.004 if i % 2 else -0.004) for i in range(300)]
    assert all(map(pace.admits, times))


def test_after_a_pause_there_is_no_burst_and_when_time_goes_back_it_begins_anew():
    pace = Pace(10.0)
    assert pace.admits(100.0) and pace.admits(200.0)
    assert sum(pace.admits(200.0 + i / 1000.0) for i in range(1, 50)) <= 1
    assert pace.admits(50.0) and not pace.admits(50.01) and pace.admits(50.1)


@pytest.mark.parametrize('stamp_ns, age', [
    (NOW_NS - SECOND_NS // 2, 0.5), (NOW_NS, 0.0), (NOW_NS + 1, None), (0, None),
    (NOW_NS - 3600 * SECOND_NS, None), (5 * SECOND_NS, None)])
def test_an_age_is_told_only_where_the_stamp_is_of_this_clock(stamp_ns, age):
    assert age_s(stamp_ns, NOW_NS) == age


def test_before_the_first_message_of_the_simulated_clock_no_frame_has_an_age():
    assert age_s(NOW_NS, 0) is None and age_s(0, 0) is None


def test_an_old_frame_is_refused_with_its_age_and_the_limit():
    fresh = Freshness(0.2, lambda: NOW_NS)
    fresh.check(NOW_NS - SECOND_NS // 10)
    with pytest.raises(StaleError, match='0.500 s.*source.max_age_s = 0.2'):
        fresh.check(NOW_NS - SECOND_NS // 2)


@pytest.mark.parametrize('stamp_ns', [0, NOW_NS + SECOND_NS, NOW_NS - 10 ** 6 * SECOND_NS])
def test_stamps_of_another_clock_hold_nothing_back_and_are_told_once(stamp_ns, caplog):
    fresh = Freshness(0.2, lambda: NOW_NS)
    for _ in range(3):
        fresh.check(stamp_ns)
    assert caplog.text.count('are not of this clock') == 1
    Freshness(0.0, lambda: NOW_NS).check(NOW_NS - SECOND_NS)
