# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Which frames the rules of a dataset select, and how many."""

from dataclasses import replace
from random import Random

from dataset_helpers import at, DAY_S, make_settings, NOON_S
from helpers import make_detections
import numpy as np
import pytest
from udp_infer_ros.frame import Detections, NO_TRACK
from udp_infer_ros.outputs.dataset.rules import Rules


def boxes(*items):
    """Build detections from (class name, score, track id)."""
    names = ['person', 'car']
    return Detections(
        xyxy=np.array([[10, 10, 20, 20]] * len(items), dtype=np.float32).reshape(-1, 4),
        score=np.array([item[1] for item in items], dtype=np.float32),
        class_id=np.array([names.index(item[0]) for item in items], dtype=np.intp),
        class_name=np.array([item[0] for item in items], dtype=str),
        track_id=np.array([item[2] for item in items], dtype=np.int64))


def make_rules(**values):
    """Build one rule named r."""
    given = {f'r__{name}': value for name, value in values.items()}
    rules = Rules(Random(1))
    rules.configure(make_settings('/tmp', ('r',), **given).dataset.active)
    return rules


def chosen(rules, result, now_s=0.0):
    """Return the name of the rule that selects a result, charged; None if none does."""
    rule = rules.choose(result, now_s)
    if rule is None:
        return None
    rule.limits.charge(rule.settings, now_s)
    rule.collected(result)
    return rule.settings.name


PERSON, CAR = ('person', 0.9, 1), ('car', 0.5, NO_TRACK)


@pytest.mark.parametrize('values, detections, matches', [
    ({'type': 'random', 'fraction': 1.0}, [], True),
    ({'type': 'random', 'fraction': 0.0}, [PERSON], False),
    ({'type': 'empty'}, [], True), ({'type': 'empty'}, [CAR], False),
    ({'type': 'class_seen', 'classes': ['car']}, [PERSON], False),
    ({'type': 'class_seen', 'classes': ['car']}, [PERSON, CAR], True),
    ({'type': 'class_seen'}, [PERSON], True), ({'type': 'class_seen'}, [], False),
    ({'type': 'count', 'more_than': 1}, [PERSON], False),
    ({'type': 'count', 'more_than': 1}, [PERSON, CAR], True),
    ({'type': 'count', 'less_than': 1}, [], True),
    ({'type': 'count', 'less_than': 1}, [CAR], False),
    ({'type': 'count', 'less_than': 1, 'classes': ['person']}, [CAR], True),
    ({'type': 'close_to_threshold', 'threshold': 0.5, 'epsilon': 0.1}, [CAR], True),
    ({'type': 'close_to_threshold', 'threshold': 0.4, 'epsilon': 0.1}, [CAR], False),
    ({'type': 'close_to_threshold', 'threshold': 0.5, 'epsilon': 0.1, 'classes': ['person']},
     [CAR], False),
    ({'type': 'close_to_threshold', 'threshold': 0.7, 'epsilon': 0.3, 'minimum_objects': 2},
     [PERSON], False),
    ({'type': 'close_to_threshold', 'threshold': 0.7, 'epsilon': 0.3, 'minimum_objects': 2},
     [PERSON, CAR], True),
    ({'type': 'class_seen', 'probability': 0.0}, [PERSON], False),
])
def test_a_rule_selects_the_frames_that_match(values, detections, matches):
    found = chosen(make_rules(**values), at(1.0, detections=boxes(*detections)))
    assert found == ('r' if matches else None)


def test_close_to_threshold_uses_boxes_that_are_not_published():
    rules = make_rules(type='close_to_threshold', threshold=0.3, epsilon=0.05)
    hidden = boxes(PERSON, ('car', 0.28, NO_TRACK))
    assert chosen(rules, at(1.0, detections=boxes(PERSON))) is None
    assert chosen(rules, at(1.0, detections=boxes(PERSON), candidates=hidden)) == 'r'


def test_new_track_selects_the_first_frame_of_each_track_in_any_order_of_ids():
    rules = make_rules(type='new_track')
    frames = [[7], [7, NO_TRACK], [7, 9], [8, 9], [8], []]
    found = [chosen(rules, at(1.0, detections=boxes(*(('car', 0.9, i) for i in ids))))
             for ids in frames]
    assert found == ['r', None, 'r', 'r', None, None]


def test_interval_counts_from_its_last_image_and_starts_again_at_a_stamp_in_the_past():
    rules = make_rules(type='interval', interval_s=10.0)
    found = [chosen(rules, at(time_s)) for time_s in (100, 105, 110, 119.9, 120, 50, 55, 60)]
    assert found == ['r', None, 'r', None, 'r', 'r', None, 'r']


@pytest.mark.parametrize('values', [
    {'type': 'random', 'fraction': 0.3}, {'type': 'class_seen', 'probability': 0.3}])
def test_a_share_of_the_frames_is_selected_at_random(values):
    rules = make_rules(**values)
    count = sum(chosen(rules, at(1.0)) is not None for _ in range(2000))
    assert 500 < count < 700


def test_the_first_rule_that_matches_and_has_credit_wins():
    rules = Rules(Random(1))
    rules.configure(make_settings(
        '/tmp', ('a', 'b', 'c'), a__type='empty', b__type='class_seen', b__per_minute=1,
        c__type='class_seen').dataset.active)
    assert [chosen(rules, at(1.0)) for _ in range(3)] == ['b', 'c', 'c']
    assert chosen(rules, at(1.0, 0)) == 'a'


def test_a_change_of_a_rule_keeps_its_counts_and_the_other_rules():
    rules = make_rules(type='class_seen', per_hour=2)
    assert [chosen(rules, at(1.0)) for _ in range(3)] == ['r', 'r', None]
    rules.configure(make_settings(
        '/tmp', ('r',), r__type='class_seen', r__per_hour=3).dataset.active)
    assert [chosen(rules, at(1.0)) for _ in range(3)] == ['r', None, None]


@pytest.mark.parametrize('seed', range(5))
def test_no_minute_hour_or_day_has_more_images_than_its_limit(seed):
    limits = {60: 3, 3600: 20, DAY_S: 100}
    rules = make_rules(
        type='random', fraction=1.0, per_minute=3, per_hour=20, per_day=100)
    # From before noon over two midnights; the clock of the stamps steps by hours.
    random = np.random.default_rng(seed)
    times_s = np.cumsum(random.exponential(15.0, 2 * DAY_S // 15))
    taken = []
    for now_s in times_s.tolist():
        stamp_s = NOON_S + now_s + random.choice([-7200, 0, 3600])
        if chosen(rules, at(stamp_s, 0), now_s):
            taken.append(now_s)
    for window_s, limit in limits.items():
        counts = np.arange(1, len(taken) + 1) - np.searchsorted(
            taken, np.array(taken) - window_s, side='right')
        assert counts.max() == limit
    assert len(taken) >= 200


def test_rules_are_examined_without_changing_a_result():
    result = at(1.0)
    before = replace(result.detections, xyxy=result.detections.xyxy.copy())
    chosen(make_rules(type='close_to_threshold'), result)
    np.testing.assert_array_equal(result.detections.xyxy, before.xyxy)
    assert len(result.detections) == len(make_detections(3))
