# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The parameters `dataset.*`, and those of its rules, `dataset.<rule>.*`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
import re
from typing import Any, Literal

from udp_infer_ros.errors import SettingError
from udp_infer_ros.parameter import declared_by, param, Parameter, replace_default

Annotations = Literal['coco', 'yolo']
ImageFormat = Literal['jpeg', 'png']
WhenFull = Literal['stop', 'drop_oldest']
BLUR_SCORE = 0.1
"""Boxes with a lower score are not blurred."""
LOWEST_SCORE = 0.01
"""Lower scores are noise, and would only take time."""
RuleType = Literal[
    'random', 'interval', 'close_to_threshold', 'count', 'class_seen', 'new_track', 'empty']
CLASSES = "Class names, e.g. ['bicycle']."


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """A rule that selects frames for the dataset. Its parameters are `dataset.<name>.*`."""

    name: str
    """In `dataset.rules`."""
    type: RuleType = param('random', (  # noqa: A003
        'Which frames match. random: any. interval: one per interval_s. close_to_threshold: '
        'those with uncertain boxes. count: those with more or fewer detections. class_seen: '
        'those with a detection of a class. new_track: those in which a track has its first '
        'detection. empty: those without a detection.'), change='live')
    probability: float = param(
        1.0, 'Share of the matching frames that is collected.', low=0.0, high=1.0, change='live')
    per_minute: int = param(
        0, 'Most images in any minute; 0: no limit.', low=0, high=100000, change='live')
    per_hour: int = param(
        0, 'Most images in any hour; 0: no limit.', low=0, high=100000, change='live')
    per_day: int = param(
        0, 'Most images in any 24 hours; 0: no limit.', low=0, high=1000000, change='live')
    tags: tuple[str, ...] = param(
        (), 'Texts that are stored with each image of this rule.', change='live')
    snapshot: bool = param(
        False, 'Also call dataset.snapshot_service.', change='live')

    @classmethod
    def parameters(cls) -> Mapping[str, Parameter]:
        """Return the parameters of this type of rule, by the last part of their names."""
        return declared_by(cls)


@dataclass(frozen=True, kw_only=True)
class RandomRule(RuleSettings):
    """Collects a random share of all frames."""

    type: RuleType = replace_default(RuleSettings, 'type', 'random')  # noqa: A003
    fraction: float = param(
        0.01, 'Share of the frames that matches.', low=0.0, high=1.0, change='live')


@dataclass(frozen=True, kw_only=True)
class IntervalRule(RuleSettings):
    """Collects frames at intervals."""

    type: RuleType = replace_default(RuleSettings, 'type', 'interval')  # noqa: A003
    interval_s: float = param(
        60.0, 'Least time between two images of this rule, by their stamps.', unit='s', low=0.0,
        high=86400.0, change='live')


@dataclass(frozen=True, kw_only=True)
class CloseToThresholdRule(RuleSettings):
    """Collects frames with uncertain boxes, also those below `detect.confidence`."""

    type: RuleType = replace_default(  # noqa: A003
        RuleSettings, 'type', 'close_to_threshold')
    threshold: float = param(
        0.4, 'Score of the most uncertain boxes.', low=0.0, high=1.0, change='live')
    epsilon: float = param(
        0.1, 'Boxes match if their scores differ from the threshold by less than this.', low=0.0,
        high=1.0, change='live')
    minimum_objects: int = param(
        1, 'Least number of such boxes.', low=1, high=10000, change='live')
    classes: tuple[str, ...] = param((), f'{CLASSES} Empty: all.', change='live')


@dataclass(frozen=True, kw_only=True)
class CountRule(RuleSettings):
    """Collects frames with more, or fewer, detections than a number."""

    type: RuleType = replace_default(RuleSettings, 'type', 'count')  # noqa: A003
    more_than: int = param(
        -1, 'Collect frames with more detections than this; -1: no limit.', low=-1, high=10000,
        change='live')
    less_than: int = param(
        -1, 'Collect frames with fewer detections than this; -1: no limit.', low=-1, high=10000,
        change='live')
    classes: tuple[str, ...] = param(
        (), f'Classes to count. {CLASSES} Empty: all.', change='live')


@dataclass(frozen=True, kw_only=True)
class ClassSeenRule(RuleSettings):
    """Collects frames with a detection of a class, e.g. a rare one."""

    type: RuleType = replace_default(RuleSettings, 'type', 'class_seen')  # noqa: A003
    classes: tuple[str, ...] = param((), f'{CLASSES} Empty: any.', change='live')


@dataclass(frozen=True, kw_only=True)
class NewTrackRule(RuleSettings):
    """Collects the first frame of each track."""

    type: RuleType = replace_default(RuleSettings, 'type', 'new_track')  # noqa: A003


@dataclass(frozen=True, kw_only=True)
class EmptyRule(RuleSettings):
    """Collects frames without detections."""

    type: RuleType = replace_default(RuleSettings, 'type', 'empty')  # noqa: A003


RULES: Mapping[str, type[RuleSettings]] = {
    'random': RandomRule, 'interval': IntervalRule, 'close_to_threshold': CloseToThresholdRule,
    'count': CountRule, 'class_seen': ClassSeenRule, 'new_track': NewTrackRule,
    'empty': EmptyRule}
