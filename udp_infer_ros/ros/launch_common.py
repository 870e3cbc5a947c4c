# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Functions of the launch files. They do not import launch, so tests can run without it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from udp_infer_ros.errors import SettingError
from udp_infer_ros.settings import Value

LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')


def node_keywords(
    *, namespace: str, name: str, params_file: str, overrides: Mapping[str, Value],
    image_topic: str, log_level: str,
) -> dict[str, Any]:
    """
    Return the keyword arguments of `launch_ros.actions.Node` for one udp_infer node.

    :param overrides: parameters that override those in the file.
    :param image_topic: the topic to which image_raw is remapped; empty for no remapping.
    :raises SettingError: if `params_file` does not exist.
    """
    if not Path(params_file).is_file():
        raise SettingError('params_file', params_file, 'must be the path of a YAML file')
    parts = [part.strip('/').replace('/', '.') for part in (namespace, name)]
    # Only the logger of this node: at level debug, the middleware logs many times as much.
    logger = '.'.join(part for part in parts if part)
    return {
        'package': 'udp_infer_ros',
        'executable': 'udp_infer',
        'namespace': namespace,
        'name': name,
        'output': 'screen',
        'emulate_tty': True,
        'parameters': [params_file, {
            # launch_ros rejects an empty list; settings.py reads [''] as one.
            key: (list(value) or ['']) if isinstance(value, tuple) else value
            for key, value in overrides.items()}],
        'remappings': [('image_raw', image_topic)] if image_topic else [],
        'arguments': ['--ros-args', '--log-level', f'{logger}:={log_level}'],
    }


def overrides_of(arguments: Mapping[str, str]) -> dict[str, Value]:
    """
    Return the parameters that the launch arguments set. Empty arguments set none.

    :param arguments: values of source, model, udp_targets, autostart and use_sim_time.
    """
    overrides: dict[str, Value] = {}
    for argument, parameter in (('source', 'source.uri'), ('model', 'model.id')):
        if arguments[argument]:
            overrides[parameter] = arguments[argument]
    if arguments['udp_targets']:
        overrides['udp.targets'] = tuple(
            target.strip() for target in arguments['udp_targets'].split(','))
    for switch in ('autostart', 'use_sim_time'):
        if arguments[switch]:
            overrides[switch] = arguments[switch] == 'true'
    return overrides


def camera_namespace(outer: str, camera: str) -> str:
    """Return the namespace of the node of one camera."""
    return f'{outer.strip("/")}/{camera}'.lstrip('/')
