# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Imports run one way, and only ros/ imports ROS."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / 'udp_infer_ros'
ROS = ('rclpy', 'cv_bridge', 'launch', 'rcl_interfaces', 'lifecycle_msgs', 'ament_index_python')
GROUND = {
    'boxes', 'dataset_settings', 'environment', 'errors', 'frame', 'health', 'log', 'model_info',
    'parameter', 'redact', 'settings', 'stats', 'threads', 'wording'}
"""What every part may import."""
MAY_IMPORT = {
    'boxes': set(),
    'environment': {'errors', 'redact'},
    'errors': {'redact'},
    'health': set(),
    'log': set(),
    'model_info': {'wording'},
    'redact': set(),
    'stats': {'errors'},
    'threads': set(),
    'wording': set(),
    'frame': {'boxes', 'errors'},
    'parameter': {'errors'},
    'dataset_settings': {'errors', 'parameter'},
    'settings': {'dataset_settings', 'errors', 'parameter'},
    'sources': GROUND,
    'detection': GROUND,
    'tracking': GROUND,
    'outputs': GROUND,
    'positions': GROUND,
    'standard_streams': set(),
    'listen': {'standard_streams'},
    'pipeline': GROUND | {'detection', 'tracking'},
    'worker': GROUND | {'pipeline', 'outputs', 'sources'},
    'engine': GROUND | {'worker', 'pipeline', 'detection', 'outputs', 'sources'},
    'dataset': GROUND | {'outputs', 'standard_streams'},
    'ros': GROUND | {
        'engine', 'detection', 'outputs', 'positions', 'sources', 'standard_streams'},
}
NEEDS_AIOHTTP = PACKAGE / 'listen' / 'web' / 'server.py'
MODULES = sorted(PACKAGE.rglob('*.py'))


def imports_of(path):
    """Yield the name of every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path} has a relative import'
            yield node.module


def part_of(path):
    """Return the top-level module or folder of a file."""
    return path.relative_to(PACKAGE).with_suffix('').parts[0]


def run_python(code):
    """Run code in a fresh interpreter; fail if it fails."""
    subprocess.run([sys.executable, '-c', code], check=True, cwd=PACKAGE.parent, timeout=60)


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_the_parts_that_its_own_may_import(path):
    part = part_of(path)
    for name in imports_of(path):
        head, _, rest = name.partition('.')
        if head == 'udp_infer_ros' and rest:
            other = rest.partition('.')[0]
            assert other == part or other in MAY_IMPORT[part], f'{part} imports {name}'
        elif part != 'ros':
            assert head not in ROS and not head.endswith('_msgs'), f'{part} imports {name}'


def test_every_part_has_a_rule():
    assert {part_of(path) for path in MODULES} == MAY_IMPORT.keys() | {'__init__'}


def test_the_core_can_be_imported_without_ros():
    names = [
        '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts) for path in MODULES
        if part_of(path) != 'ros' and path != NEEDS_AIOHTTP]
    run_python(
        f'import sys; sys.modules.update(dict.fromkeys({ROS!r})); import {", ".join(names)}')


def test_the_executable_handles_signals_before_it_imports_anything_else():
    run_python(
        'import sys; before = set(sys.modules); import udp_infer_ros.ros.main; '
        'new = {name.partition(".")[0] for name in set(sys.modules) - before}; '
        'assert new - sys.stdlib_module_names == {"udp_infer_ros"}, new')


def test_the_listener_needs_the_standard_library_and_at_most_rich_and_jsonschema():
    allowed = sys.stdlib_module_names | {'udp_infer_ros', 'rich', 'jsonschema'}
    for path in (PACKAGE / 'listen').rglob('*.py'):
        others = {name.partition('.')[0] for name in imports_of(path)} - allowed
        assert others <= ({'aiohttp'} if path == NEEDS_AIOHTTP else set())


def test_the_listener_can_be_imported_with_the_standard_library_alone():
    run_python(
        "import sys; sys.modules.update(dict.fromkeys(('rich', 'jsonschema', 'numpy', 'cv2'))); "
        'import udp_infer_ros.listen.command')
