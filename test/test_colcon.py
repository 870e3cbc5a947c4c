# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The package in a colcon workspace: installed files, executables, tests."""

import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

pytest.importorskip('colcon_core')

ROOT = Path(__file__).resolve().parent.parent
NAME = 'udp_infer_ros'

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def colcon(workspace, *arguments):
    """Run colcon and return its output; fail with the output if it fails."""
    # With ROS, also if this run of the tests hides it.
    env = {name: value for name, value in os.environ.items() if name != 'UDP_INFER_WITHOUT_ROS'}
    result = subprocess.run([sys.executable, '-m', 'colcon', '--log-base', 'log', *arguments],
                            cwd=workspace, env=env, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope='module')
def workspace(tmp_path_factory):
    """Build a workspace with a copy of the repository; return its folder."""
    workspace = tmp_path_factory.mktemp('workspace')
    ignored = shutil.ignore_patterns('build', 'install', 'log', '.*', '*.egg-info', '__pycache__')
    shutil.copytree(ROOT, workspace / 'src' / NAME, ignore=ignored)
    colcon(workspace, 'build')
    return workspace


@pytest.fixture
def prefix(workspace):
    """Return the install prefix of the package."""
    return workspace / 'install' / NAME


def test_colcon_finds_this_package_and_not_the_message_definitions(workspace):
    listed = colcon(workspace, 'list', '--names-only')
    assert listed.split() == [NAME]


def test_the_marker_and_the_manifest_are_installed(prefix):
    assert (prefix / 'share/ament_index/resource_index/packages' / NAME).is_file()
    assert (prefix / 'share' / NAME / 'package.xml').is_file()


@pytest.mark.parametrize('folder', ['config', 'launch', 'examples/launch'])
def test_every_file_of_a_folder_is_installed(prefix, folder):
    expected = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
    installed = prefix / 'share' / NAME / folder
    assert {path.name for path in installed.glob('*')} == expected


def test_models_and_schemas_are_installed_with_the_code(prefix):
    source = ROOT / NAME
    expected = {path.relative_to(source) for pattern in ('models/*', '*.json', 'py.typed')
                for path in source.glob(pattern)}
    package, = prefix.glob(f'lib/python3*/site-packages/{NAME}')
    missing = [str(path) for path in expected if not (package / path).is_file()]
    assert not missing


# An unknown ROS argument is refused after everything is imported.
@pytest.mark.parametrize(('name', 'argument', 'words'), [
    ('udp_infer', '--ros-args --no-such-argument', 'no-such-argument'),
    ('udp_infer_3d', '--ros-args --no-such-argument', 'no-such-argument'),
    ('udp_infer_dataset', '--help', 'usage'),
    ('udp_infer_listen', '--help', 'usage'),
    ('udp_infer_multi', 'cameras.yaml --ros-args --no-such-argument', 'no-such-argument'),
], ids=[
    'udp_infer', 'udp_infer_3d', 'udp_infer_dataset', 'udp_infer_listen', 'udp_infer_multi'])
def test_an_executable_is_where_ros2_run_finds_it_and_starts(workspace, name, argument, words):
    path = Path('install', NAME, 'lib', NAME, name)
    assert os.access(workspace / path, os.X_OK)
    # As a user starts it, with the workspace sourced.
    result = subprocess.run(['bash', '-c', f'source install/setup.bash && {path} {argument}'],
                            cwd=workspace, text=True, stdin=subprocess.DEVNULL, timeout=60,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert words in result.stdout
    assert 'ImportError' not in result.stdout


@pytest.mark.parametrize(('name', 'words'), [
    ('udp_infer', '--describe-model'), ('udp_infer_3d', '--ros-args'),
    ('udp_infer_dataset', 'prune'), ('udp_infer_listen', '--replay'),
    ('udp_infer_multi', 'cameras_file')])
def test_an_executable_is_on_path_in_a_sourced_workspace(workspace, name, words):
    script = f'source install/setup.bash && command -v {name} && {name} --help'
    result = subprocess.run(
        ['bash', '-c', script], cwd=workspace, text=True, stdin=subprocess.DEVNULL, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert result.stdout.startswith(str(workspace / 'install' / NAME / 'bin' / name) + '\n')
    assert result.returncode == 0 and words in result.stdout


def list_tests(*arguments, env=None):
    """Return the lines of pytest that list tests."""
    return subprocess.run(
        [sys.executable, '-m', 'pytest', '--collect-only', '-q', *arguments], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env).stdout.splitlines()


def test_no_test_has_a_name_that_colcon_cannot_read():
    listed = list_tests()
    assert any('test_no_test_has_a_name' in line for line in listed)
    assert max(map(len, listed)) < 1000


@pytest.mark.parametrize('name', ['launch_testing', 'launch_ros', 'launch_pytest'])
def test_the_pytest_plugins_of_launch_are_not_loaded(name, tmp_path):
    """They are in every ROS installation, and skip all tests if one module is skipped."""
    (tmp_path / 'fake-1.dist-info').mkdir()
    (tmp_path / 'fake-1.dist-info' / 'METADATA').write_text('Name: fake')
    (tmp_path / 'fake-1.dist-info' / 'entry_points.txt').write_text(
        f'[pytest11]\n{name} = no_such_module\n')
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    listed = list_tests('test/test_log.py', env={**os.environ, 'PYTHONPATH': path})
    assert any(line.startswith('test/test_log.py::') for line in listed), listed


def test_colcon_test_runs_the_tests_of_the_package(workspace):
    # A few fast ones: all of them would include this test.
    colcon(workspace, 'test', '--pytest-args', '-k', 'well_formed')
    assert ' 0 errors, 0 failures' in colcon(workspace, 'test-result', '--all')
