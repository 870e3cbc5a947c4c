# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Imports run one way, and only ros/ knows ROS."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / 'udp_infer_ros'
ROS = ('rclpy', 'cv_bridge', 'launch', 'rcl_interfaces', 'lifecycle_msgs', 'ament_index_python')
GROUND = {'frame', 'settings', 'errors', 'stats', 'log'}
"""What every room may import; within it, only what stands left of a module in MAY_IMPORT."""
MAY_IMPORT = {
    'errors': set(),
    'log': set(),
    'stats': set(),
    'frame': {'errors'},
    'settings': {'errors'},
    'sources': GROUND,
    'detection': GROUND,
    'tracking': GROUND,
    'outputs': GROUND,
    'listen': {''},
    'pipeline': GROUND | {'detection', 'tracking'},
    'runner': GROUND | {'pipeline', 'outputs', 'sources'},
    'ros': GROUND | {'detection', 'outputs', 'pipeline', 'runner', 'sources'},
}
MODULES = sorted(PACKAGE.rglob('*.py'))


def imports_of(path):
    """Name every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path} has a relative import'
            yield node.module


def room_of(path):
    """Name the room that a file is in."""
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_rooms_below_its_own(path):
    room = room_of(path)
    for name in imports_of(path):
        head, _, rest = name.partition('.')
        if head == 'udp_infer_ros':
            other = rest.partition('.')[0]
            assert other == room or other in MAY_IMPORT[room], f'{room} imports {name}'
        elif room != 'ros':
            assert head not in ROS and not head.endswith('_msgs'), f'{room} imports {name}'


def test_every_room_has_a_rule():
    assert {room_of(path) for path in MODULES} == MAY_IMPORT.keys() | {'__init__'}


def test_the_core_can_be_imported_where_there_is_no_ros():
    names = [
        '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts) for path in MODULES
        if room_of(path) != 'ros']
    block = f'import sys; sys.modules.update(dict.fromkeys({ROS!r}))'
    subprocess.run(
        [sys.executable, '-c', f'{block}; import {", ".join(names)}'], check=True, timeout=60)


def test_the_listener_needs_the_standard_library_and_at_most_rich():
    allowed = sys.stdlib_module_names | {'udp_infer_ros', 'rich'}
    for path in (PACKAGE / 'listen').glob('*.py'):
        assert {name.partition('.')[0] for name in imports_of(path)} <= allowed


def test_the_listener_can_be_imported_without_rich():
    block = "import sys; sys.modules.update(dict.fromkeys(('rich', 'numpy', 'cv2')))"
    subprocess.run(
        [sys.executable, '-c', f'{block}; import udp_infer_ros.listen.command'], check=True,
        timeout=60)
