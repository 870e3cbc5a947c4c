# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Functions of the launch files. Most do not import launch, so tests can run without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import os.path
from typing import Any

from udp_infer_ros.errors import SettingError
from udp_infer_ros.parameter import Value

LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
RESPAWN_DELAY_S = 2.0
ARGUMENTS = {
    'source': 'source.uri', 'loop': 'source.loop', 'realtime': 'source.realtime',
    'model': 'model.id', 'udp_targets': 'udp.targets', 'autostart': 'autostart',
    'use_sim_time': 'use_sim_time'}
"""The parameter that a launch argument sets."""
SWITCHES = ('loop', 'realtime', 'autostart', 'use_sim_time')


def node_keywords(
    *, pushed_namespace: str, namespace: str, name: str, params_file: str,
    overrides: Mapping[str, Value], image_topic: str, log_level: str, required: bool,
    respawn: bool, executable: str = 'udp_infer', topics: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """
    Return the keyword arguments of `launch_ros.actions.Node` for one node of this package.

    :param pushed_namespace: the namespace of PushRosNamespace; it applies if `namespace` is
        relative.
    :param params_file: a YAML file with parameters; empty for none.
    :param overrides: parameters that override those in the file.
    :param image_topic: the topic to which image_raw is remapped; empty for no remapping.
    :param required: shut the launch down when the node exits.
    :param respawn: restart the node when it exits.
    :param topics: more topics by the name that is remapped to them; empty for no remapping.
    :raises SettingError: if `params_file` does not exist, or arguments exclude each other.
    """
    if image_topic and overrides.get('source.uri'):
        raise SettingError(
            'image', image_topic, 'must be empty if source is set',
            'remove image, or remove source to subscribe to the topic')
    return {
        **_process_keywords(params_file, overrides, required=required, respawn=respawn),
        'executable': executable,
        'namespace': namespace,
        'name': name,
        'remappings': [
            (name, topic) for name, topic in {'image_raw': image_topic, **(topics or {})}.items()
            if topic],
        'arguments': _log_arguments([logger_name(pushed_namespace, namespace, name)], log_level),
    }


def multi_keywords(
    *, cameras_file: str, cameras: Sequence[str], pushed_namespace: str, namespace: str,
    params_file: str, overrides: Mapping[str, Value], log_level: str, required: bool,
    respawn: bool,
) -> dict[str, Any]:
    """
    Return the keyword arguments of `launch_ros.actions.Node` for one process with all cameras.

    :param cameras_file: the list of cameras.
    :param cameras: their names.

    The others are those of `node_keywords`.
    """
    loggers = [
        logger_name(pushed_namespace, camera_namespace(namespace, camera), 'udp_infer')
        for camera in cameras]
    return {
        **_process_keywords(params_file, overrides, required=required, respawn=respawn),
        'executable': 'udp_infer_multi',
        'namespace': namespace,
        'arguments': [os.path.expanduser(cameras_file), *_log_arguments(loggers, log_level)],
    }


def _log_arguments(loggers: Sequence[str], log_level: str) -> list[str]:
    # Only the loggers of the nodes: at level debug, the middleware logs many times as much.
    return ['--ros-args', *(
        word for logger in loggers for word in ('--log-level', f'{logger}:={log_level}'))]


def _process_keywords(
    params_file: str, overrides: Mapping[str, Value], *, required: bool, respawn: bool,
) -> dict[str, Any]:
    """Return the keyword arguments that do not depend on the executable."""
    if required and respawn:
        raise SettingError('respawn', True, 'excludes required', 'set only one of them')
    parameters: list[Any] = []
    if params_file:
        parameters.append(checked_file('params_file', params_file))
    if overrides:
        parameters.append({
            # launch_ros rejects an empty list; parameter.py reads [''] as one.
            key: (list(value) or ['']) if isinstance(value, tuple) else value
            for key, value in overrides.items()})
    keywords: dict[str, Any] = {
        'package': 'udp_infer_ros',
        'output': 'screen',
        'emulate_tty': True,
        'parameters': parameters,
        'respawn': respawn,
        'respawn_delay': RESPAWN_DELAY_S,
    }
    if required:
        keywords['on_exit'] = end_launch
    return keywords


def end_launch(event: Any, _context: Any) -> Any:
    """
    Return the action that shuts a launch down after its required node exited.

    :param event: the `ProcessExited` event.
    :raises RuntimeError: if the node failed. launch then shuts down with exit code 1; the action
        alone would end it with 0.
    """
    text = f'required {event.process_name} exited with code {event.returncode}'
    if event.returncode:
        raise RuntimeError(text)
    from launch.actions import Shutdown
    return Shutdown(reason=text)


def checked_file(argument: str, path: str) -> str:
    """
    Return the path of a file, with ~ expanded.

    :raises SettingError: if it does not exist.
    """
    expanded = os.path.expanduser(path)
    if not os.path.isfile(expanded):
        raise SettingError(argument, path, 'must be the path of a YAML file')
    return expanded


def logger_name(pushed_namespace: str, namespace: str, name: str) -> str:
    """Return the name of the logger of a node, e.g. `robot.front.udp_infer`."""
    spaces = [namespace] if namespace.startswith('/') else [pushed_namespace, namespace]
    parts = (part.strip('/').replace('/', '.') for part in (*spaces, name))
    return '.'.join(part for part in parts if part)


def overrides_of(arguments: Mapping[str, str]) -> dict[str, Value]:
    """
    Return the parameters that launch arguments set. Empty arguments set none.

    :param arguments: values by the keys of `ARGUMENTS`.
    """
    overrides: dict[str, Value] = {}
    for name, text in arguments.items():
        if name in SWITCHES and text:
            overrides[ARGUMENTS[name]] = text == 'true'
        elif name == 'udp_targets' and text:
            overrides[ARGUMENTS[name]] = tuple(target.strip() for target in text.split(','))
        elif text:
            overrides[ARGUMENTS[name]] = text
    return overrides


def camera_namespace(outer: str, camera: str) -> str:
    """
    Return the namespace of the node of one camera.

    It is absolute if `outer` is; otherwise PushRosNamespace applies to it.
    """
    return f'{outer.rstrip("/")}/{camera}' if outer else camera
