# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From `settings.PARAMETERS` to ROS parameters and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from udp_infer_ros.errors import SettingError
from udp_infer_ros.settings import Parameter, PARAMETERS, Settings, suggestion, Value
from udp_infer_ros.sources.uri import without_password

INT64_MAX = 2**63 - 1
NOT_OURS = ('qos_overrides.', 'diagnostic_updater.')
NOT_OURS_EITHER = {'use_sim_time', 'start_type_description_service'}


def declare(node: Node) -> Settings:
    """
    Declare every parameter with what the launch file, YAML or command line says.

    :return: the values, checked.
    :raises SettingError: for the first value that cannot be had.
    """
    given = overrides(node)
    settings = Settings().with_values(
        {name: _given(PARAMETERS[name], given[name]) for name in PARAMETERS if name in given})
    for name, value in settings.flat().items():
        if name == 'source.uri':
            # Whoever listens to /parameter_events must not learn a password.
            value = without_password(settings.source.uri)
        # A list may be empty, and then rclpy has to be told of what: only setting it can do that.
        node.declare_parameter(
            name, '', ParameterDescriptor(dynamic_typing=True), ignore_override=True)
        node.set_parameters([_to_ros(name, value)])
        node.set_descriptor(name, _descriptor(PARAMETERS[name]))
    return settings


def overrides(node: Node) -> Mapping[str, object]:
    """Tell the values that were given from outside, known names or not."""
    # rclpy keeps them to itself, on every distribution alike; without them a misspelled name in
    # a YAML file would go unnoticed.
    return {name: item.value for name, item in node._parameter_overrides.items()}


def unknown(given: Iterable[str]) -> list[str]:
    """Say which of the names given are not parameters, each with the nearest that is."""
    return [
        f'{name} is not a parameter, {suggestion(name)}' for name in given
        if name not in PARAMETERS and name not in NOT_OURS_EITHER
        and not name.startswith(NOT_OURS)]


def changed(settings: Settings, parameters: Iterable[RosParameter]) -> Settings:
    """
    Give the settings after a change.

    :raises SettingError: if a value cannot be had.
    """
    values = {item.name: item.value for item in parameters if item.name in PARAMETERS}
    return settings.with_values(values) if values else settings


def normalised(parameters: Iterable[RosParameter]) -> list[RosParameter]:
    """
    Bring values to the types that the parameters have, so that 1 is stored as 1.0.

    What cannot be had is left as it is, for `changed` to refuse.
    """
    result = []
    for item in parameters:
        try:
            result.append(_to_ros(item.name, PARAMETERS[item.name].check(item.value)))
        except (KeyError, SettingError):
            result.append(item)
    return result


def _given(parameter: Parameter, value: object) -> object:
    # ROS reads `[]` in YAML as no value.
    if value is None:
        return () if parameter.kind is tuple else parameter.default
    return value


def _to_ros(name: str, value: Value) -> RosParameter:
    parameter = PARAMETERS[name]
    if parameter.kind is not tuple:
        return RosParameter(name, value=value)
    kind = RosParameter.Type.STRING_ARRAY if parameter.items is str else (
        RosParameter.Type.DOUBLE_ARRAY)
    return RosParameter(name, kind, list(value))  # type: ignore[arg-type]


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        description=parameter.meaning + (f' [{parameter.unit}]' if parameter.unit else '')
        + ('' if parameter.live else ' Set at start-up only.'),
        additional_constraints=parameter.rule, read_only=not parameter.live,
        # settings.py checks types itself, with better words, and takes 1 for 1.0 and [] for an
        # empty list, for which rclpy would have to guess a type.
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
