# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Every frame is numbered; too many and too old ones are dropped, and counted by cause."""

import threading

import numpy as np
import pytest
from udp_infer_ros.errors import DecodeError, FrameError, StaleError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import age_s, AgeLimit, Intake, RateLimiter, RawFrame
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(10)
SECOND_NS = 1_000_000_000
NOW_NS = 1_700_000_000 * SECOND_NS
IMAGE = np.zeros((48, 64, 3), dtype=np.uint8)


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        """Return the time, seconds."""
        return self.now_s


class Desk:
    """An intake with a clock, its counters and a frame whose decodings are counted."""

    def __init__(self, settings=SourceSettings(), **options):
        self.clock = Clock()
        self.stats = Stats(self.clock)
        self.decoded = 0
        self.decode_s = 0.0
        self.intake = Intake(
            settings, self.stats, now_ns=lambda: NOW_NS, clock_s=self.clock, **options)

    def decode(self):
        """Return an image, `decode_s` later."""
        self.decoded += 1
        self.clock.now_s += self.decode_s
        return IMAGE

    def raw(self, decode=None, stamp_ns=NOW_NS):
        """Return a frame that arrives now."""
        return RawFrame(
            decode=decode or self.decode, stamp_ns=stamp_ns, frame_id='camera', source='test',
            arrival_s=self.clock())

    def dropped(self):
        """Return the causes of drops with their counts, without zeros."""
        return {cause: count for cause, count in self.stats.dropped().items() if count}

    def take_frame(self):
        """Take a frame and decode it."""
        return self.intake.to_frame(self.intake.take())


def fail_to_decode():
    """Fail as a decoder does."""
    raise DecodeError('frame', 7, 'cannot be decoded')


# Numbers and drops


def test_frames_are_numbered_from_the_first_index_on_dropped_ones_too():
    desk = Desk(SourceSettings(max_fps=10.0), first_index=40)
    indexes = []
    for _ in range(3):
        desk.intake.offer(desk.raw())
        indexes.append(desk.take_frame().info.index)
        desk.clock.now_s += 0.01
        desk.intake.offer(desk.raw())
        desk.intake.reject(FrameError('stamp', -1, 'must not be negative'))
        desk.clock.now_s += 0.09
    assert indexes == [40, 43, 46]
    assert desk.stats.offered == 9
    assert desk.dropped() == {'max_fps': 3, 'bad_message': 3}


def test_a_frame_keeps_what_the_source_knows_of_it():
    desk = Desk()
    desk.intake.offer(desk.raw(stamp_ns=17))
    frame = desk.take_frame()
    assert (frame.info.stamp_ns, frame.info.frame_id, frame.info.source) == (17, 'camera', 'test')
    assert frame.arrival_s == 1000.0 and frame.image is IMAGE


@pytest.mark.parametrize('decode_now', [False, True])
def test_frames_beyond_max_fps_are_not_decoded(decode_now):
    desk = Desk(SourceSettings(max_fps=5.0))
    for _ in range(60):
        desk.intake.offer(desk.raw(), decode_now=decode_now)
        desk.intake.wake()
        pending = desk.intake.take()
        if pending is not None:
            desk.intake.to_frame(pending)
        desk.clock.now_s += 1 / 30
    assert desk.decoded == pytest.approx(10, abs=1)
    assert desk.dropped() == {'max_fps': 60 - desk.decoded}


def test_max_fps_of_a_file_counts_in_media_time():
    desk = Desk(SourceSettings(max_fps=5.0))
    for i in range(30):
        desk.intake.offer(desk.raw(), media_time_s=i / 10)
    assert desk.dropped() == {'max_fps': 15, 'replaced': 14}


def test_a_replaced_frame_is_counted_and_not_decoded():
    desk = Desk()
    for _ in range(3):
        assert desk.intake.offer(desk.raw())
    assert desk.take_frame().info.index == 2
    assert desk.dropped() == {'replaced': 2} and desk.decoded == 1


def test_an_intake_that_waits_replaces_nothing():
    desk = Desk(wait=True)

    def offer_all():
        for _ in range(20):
            desk.intake.offer(desk.raw())
        desk.intake.close()
    source = threading.Thread(target=offer_all, daemon=True)
    source.start()
    indexes = [desk.take_frame().info.index for _ in range(20)]
    source.join(5)
    assert indexes == list(range(20)) and desk.dropped() == {}
    assert desk.intake.drained


def test_a_frame_that_cannot_be_decoded_is_dropped_and_the_next_one_is_wanted(caplog):
    desk = Desk()
    for _ in range(10):
        assert desk.intake.offer(desk.raw(fail_to_decode), decode_now=True)
    assert desk.dropped() == {'decode_error': 10}
    assert desk.stats.snapshot().last_error == 'frame dropped: frame = 7: cannot be decoded'
    assert caplog.text.count('frame dropped: frame = 7') == 1, 'the log is not flooded'


def test_a_stale_frame_is_refused_before_it_is_decoded():
    desk = Desk(SourceSettings(max_age_s=0.5))
    desk.intake.offer(desk.raw(stamp_ns=NOW_NS - SECOND_NS))
    with pytest.raises(StaleError):
        desk.take_frame()
    assert desk.decoded == 0


