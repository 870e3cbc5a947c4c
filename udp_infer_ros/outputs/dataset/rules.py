# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The rules that select frames: one class per type.

Every rule examines every frame, because some have a memory. The first rule that matches, and
whose limits allow it, collects the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.dataset_settings import (
    ClassSeenRule, CloseToThresholdRule, CountRule, EmptyRule, IntervalRule, NewTrackRule,
    RandomRule, RuleSettings)
from udp_infer_ros.frame import Detections, Result
from udp_infer_ros.outputs.dataset.limits import Limits

S = TypeVar('S', bound=RuleSettings)
KEPT_TRACKS = 10_000
"""Track ids that are this much below the highest one are forgotten; ids are consecutive."""


class Rule(Generic[S]):
    """
    A rule in use.

    :param settings: its parameters.
    :param random: the source of random numbers.
    """

    def __init__(self, settings: S, random: Random) -> None:
        self.settings = settings
        self.limits = Limits()
        self._random = random

    def fires(self, result: Result) -> bool:
        """Return whether a frame matches, and is in the share that `probability` selects."""
        matches = self.matches(result)
        probability = self.settings.probability
        return matches and (probability >= 1.0 or self._random.random() < probability)

    def matches(self, result: Result) -> bool:
        """Return whether a frame matches. Called for every frame, in their order."""
        raise NotImplementedError

    def collected(self, result: Result) -> None:
        """Note that this rule has collected a frame."""


class Share(Rule[RandomRule]):
    """Any frame, with a probability."""

    def matches(self, result: Result) -> bool:
        """Return whether the frame is in the random share."""
        return self._random.random() < self.settings.fraction


class Interval(Rule[IntervalRule]):
    """A frame per interval, by the stamps."""

    _last_ns: int | None = None

    def matches(self, result: Result) -> bool:
        """Return whether the interval has passed; a stamp in the past starts it again."""
        if self._last_ns is None or result.frame.stamp_ns < self._last_ns:
            return True
        return result.frame.stamp_ns - self._last_ns >= self.settings.interval_s * 1e9

    def collected(self, result: Result) -> None:
        """Start the next interval."""
        self._last_ns = result.frame.stamp_ns


class CloseToThreshold(Rule[CloseToThresholdRule]):
    """Frames with uncertain boxes, also those that are not published."""

    def matches(self, result: Result) -> bool:
        """Return whether enough boxes are close to the threshold."""
        rule = self.settings
        boxes = result.detections if result.candidates is None else result.candidates
        distance = np.abs(boxes.score.astype(np.float64) - rule.threshold).round(6)
        close = (distance < rule.epsilon) & _of(boxes, rule.classes)
        return int(np.count_nonzero(close)) >= rule.minimum_objects


class Count(Rule[CountRule]):
    """Frames with more, or fewer, detections than a number."""

    def matches(self, result: Result) -> bool:
        """Return whether the number of detections is in the range."""
        rule = self.settings
        count = int(np.count_nonzero(_of(result.detections, rule.classes)))
        return count > rule.more_than and (rule.less_than < 0 or count < rule.less_than)


class ClassSeen(Rule[ClassSeenRule]):
    """Frames with a detection of a class."""

    def matches(self, result: Result) -> bool:
        """Return whether one of the classes is detected."""
        return bool(_of(result.detections, self.settings.classes).any())


class NewTrack(Rule[NewTrackRule]):
    """The first frame of each track."""

    def __init__(self, settings: NewTrackRule, random: Random) -> None:
        super().__init__(settings, random)
        self._known: set[int] = set()

    def matches(self, result: Result) -> bool:
        """Return whether a track id is new."""
        ids = {item for item in result.detections.track_id.tolist() if item > 0}
        new = ids - self._known
        self._known |= new
        if len(self._known) > 2 * KEPT_TRACKS:
            lowest = max(self._known) - KEPT_TRACKS
            self._known = {item for item in self._known if item >= lowest}
        return bool(new)


class Empty(Rule[EmptyRule]):
    """Frames without detections."""

    def matches(self, result: Result) -> bool:
        """Return whether nothing is detected."""
        return not len(result.detections)


TYPES: Mapping[type[RuleSettings], Callable[[Any, Random], Rule[Any]]] = {
    RandomRule: Share, IntervalRule: Interval, CloseToThresholdRule: CloseToThreshold,
    CountRule: Count, ClassSeenRule: ClassSeen, NewTrackRule: NewTrack, EmptyRule: Empty}


def _of(boxes: Detections, classes: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return a mask (n,) of the boxes of the classes; empty classes are all."""
    if not classes:
        return np.ones(len(boxes), dtype=np.bool_)
    return np.isin(boxes.class_name, classes)


class Rules:
    """
    The rules of a dataset, in their order.

    :param random: the source of random numbers.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rules: list[Rule[Any]] = []

    def configure(self, active: tuple[RuleSettings, ...]) -> None:
        """Change the rules; the counts of a rule that keeps its name continue."""
        before = {rule.settings.name: rule for rule in self._rules}
        self._rules = [self._make(settings, before.get(settings.name)) for settings in active]

    def choose(self, result: Result, now_s: float) -> Rule[Any] | None:
        """
        Return the rule that collects a frame, if any.

        :param now_s: a monotonic clock, seconds.
        """
        fired = [rule for rule in self._rules if rule.fires(result)]
        for rule in fired:
            if rule.limits.allow(rule.settings, now_s):
                return rule
        return None

    def _make(self, settings: RuleSettings, before: Rule[Any] | None) -> Rule[Any]:
        if before is not None and before.settings == settings:
            return before
        rule = TYPES[type(settings)](settings, self._random)
        if before is not None:
            rule.limits = before.limits
        return rule
