# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The declaration of parameters: type, default, range, unit, description, time of change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from functools import cache
import math
import re
from typing import Any, cast, get_args, get_origin, get_type_hints, Literal, TypeVar

from udp_infer_ros.errors import SettingError

Scalar = bool | int | float | str
Value = Scalar | tuple[str, ...] | tuple[float, ...]
T = TypeVar('T')

Change = Literal['live', 'configure', 'start']
"""
When a change of a parameter takes effect.

live: before the next frame. configure: at the next configure, so it is accepted only while the
node is unconfigured. start: at the start of the process.
"""
FAMILY_OF_YOLO = {
    '7': 'yolov5', '8': 'yolo', '9': 'yolo', '10': 'end2end', '11': 'yolo', '12': 'yolo',
    '26': 'end2end'}
"""The family of the usual exports of a version of YOLO; only suggested, because exports differ."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """The declaration of one parameter."""

    name: str
    """Dotted, e.g. `detect.confidence`."""
    kind: type
    """bool, int, float, str, or tuple for a list."""
    items: type = str
    """Element type of a list: str or float."""
    default: Value
    meaning: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    change: Change = 'configure'

    @property
    def rule(self) -> str:
        """Return the rule for valid values, as in errors: `must be …`."""
        if self.choices:
            return 'must be one of ' + ', '.join(self.choices)
        noun = {
            bool: 'true or false', int: 'a whole number', float: 'a number',
            str: 'text', tuple: 'a list of ' + ('text' if self.items is str else 'numbers'),
        }[self.kind]
        if self.low is not None and self.high is not None:
            return f'must be {noun} from {self.low:g} to {self.high:g}'
        if self.low is not None:
            return f'must be {noun}, {self.low:g} or more'
        return f'must be {noun}'

    def check(self, value: object) -> Value:
        """
        Convert a value from YAML or the command line to the type of this parameter.

        An integer is also accepted for a float and for text (a device index, a class index),
        because YAML infers the type from the spelling.

        :raises SettingError: if the value has another type or is out of range.
        """
        converted = self._convert(value)
        if converted is None:
            a_list = self.kind is tuple and isinstance(value, str)
            raise self._refusal(value, _as_list(self.name, str(value)) if a_list else '')
        if self.choices and converted not in self.choices:
            near = _nearest(str(converted), self.choices)
            raise self._refusal(value, f'did you mean {near}?' if near else '')
        if isinstance(converted, (int, float)) and not self._in_range(converted):
            raise self._refusal(value)
        return converted

    def _in_range(self, value: float) -> bool:
        finite = isinstance(value, int) or math.isfinite(value)
        return isinstance(value, bool) or finite and (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high))

    def _convert(self, value: object) -> Value | None:
        if self.kind is tuple:
            if isinstance(value, (str, bytes)) or not hasattr(value, '__iter__'):
                return None
            items = list(value)
            return _texts(items) if self.items is str else _numbers(items)
        if self.kind is str:
            return _text(value)
        if isinstance(value, bool) or self.kind is bool:
            return value if isinstance(value, bool) and self.kind is bool else None
        if self.kind is float and isinstance(value, (int, float)):
            return _float(value)
        return value if isinstance(value, int) else None

    def _refusal(self, value: object, remedy: str = '') -> SettingError:
        default = list(self.default) if isinstance(self.default, tuple) else self.default
        return SettingError(
            self.name, value, self.rule, remedy or f'the default is {default!r}')


def _nearest(text: str, choices: Sequence[str]) -> str:
    """Return the choice that another text probably means; empty if there is none."""
    version = re.fullmatch(r'yolo[-_]?v?([0-9]+)[-_]?[a-z]?', text.lower())
    if version and (family := FAMILY_OF_YOLO.get(version[1])) in choices:
        return str(family)
    near = get_close_matches(text, choices, n=1)
    return near[0] if near else ''


def _as_list(name: str, text: str) -> str:
    items = [item.strip(' "\'') for item in text.strip('[] ').split(',')]
    return f'write {items}, in a shell -p "{name}:={items}"'


def _texts(values: list[object]) -> tuple[str, ...] | None:
    items = [_text(value) for value in values]
    # Launch files cannot contain an empty list, so a list of one empty text is read as one.
    return None if None in items else tuple(item for item in items if item)


def _numbers(values: list[object]) -> tuple[float, ...] | None:
    numbers = [
        _float(value) for value in values
        if isinstance(value, (int, float)) and not isinstance(value, bool)]
    items = tuple(number for number in numbers if number is not None and math.isfinite(number))
    return items if len(items) == len(values) else None


def _float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value)


def param(
    default: T, meaning: str, *, unit: str = '', low: float | None = None,
    high: float | None = None, change: Change = 'configure',
) -> T:
    """Declare a parameter as a dataclass field; the annotation has its type and choices."""
    declared: T = field(default=default, metadata={'declared': {
        'meaning': meaning, 'unit': unit, 'low': low, 'high': high, 'change': change}})
    return declared


def replace_default(cls: type, name: str, default: T) -> T:
    """Declare a parameter as in a base class, with another default."""
    [declared] = [item.metadata['declared'] for item in fields(cls) if item.name == name]
    return field(default=default, metadata={'declared': declared})


P = TypeVar('P', bound='ParameterSet')


@dataclass(frozen=True, kw_only=True)
class ParameterSet:
    """
    Base class of the parameters of a node: its fields are parameters, or groups of them.

    Only `with_values` checks values.
    """

    def parameters(self) -> Mapping[str, Parameter]:
        """Return every parameter by its dotted name."""
        return declared_by(type(self))

    def accepts(self, name: str) -> bool:
        """Return whether `with_values` accepts a name, or refuses it with a better reason."""
        return name in self.parameters()

    def with_values(self: P, values: Mapping[str, object]) -> P:
        """
        Return a copy in which some parameters have other values.

        :param values: values from ROS or YAML, by dotted name.
        :raises SettingError: if a name is unknown, or a value or a combination is invalid.
        """
        parameters = declared_by(type(self))
        changes: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            if name not in parameters:
                raise SettingError(
                    name, value, 'is not a parameter', suggestion(name, parameters))
            group, _, leaf = name.rpartition('.')
            changes.setdefault(group, {})[leaf] = parameters[name].check(value)
        changed = _replaced(self, changes.pop('', {}))
        for group, leaves in changes.items():
            changed = replace(
                changed, **{group: _replaced(getattr(changed, group), leaves)})
        return changed

    def flat(self) -> dict[str, Value]:
        """Return the value of every parameter by its dotted name."""
        values: dict[str, Value] = {}
        for name in declared_by(type(self)):
            group, _, leaf = name.rpartition('.')
            values[name] = getattr(getattr(self, group) if group else self, leaf)
        return values


def _replaced(part: T, leaves: Mapping[str, object]) -> T:
    """Return a copy of a set or group with other values, after its own check of them."""
    changed: T = replace(part, **leaves)  # type: ignore[type-var]
    if hasattr(changed, 'validate'):
        changed.validate()
    return changed


def declared_by(cls: type) -> Mapping[str, Parameter]:
    """Return the parameters that the fields of a class declare, by their dotted names."""
    # mypy takes the __hash__ of instances for that of the class.
    key: Any = cls
    return _declared_once(key)


@cache
def _declared_once(cls: type) -> Mapping[str, Parameter]:
    return {item.name: item for item in _walk(cls)}


def _walk(cls: type, prefix: str = '') -> Iterator[Parameter]:
    hints = get_type_hints(cls)
    for item in fields(cls):
        hint = hints[item.name]
        if not is_dataclass(hint) and 'declared' not in item.metadata:
            continue
        if is_dataclass(hint):
            assert isinstance(hint, type)
            yield from _walk(hint, f'{prefix}{item.name}.')
            continue
        kind, items, choices = _type_of(hint)
        yield Parameter(
            name=prefix + item.name, kind=kind, items=items, choices=choices,
            default=cast(Value, item.default), **item.metadata['declared'])


def _type_of(hint: Any) -> tuple[type, type, tuple[str, ...]]:
    """Return the type, the element type and the choices of an annotation."""
    if get_origin(hint) is tuple:
        return tuple, get_args(hint)[0], ()
    choices = tuple(_literals(hint))
    return (str if choices else hint), str, choices


def _literals(hint: Any) -> Iterator[str]:
    for argument in get_args(hint):
        if isinstance(argument, str):
            yield argument
        else:
            yield from _literals(argument)


def suggestion(name: str, parameters: Iterable[str]) -> str:
    """Return `did you mean …?` with the valid name that is closest to an unknown one."""
    near = get_close_matches(name, parameters, n=1, cutoff=0.0)
    return f'did you mean {near[0]}?'