def test_no_frame_of_a_file_is_stale():
    desk = Desk(SourceSettings(max_age_s=0.5), limit_age=False)
    desk.intake.offer(desk.raw(stamp_ns=NOW_NS - SECOND_NS))
    assert desk.take_frame().image is IMAGE


@pytest.mark.parametrize('decode_now', [False, True])
def test_a_closed_intake_accepts_no_more_frames(decode_now):
    desk = Desk(SourceSettings(max_fps=1.0))
    assert desk.intake.offer(desk.raw())
    assert desk.intake.offer(desk.raw()), 'one beyond max_fps is no end'
    desk.intake.close()
    assert not desk.intake.offer(desk.raw()), 'one beyond max_fps'
    desk.clock.now_s += 10.0
    assert not desk.intake.offer(desk.raw(), decode_now=decode_now)
    assert not desk.intake.offer(desk.raw(fail_to_decode), decode_now=True)
    assert desk.take_frame().info.index == 0 and desk.intake.drained


def test_silence_is_the_time_since_the_latest_frame_of_any_kind():
    desk = Desk(SourceSettings(max_fps=1.0))
    desk.clock.now_s += 3.0
    assert desk.intake.silent_s == 3.0
    for act in (
            lambda: desk.intake.offer(desk.raw()), lambda: desk.intake.offer(desk.raw()),
            lambda: desk.intake.reject(FrameError('stamp', -1, 'must not be negative'))):
        act()
        assert desk.intake.silent_s == 0.0
        desk.clock.now_s += 0.5
        assert desk.intake.silent_s == 0.5


# The stages of the latency


@pytest.mark.parametrize('decode_now', [False, True])
def test_wait_is_the_time_in_the_slot_and_decode_that_of_decoding_in_any_thread(decode_now):
    desk = Desk()
    desk.decode_s = 0.25
    desk.intake.offer(desk.raw(), decode_now=decode_now)
    desk.clock.now_s += 0.5
    frame = desk.take_frame()
    assert (frame.wait_s, frame.decode_s) == (0.5, 0.25)
    assert frame.arrival_s == 1000.0 and desk.decoded == 1


# RateLimiter


@pytest.mark.parametrize('rate, max_fps, expected', [
    (30, 0, 300), (30, 10, 100), (30, 20, 200), (30, 15, 150), (30, 30, 300), (30, 50, 300),
    (200, 30, 300), (1, 0.5, 5)])
def test_the_average_rate_is_max_fps(rate, max_fps, expected):
    limiter = RateLimiter(max_fps)
    accepted = sum(limiter.accepts(1000.0 + i / rate) for i in range(10 * rate))
    assert abs(accepted - expected) <= 1


def test_a_source_at_exactly_max_fps_loses_nothing_to_jitter():
    limiter = RateLimiter(30.0)
    times = [i / 30.0 + (0.004 if i % 2 else -0.004) for i in range(300)]
    assert all(map(limiter.accepts, times))


def test_there_is_no_burst_after_a_pause_and_time_that_goes_back_starts_again():
    limiter = RateLimiter(10.0)
    assert limiter.accepts(100.0) and limiter.accepts(200.0)
    assert sum(limiter.accepts(200.0 + i / 1000.0) for i in range(1, 50)) <= 1
    assert limiter.accepts(50.0) and not limiter.accepts(50.01) and limiter.accepts(50.1)


# AgeLimit


@pytest.mark.parametrize('stamp_ns, age', [
    (NOW_NS - SECOND_NS // 2, 0.5), (NOW_NS, 0.0), (NOW_NS + 1, None), (0, None),
    (NOW_NS - 3600 * SECOND_NS, None), (5 * SECOND_NS, None)])
def test_only_a_plausible_stamp_has_an_age(stamp_ns, age):
    assert age_s(stamp_ns, NOW_NS) == age


def test_no_frame_has_an_age_before_the_simulated_clock_starts():
    assert age_s(NOW_NS, 0) is None and age_s(0, 0) is None


def test_an_old_frame_is_refused_with_its_age_and_the_limit():
    limit = AgeLimit(0.2, lambda: NOW_NS)
    limit.check(NOW_NS - SECOND_NS // 10)
    with pytest.raises(StaleError, match='0.500 s.*source.max_age_s = 0.2'):
        limit.check(NOW_NS - SECOND_NS // 2)


@pytest.mark.parametrize('stamp_ns', [0, NOW_NS + SECOND_NS, NOW_NS - 10 ** 6 * SECOND_NS])
def test_implausible_stamps_are_accepted_with_one_warning(stamp_ns, caplog):
    limit = AgeLimit(0.2, lambda: NOW_NS)
    for _ in range(3):
        limit.check(stamp_ns)
    assert caplog.text.count('source.max_age_s = 0.2: not applied') == 1


def test_a_limit_of_0_accepts_every_age():
    AgeLimit(0.0, lambda: NOW_NS).check(NOW_NS - SECOND_NS)
