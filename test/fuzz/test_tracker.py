# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Whatever the detections and the stamps are, track ids are valid."""

import warnings

from fuzz.strategies import arrays, examples, make_detections
from hypothesis import strategies as st
import numpy as np
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.settings import TrackSettings
from udp_infer_ros.tracking.byte import ByteTracker

FRACTION = st.floats(0.0, 1.0)
STAMP_NS = 2**31 * 10**9
"""Stamps of ROS are within ± this."""


@st.composite
def rules(draw):
    """Draw thresholds."""
    low, high = sorted((draw(FRACTION), draw(FRACTION)))
    return TrackSettings(
        low_threshold=low, high_threshold=high, new_threshold=draw(FRACTION),
        match_iou=draw(FRACTION), min_hits=draw(st.integers(1, 4)),
        lost_s=draw(st.one_of(st.floats(0.0, 3600.0), st.sampled_from((0.0, 0.1, 3600.0)))))


@st.composite
def detections(draw):
    """Draw boxes: arbitrary numbers, or boxes with an area at few places."""
    count = draw(st.integers(0, 12))
    if draw(st.booleans()):
        xyxy = draw(arrays((count, 4)))
    else:
        random = np.random.default_rng(draw(st.integers(0, 1000)))
        corner = random.integers(0, 3, (count, 2)) * 10.0 + random.normal(0, 1, (count, 2))
        xyxy = np.hstack((corner, corner + random.uniform(1e-6, 20, (count, 2))))
    score = draw(st.one_of(
        arrays((count,)),
        st.lists(FRACTION, min_size=count, max_size=count)))
    class_id = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    return make_detections(xyxy, score, class_id, ['person'] * count)


STEPS = st.one_of(
    st.integers(0, 10**9), st.sampled_from((0, 1, 33_333_333, 3600 * 10**9)),
    st.integers(-10**10, 10**12))


@examples(
    250, rule=rules(), other=rules(), start_ns=st.integers(-STAMP_NS, STAMP_NS),
    frames=st.lists(st.tuples(STEPS, detections()), min_size=1, max_size=12))
def test_ids_are_unique_in_a_frame_and_have_no_gaps(rule, other, start_ns, frames):
    tracker = ByteTracker(rule)
    stamp_ns, last_id = start_ns, 0
    for number, (step_ns, found) in enumerate(frames):
        stamp_ns = min(max(stamp_ns + step_ns, -STAMP_NS), STAMP_NS)
        if number == len(frames) // 2:
            tracker.configure(other)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            ids = tracker.update(found, stamp_ns)
        assert ids.shape == (len(found),) and ids.dtype == np.int64
        given = ids[ids != NO_TRACK]
        assert (given >= 1).all() and len(np.unique(given)) == len(given)
        # Those of tracks that are confirmed in this frame.
        new = sorted(given[given > last_id].tolist())
        assert new == list(range(last_id + 1, last_id + 1 + len(new)))
        last_id += len(new)
        boxes = found.xyxy[ids != NO_TRACK].astype(np.float64)
        assert np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()


@examples(
    60, rule=rules(), stamps=st.lists(st.integers(-STAMP_NS, STAMP_NS), min_size=2, max_size=30))
def test_one_object_at_one_place_has_one_id_at_a_time(rule, stamps):
    tracker = ByteTracker(rule)
    found = make_detections([[10, 10, 50, 50]], [1.0], [0], ['person'])
    ids = [int(tracker.update(found, stamp)[0]) for stamp in stamps]
    given = [track_id for track_id in ids if track_id != NO_TRACK]
    # It gets another id only after a reset or a gap, never an earlier one again.
    assert given == sorted(given)
