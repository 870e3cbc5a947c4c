# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""source.max_fps and source.max_age_s hold for any sequence of times."""

from copy import deepcopy

from fuzz.strategies import examples
from hypothesis import strategies as st
import pytest
from udp_infer_ros.errors import StaleError
from udp_infer_ros.sources.intake import AgeLimit, MAX_PLAUSIBLE_AGE_S, RateLimiter

FPS = st.floats(0.01, 1000.0)
TIMES = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60).map(sorted)
JITTER = 0.25
"""Share of the interval by which a frame may be early."""


def bursts(max_fps, steps):
    """Return times whose steps are fractions of the interval."""
    times, now_s = [], 1000.0
    for step in steps:
        now_s += step / max_fps
        times.append(now_s)
    return times


@examples(300, max_fps=FPS, times=TIMES, steps=st.lists(st.floats(0.0, 3.0), max_size=60))
def test_the_rate_of_max_fps_is_exceeded_by_one_frame_at_most(max_fps, times, steps):
    for sequence in (times, bursts(max_fps, steps)):
        limiter = RateLimiter(max_fps)
        accepted = [time_s for time_s in sequence if limiter.accepts(time_s)]
        assert accepted[:1] == sequence[:1]
        for first in range(0, len(accepted), 7):
            # After a pause, one frame more may follow at once.
            more = 1 + JITTER + (first > 0)
            for last in range(first, len(accepted)):
                most = (accepted[last] - accepted[first]) * max_fps + more
                assert last - first + 1 <= most + 1e-3


@examples(
    300, max_fps=FPS, times=st.lists(st.floats(-1e6, 1e6), max_size=30), now_s=st.floats(0, 1e6),
    later_s=st.floats(0, 1e6))
def test_a_later_frame_is_accepted_if_an_earlier_one_would_be(max_fps, times, now_s, later_s):
    limiter = RateLimiter(max_fps)
    for time_s in times:
        limiter.accepts(time_s)
    now_s += max(times, default=0.0)
    if deepcopy(limiter).accepts(now_s):
        assert limiter.accepts(now_s + later_s)


@examples(50, times=st.lists(st.floats(allow_nan=False), max_size=30))
def test_a_limit_of_0_accepts_every_frame(times):
    limiter = RateLimiter(0.0)
    assert all(map(limiter.accepts, times))


@examples(
    300, max_age_s=st.floats(0.0, MAX_PLAUSIBLE_AGE_S), now_ns=st.integers(0, 2**62),
    age_ns=st.one_of(st.integers(-2**62, 2**62), st.integers(0, 61 * 10**9)))
def test_exactly_the_plausible_frames_above_max_age_s_are_stale(max_age_s, now_ns, age_ns):
    limit = AgeLimit(max_age_s, lambda: now_ns)
    stamp_ns = now_ns - age_ns
    is_stale = bool(
        max_age_s and stamp_ns and 0 <= age_ns * 1e-9 <= MAX_PLAUSIBLE_AGE_S
        and age_ns * 1e-9 > max_age_s)
    if is_stale:
        with pytest.raises(StaleError):
            limit.check(stamp_ns)
    else:
        limit.check(stamp_ns)
