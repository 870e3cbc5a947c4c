# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detections are paired with the depth image of the nearest stamp, in bounded memory."""

import random
import tracemalloc

import pytest
from udp_infer_ros.positions.pairing import (
    Depth, MAX_BYTES, MAX_IMAGES, MAX_WAITING, Pairing, Reason)
from udp_infer_ros.positions.settings import PositionSettings

SECOND = 1_000_000_000


class Bench:
    """Pairing with a clock under control; stamps are in milliseconds."""

    def __init__(self, **settings):
        self.now_s = 100.0
        self.pairing = Pairing(PositionSettings(**settings), clock_s=lambda: self.now_s)

    def depth(self, *stamps_ms, size_bytes=1000):
        """Offer depth images."""
        for stamp_ms in stamps_ms:
            self.pairing.offer_depth(Depth(
                stamp_ns=stamp_ms * 1_000_000, message=stamp_ms, size_bytes=size_bytes))

    def detections(self, *stamps_ms, is_empty=False):
        """Offer detections."""
        for stamp_ms in stamps_ms:
            self.pairing.offer_detections(stamp_ms, stamp_ms * 1_000_000, is_empty=is_empty)

    def take(self):
        """Return what is final: (stamp of the detections, stamp of the depth or reason)."""
        return [(match.detections, match.reason or (match.depth and match.depth.message))
                for match in self.pairing.matches()]

    def later(self, seconds):
        """Advance the clock."""
        self.now_s += seconds


def test_an_image_with_the_same_stamp_is_paired_at_once():
    bench = Bench()
    bench.depth(1000, 1033)
    bench.detections(1000, 1033)
    assert bench.take() == [(1000, 1000), (1033, 1033)]


def test_the_nearest_image_is_paired_once_a_later_one_has_arrived():
    bench = Bench()
    bench.depth(1000)
    bench.detections(1020)
    assert bench.take() == []
    bench.depth(1033)
    assert bench.take() == [(1020, 1033)]


def test_detections_wait_for_a_late_image_no_longer_than_the_limit():
    bench = Bench(max_wait_s=0.2)
    bench.depth(1000)
    bench.detections(1020)
    bench.later(0.19)
    assert bench.take() == []
    bench.later(0.02)
    assert bench.take() == [(1020, 1000)]


def test_with_a_limit_of_zero_nothing_waits():
    bench = Bench(max_wait_s=0.0)
    bench.detections(1000)
    assert bench.take() == [(1000, Reason.NO_DEPTH)]


def test_detections_without_objects_need_no_image_but_keep_their_place():
    bench = Bench()
    bench.detections(1000)
    bench.detections(1010, is_empty=True)
    assert bench.take() == []
    bench.depth(1000)
    assert bench.take() == [(1000, 1000), (1010, None)]


def test_shifted_stamps_are_too_far_apart():
    bench = Bench()
    bench.depth(*range(6000, 6500, 33))
    bench.detections(1000)
    bench.later(1.0)
    assert bench.take() == [(1000, Reason.TOO_FAR_APART)]


def test_missing_images_leave_only_their_detections_unpaired():
    bench = Bench(max_wait_s=0.0)
    for stamp_ms in range(1000, 2000, 100):
        if stamp_ms % 300:
            bench.depth(stamp_ms)
        bench.detections(stamp_ms)
    assert [reason for _, reason in bench.take() if isinstance(reason, Reason)] == [
        Reason.TOO_FAR_APART] * 3


def test_reordered_images_are_paired_by_their_stamps():
    bench, stamps = Bench(), list(range(1000, 1000 + 20 * 33, 33))
    shuffled = random.Random(2).sample(stamps, len(stamps))
    bench.depth(*shuffled)
    bench.detections(*stamps)
    assert bench.take() == [(stamp, stamp) for stamp in stamps]


def test_after_a_recording_begins_again_no_image_of_the_run_before_is_paired():
    bench = Bench(max_wait_s=0.0)
    bench.depth(*range(1000, 3000, 100))
    bench.depth(1000)
    bench.detections(1000, 2000)
    assert bench.take() == [(1000, 1000), (2000, Reason.TOO_FAR_APART)]


def test_of_images_with_the_same_stamp_the_latest_is_paired():
    bench = Bench()
    for number in (1, 2):
        bench.pairing.offer_depth(Depth(stamp_ns=SECOND, message=number, size_bytes=1))
    bench.detections(1000)
    assert bench.take() == [(1000, 2)]


def test_matches_keep_the_order_of_the_detections():
    bench = Bench()
    bench.depth(1000)
    bench.detections(1100, 1000)
    assert bench.take() == []
    bench.later(1.0)
    assert bench.take() == [(1100, Reason.TOO_FAR_APART), (1000, 1000)]


def test_endless_depth_without_detections_holds_a_bounded_number_and_size_of_images():
    bench = Bench(max_wait_s=0.0, max_difference_s=10.0)
    bench.depth(*range(10_000), size_bytes=1)
    bench.detections(0)
    assert bench.take() == [(0, 10_000 - MAX_IMAGES)]
    bench.depth(*range(10_000, 10_100), size_bytes=MAX_BYTES // 4)
    bench.detections(10_000)
    assert bench.take() == [(10_000, 10_096)]
    bench.depth(10_100, size_bytes=2 * MAX_BYTES)
    bench.detections(10_100)
    assert bench.take() == [(10_100, 10_100)]


@pytest.mark.parametrize('kind', ['depth', 'detections', 'both'])
def test_endless_unpaired_messages_take_no_memory(kind):
    bench = Bench(max_wait_s=10.0)

    def run(count):
        for number in range(count):
            if kind in ('depth', 'both'):
                bench.depth(number * 33)
            if kind in ('detections', 'both'):
                bench.detections(10**6 + number)
            assert len(bench.take()) <= 1
    run(1000)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    run(20_000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 50_000


def test_no_more_than_a_bounded_number_of_detections_wait():
    bench = Bench(max_wait_s=10.0)
    for stamp_ms in range(1000, 1000 + MAX_WAITING):
        bench.detections(stamp_ms)
        assert bench.take() == []
    bench.detections(2000)
    assert bench.take() == [(1000, Reason.NO_DEPTH)]
