# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Conversion between ROS parameters and Settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from udp_infer_ros.errors import SettingError
from udp_infer_ros.parameter import Change, Parameter, ParameterSet, suggestion, Value
from udp_infer_ros.redact import redacted
import yaml

P = TypeVar('P', bound=ParameterSet)

INT64_MAX = 2**63 - 1
OTHER_PREFIXES = ('qos_overrides.', 'diagnostic_updater.')
ADDRESSES = {
    'source.uri': 'use ${NAME}, an environment variable',
    'model.id': 'set it in a parameter file, or download the model and give its path'}
"""Parameters that may contain secrets, and what to do instead of setting one at run time."""
OTHER_NAMES = {'use_sim_time', 'start_type_description_service'}
CHANGES: Mapping[Change, str] = {
    'live': '',
    'configure': ' Changes only while the node is unconfigured.',
    'start': ' Set at the start of the process only.'}


def declare(node: Node, defaults: P) -> P:
    """
    Declare every parameter, with the overrides from launch files, YAML and the command line.

    :return: the checked values.
    :raises SettingError: for the first invalid value.
    """
    settings = given_settings(overrides(node), defaults)
    declare_missing(node, settings)
    return settings


def declare_missing(node: Node, settings: ParameterSet) -> None:
    """Declare the parameters that the node does not have yet."""
    parameters = settings.parameters()
    for name, value in settings.flat().items():
        if node.has_parameter(name):
            continue
        if name in ADDRESSES:
            # /parameter_events publishes the value.
            value = redacted(str(value))
        # declare_parameter cannot infer the type of an empty list; set_parameters has the type.
        node.declare_parameter(
            name, '', ParameterDescriptor(dynamic_typing=True), ignore_override=True)
        node.set_parameters([to_ros(parameters[name], value)])
        node.set_descriptor(name, _descriptor(parameters[name]))


def undeclare(node: Node, names: Iterable[str]) -> None:
    """Remove those of the parameters that the node has."""
    for name in names:
        if node.has_parameter(name):
            node.undeclare_parameter(name)


def given_settings(given: Mapping[str, object], defaults: P) -> P:
    """
    Return the defaults with the given values.

    :param given: values by the name of the parameter; other names are ignored.
    :raises SettingError: for the first invalid value.
    """
    parameters = defaults.parameters()
    return defaults.with_values({
        name: _override(parameters[name], value) if name in parameters else value
        for name, value in given.items() if defaults.accepts(name)})


def overrides(node: Node) -> Mapping[str, object]:
    """Return the parameter overrides by name, also those of undeclared parameters."""
    # rclpy has no public access to them. Without them, a misspelled name in a YAML file would be
    # ignored silently.
    return {name: item.value for name, item in node._parameter_overrides.items()}


def unknown(given: Iterable[str], parameters: Mapping[str, Parameter]) -> list[str]:
    """Return a warning for each name that is not a parameter, with the closest valid name."""
    return [
        f'{name} is not a parameter; {suggestion(name, parameters)}' for name in given
        if name not in parameters and name not in OTHER_NAMES
        and not name.startswith(OTHER_PREFIXES)]


def unmatched_files(words: Sequence[str], node_names: Sequence[str]) -> list[str]:
    """
    Return a warning for each parameter file that has no parameters for the nodes of this process.

    rclpy ignores such a file without a warning.

    :param words: the command line.
    :param node_names: fully qualified.
    """
    return [
        f'--params-file {path}: has no parameters for {" or ".join(node_names)}; name this node '
        'in it, or /**'
        for flag, path in zip(words, words[1:])
        if flag == '--params-file' and not any(_is_for(path, name) for name in node_names)]


def _is_for(path: str, node_name: str) -> bool:
    try:
        # Only the names matter. Other loaders reject values that rcl accepts, such as `=`.
        tree = yaml.load(Path(path).read_bytes(), Loader=yaml.BaseLoader)
    except (OSError, yaml.YAMLError):
        return True  # rcl has read the file, so there is no reason to warn.
    return any(fnmatch(node_name, name) for name in _node_names(tree))


def _node_names(tree: object, name: str = '') -> Iterator[str]:
    """Yield the names, or patterns with `*`, of the nodes in the content of a parameter file."""
    for key, value in (tree.items() if isinstance(tree, dict) else ()):
        if key == 'ros__parameters':
            yield name
        else:
            yield from _node_names(value, f'{name}/{key.strip("/")}')


def changed(settings: P, parameters: Iterable[RosParameter[Any]]) -> P:
    """
    Return the settings after a change.

    :raises SettingError: if a value is invalid, or holds a password that would be published.
    """
    values = {item.name: item.value for item in parameters if settings.accepts(item.name)}
    current = settings.flat()
    for name in values.keys() & ADDRESSES.keys():
        value = str(values[name])
        if value == redacted(str(current[name])):
            del values[name]  # The redacted value, as published, was set again.
        elif value != redacted(value):
            raise SettingError(
                name, value, 'must not contain a password or a token when set at run time, '
                'because /parameter_events publishes it', ADDRESSES[name])
    return settings.with_values(values) if values else settings


def refuse_changes(before: P, after: P, *, configured: bool) -> None:
    """
    Refuse changes that cannot take effect now.

    :param configured: whether the node is inactive or active.
    :raises SettingError: for the first of them.
    """
    old, new = before.flat(), after.flat()
    for name, parameter in after.parameters().items():
        if old.get(name) == new[name] or parameter.change == 'live':
            continue
        if parameter.change == 'start':
            raise SettingError(
                name, new[name], 'is read at the start of the process', 'restart it')
        if configured:
            raise SettingError(
                name, new[name], 'can be changed only while the node is unconfigured',
                'deactivate, cleanup, set it, then configure and activate')


def normalized(
    declared: Mapping[str, Parameter], parameters: Iterable[RosParameter[Any]],
) -> list[RosParameter[Any]]:
    """
    Convert values to the types of the parameters, e.g. 1 to 1.0.

    Invalid values are returned as they are; `changed` refuses them.
    """
    result = []
    for item in parameters:
        try:
            parameter = declared[item.name]
            result.append(to_ros(parameter, parameter.check(item.value)))
        except (KeyError, SettingError):
            result.append(item)
    return result


def _override(parameter: Parameter, value: object) -> object:
    # ROS parses `[]` in YAML as a parameter without a value.
    if value is None:
        return () if parameter.kind is tuple else parameter.default
    return value


def to_ros(parameter: Parameter, value: Value) -> RosParameter[Any]:
    """Convert a parameter to ROS, with the type of an empty list."""
    if not isinstance(value, tuple):
        return RosParameter(parameter.name, value=value)
    kind = RosParameter.Type.STRING_ARRAY if parameter.items is str else (
        RosParameter.Type.DOUBLE_ARRAY)
    return RosParameter(parameter.name, kind, list(value))


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    unit = f' [{parameter.unit}]' if parameter.unit else ''
    descriptor = ParameterDescriptor(
        description=parameter.meaning + unit + CHANGES[parameter.change],
        additional_constraints=parameter.rule, read_only=parameter.change == 'start',
        # parameter.py checks the types; its messages are better, and it accepts 1 for 1.0 and [].
        dynamic_typing=True)
    if parameter.low is not None:
        high = parameter.high
        if parameter.kind is float:
            descriptor.floating_point_range.append(FloatingPointRange(
                from_value=parameter.low, to_value=float('inf') if high is None else high))
        else:
            descriptor.integer_range.append(IntegerRange(
                from_value=int(parameter.low),
                to_value=INT64_MAX if high is None else int(high)))
    return descriptor