"""The settings of a rule, by its type."""


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Collection of images with their detections, as a dataset."""

    directory: str = param('', (
        'Folder of the dataset, with one folder per day. Empty: nothing is collected.'),
        change='live')
    rules: tuple[str, ...] = param((), (
        'Names of the rules that select frames. They are applied in this order; the first that '
        'matches, and whose limits allow it, collects the frame. The parameters of a rule are '
        'dataset.<name>.type and those of its type.'), change='live')
    definitions: tuple[RuleSettings, ...] = ()
    """The rules that have parameters, by name; only those in `rules` are applied."""
    annotations: Annotations = param('coco', (
        'coco: annotations.json. yolo: also a text file per image, and data.yaml.'),
        change='live')
    image_format: ImageFormat = param('jpeg', (
        'Format of images that do not arrive as JPEG, or are changed; a JPEG that arrives is '
        'stored byte for byte.'), change='live')
    jpeg_quality: int = param(95, 'Quality of JPEG files.', low=1, high=100, change='live')
    max_image_px: int = param(0, (
        'Larger images are reduced so that their longer side has this size, and their boxes with '
        'them; 0: never.'), unit='px', low=0, high=65535, change='live')
    blur_classes: tuple[str, ...] = param((), (
        "Classes whose boxes are made unrecognizable in the stored images, e.g. ['person'], down "
        'to a score of 0.1.'), change='live')
    max_bytes: int = param(10_000_000_000, (
        'Largest size of the dataset; 0: no limit.'), unit='bytes', low=0, high=10**15,
        change='live')
    min_free_bytes: int = param(1_000_000_000, (
        'Space that stays free on the disk.'), unit='bytes', low=0, high=10**15, change='live')
    when_full: WhenFull = param('stop', (
        'When a limit is reached. stop: collect nothing more. drop_oldest: remove the oldest '
        'day, but not the current one.'), change='live')
    snapshot_service: str = param('', (
        'Service of a recorder of rosbag2 in snapshot mode, e.g. /rosbag2_recorder/snapshot, '
        'called when a rule with snapshot collects a frame. Empty: none.'), change='live')
    snapshot_delay_s: float = param(0.0, (
        'Delay of the call, so that the bag also holds what follows.'), unit='s', low=0.0,
        high=3600.0, change='live')
    snapshot_period_s: float = param(60.0, (
        'Least time between two calls.'), unit='s', low=0.0, high=86400.0, change='live')

    @property
    def active(self) -> tuple[RuleSettings, ...]:
        """Return the rules that are applied, in their order; none without a directory."""
        by_name = {rule.name: rule for rule in self.definitions}
        return tuple(by_name[name] for name in self.rules) if self.directory else ()

    @property
    def lowest_score(self) -> float | None:
        """Return the score down to which boxes are needed; None: no more than the detections."""
        scores = [
            rule.threshold - rule.epsilon for rule in self.active
            if isinstance(rule, CloseToThresholdRule)]
        if self.blur_classes and self.directory:
            scores.append(BLUR_SCORE)
        return max(min(scores), LOWEST_SCORE) if scores else None

    def with_rules(self, groups: Mapping[str, Mapping[str, object]]) -> DatasetSettings:
        """
        Return a copy with other values of rules.

        :param groups: values by the name of the rule and the last part of the parameter.
        :raises SettingError: if one is unknown or invalid, or a rule in `rules` has no type.
        """
        by_name = {rule.name: rule for rule in self.definitions}
        for name, leaves in groups.items():
            by_name[name] = _rule_with(name, by_name.get(name), leaves)
        for name in self.rules:
            if name not in by_name:
                near = get_close_matches(name, by_name, n=1)
                raise SettingError(
                    'dataset.rules', list(self.rules), f'dataset.{name}.type is not set',
                    f'did you mean {near[0]}?' if near else
                    f'set it to one of {", ".join(RULES)}')
        return replace(self, definitions=tuple(by_name.values()))


def _rule_with(
    name: str, before: RuleSettings | None, leaves: Mapping[str, object],
) -> RuleSettings:
    """Return a rule with other values; if its type changes, with those that both types have."""
    prefix = f'dataset.{name}.'
    if not re.fullmatch(r'[a-z][a-z0-9_]*', name):
        raise SettingError(
            'dataset.rules', name, 'must have lower-case letters, digits and _ only')
    if 'type' not in leaves and before is None:
        raise SettingError(f'{prefix}type', '', f'must be one of {", ".join(RULES)}')
    declared = replace(RuleSettings.parameters()['type'], name=f'{prefix}type')
    kind = RULES[str(declared.check(leaves.get('type', before.type if before else '')))]
    values: dict[str, Any] = {
        item.name: getattr(before, item.name) for item in fields(kind)
        if item.name not in ('name', 'type') and hasattr(before, item.name)}
    for leaf, value in leaves.items():
        parameter = kind.parameters().get(leaf)
        if parameter is None:
            near = get_close_matches(leaf, kind.parameters(), n=1, cutoff=0.0)
            raise SettingError(
                f'{prefix}{leaf}', value,
                f'is not a parameter of a rule of type {kind.parameters()["type"].default}',
                f'did you mean {prefix}{near[0]}?')
        # ROS parses `[]` in YAML as a parameter without a value.
        empty = value is None and parameter.kind is tuple
        values[leaf] = replace(parameter, name=f'{prefix}{leaf}').check(() if empty else value)
    return kind(name=name, **values)
