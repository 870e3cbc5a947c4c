# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The list of cameras of `udp_infer_multi.launch.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
import re

from udp_infer_ros.errors import SettingError
from udp_infer_ros.parameter import Value
from udp_infer_ros.settings import Settings
import yaml

KEYS = ('name', 'topic', 'uri', 'parameters')
NAMESPACE = r'[A-Za-z]\w*(/[A-Za-z]\w*)*'
TOPIC = r'(~?/)?[A-Za-z_{][\w{}]*(/[A-Za-z_{][\w{}]*)*'
"""Names that ROS accepts, with substitutions such as {ns} in that of a topic."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One camera and the parameters of its node."""

    name: str
    """The namespace of the node: `front` publishes on /front/udp_infer/detections."""
    topic: str
    """An image topic, or empty."""
    parameters: Mapping[str, Value]
    """The parameters that the list sets, including `source.uri`."""


def read_cameras(path: str | Path) -> tuple[Camera, ...]:
    """
    Read and check a list of cameras.

    :param path: a YAML file with a list `cameras`. Each entry has a name, either a topic or a
        uri, and optionally parameters of the node, dotted or nested.
    :raises SettingError: if the path is empty, the file cannot be read, or an entry or a
        parameter is invalid.
    """
    if not path:
        raise SettingError(
            'cameras_file', path, 'must be the path of a YAML file with a list of cameras',
            'copy share/udp_infer_ros/config/udp_infer_multi.yaml and edit it')
    try:
        content = yaml.safe_load(Path(path).expanduser().read_text(encoding='utf-8'))
    # ValueError: an invalid date, or not UTF-8. RuntimeError: no such user, or too many levels.
    except (OSError, ValueError, RuntimeError, yaml.YAMLError) as error:
        raise SettingError('cameras_file', str(path), f'cannot be read: {error}') from error
    items = content.get('cameras') if isinstance(content, dict) else None
    if not isinstance(items, list) or not items:
        raise SettingError('cameras_file', str(path), 'must have a list named cameras')
    cameras = tuple(_camera(f'cameras[{i}]', item) for i, item in enumerate(items))
    names = [camera.name for camera in cameras]
    for name in names:
        if names.count(name) > 1:
            raise SettingError('name', name, 'must be unique; two cameras have it')
    return cameras


def _camera(where: str, item: object) -> Camera:
    if not isinstance(item, dict):
        raise SettingError(where, item, f'must have the keys {", ".join(KEYS)}')
    for key in item:
        if key not in KEYS:
            raise SettingError(
                f'{where}.{key}', item[key], f'no such key; the keys are {", ".join(KEYS)}')
    name = item.get('name')
    if not isinstance(name, str) or not re.fullmatch(NAMESPACE, name, re.ASCII):
        raise SettingError(
            f'{where}.name', name, 'must be letters, digits and _, starting with a letter')
    topic, uri = item.get('topic'), item.get('uri')
    if (topic is None) == (uri is None):
        raise SettingError(where, name, 'must have either a topic or a uri')
    if topic is not None and not re.fullmatch(TOPIC, str(topic), re.ASCII):
        raise SettingError(
            f'{where}.topic', topic, 'must be the name of a topic, e.g. /front/image_raw')
    values = dict(_flatten(item.get('parameters') or {}))
    if topic is not None and values.get('source.uri'):
        raise SettingError(
            where, name, 'must have either a topic or source.uri', 'remove one of them')
    if uri is not None:
        values = {
            'source.uri': uri, 'source.frame_id': f'{name.replace("/", "_")}_optical_frame',
            **values}
    try:
        checked = Settings().with_values(values).flat()
    except SettingError as error:
        raise SettingError(
            f'{where}.{error.name}', error.value, error.rule, error.remedy) from None
    return Camera(
        name=name, topic=str(topic or ''), parameters={key: checked[key] for key in values})


def _flatten(tree: object, prefix: str = '') -> list[tuple[str, object]]:
    if not isinstance(tree, dict):
        return [(prefix.rstrip('.'), tree)]
    return [pair for key, value in tree.items() for pair in _flatten(value, f'{prefix}{key}.')]
