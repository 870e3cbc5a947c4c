# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The wheel and the manifest: files, entry points and dependencies."""

import ast
from email.parser import HeaderParser
from pathlib import Path
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAME = 'udp_infer_ros'
KEYS = {
    'PIL': 'python3-pil', 'cv2': 'python3-opencv', 'hypothesis': 'python3-hypothesis',
    'jsonschema': 'python3-jsonschema',
    'numpy': 'python3-numpy',
    'onnxruntime': 'python3-onnxruntime-pip', 'pytest': 'python3-pytest',
    'scipy': 'python3-scipy', 'supervision': 'python3-supervision-pip', 'tqdm': 'python3-tqdm',
    'yaml': 'python3-yaml'}
"""The rosdep keys of modules; a ROS package is its own key."""
OPTIONAL = {
    'aiohttp', 'catkin_pkg', 'colcon_core', 'foxglove_msgs', 'grpc', 'mypy', 'onnx', 'playwright',
    'reuse', 'rich', 'tritonclient', 'visualization_msgs'}
"""Modules without which a feature is unavailable, or a test is skipped."""
SOURCES = ('LICENSE', 'config', 'examples', 'launch', 'package.xml', 'resource', 'setup.cfg',
           'setup.py', NAME)

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the sources, and open it."""
    pytest.importorskip('wheel')
    folder = tmp_path_factory.mktemp('wheel')
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / 'src' / name, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            (folder / 'src').mkdir(exist_ok=True)
            shutil.copy2(ROOT / name, folder / 'src' / name)
    result = subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation',
         '--disable-pip-version-check', '--wheel-dir', folder, folder / 'src'],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout
    [path] = folder.glob('*.whl')
    with ZipFile(path) as archive:
        yield archive


@pytest.fixture
def metadata(wheel):
    """Read the metadata of the wheel."""
    [name] = [name for name in wheel.namelist() if name.endswith('.dist-info/METADATA')]
    return HeaderParser().parsestr(wheel.read(name).decode())


def requirements(metadata, extra):
    """Return the names of the packages that an extra requires; '' for a plain install."""
    found = set()
    for line in metadata.get_all('Requires-Dist'):
        name, _, marker = line.partition(';')
        of = re.search(r'extra == ["\'](\w+)["\']', marker)
        if (of[1] if of else '') == extra:
            found.add(name.strip().lower())
    return found


def test_a_plain_install_brings_no_numpy_and_no_opencv(metadata):
    assert requirements(metadata, '') == {'setuptools'}


@pytest.mark.parametrize('extra, packages', [
    ('engine', {'numpy', 'onnxruntime', 'opencv-python-headless', 'pillow', 'pyyaml',
                'supervision', 'tqdm'}),
    ('listen', {'jsonschema', 'rich'}),
    ('web', {'aiohttp'}),
    ('test', {'jsonschema', 'onnx', 'pytest', 'pytest-timeout', 'scipy'}),
])
def test_an_extra_brings_the_packages_for_its_purpose(metadata, extra, packages):
    assert requirements(metadata, extra) == packages


def modules_imported_by(paths):
    """Return the names of the modules of others that files import, wherever in the file."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.partition('.')[0])
    folders = (ROOT / 'test', ROOT / 'bench')
    local = {path.stem for folder in folders for path in folder.rglob('*.py')}
    return found - sys.stdlib_module_names - local - {'fuzz', 'sources', NAME}


def test_the_engine_extra_names_every_package_that_the_core_imports(metadata):
    names = {'PIL': 'pillow', 'cv2': 'opencv-python-headless', 'yaml': 'pyyaml'}
    imported = modules_imported_by(
        path for path in (ROOT / NAME).rglob('*.py')
        if path.relative_to(ROOT / NAME).parts[0] not in ('ros', 'listen'))
    server = {'grpc', 'tritonclient'}
    assert {names.get(name, name) for name in imported - server} == (
        requirements(metadata, 'engine'))
    assert requirements(metadata, 'server') == {'tritonclient[grpc]'}


@pytest.mark.parametrize('folders, tags', [
    ((NAME, 'launch'), ['exec_depend']), (('test',), ['exec_depend', 'test_depend'])],
    ids=['package', 'tests'])
def test_package_xml_names_every_package_that_is_imported(folders, tags):
    manifest = ElementTree.parse(ROOT / 'package.xml')
    named = {element.text for tag in tags for element in manifest.iterfind(tag)}
    imported = modules_imported_by(
        path for folder in folders for path in (ROOT / folder).rglob('*.py'))
    assert {KEYS.get(name, name) for name in imported - OPTIONAL} <= named


def test_no_test_module_needs_an_optional_package_to_be_collected():
    for path in (ROOT / 'test').rglob('*.py'):
        body = ast.parse(path.read_text(encoding='utf-8')).body
        names = {alias.name for node in body if isinstance(node, ast.Import)
                 for alias in node.names}
        names |= {node.module for node in body if isinstance(node, ast.ImportFrom)}
        assert not {name.partition('.')[0] for name in names} & OPTIONAL, path


def test_no_test_module_imports_launch_which_changes_the_loggers_of_its_process():
    for path in (ROOT / 'test').rglob('*.py'):
        assert not {'launch', 'launch_ros'} & modules_imported_by([path]), path


def test_package_xml_names_the_pytest_plugin_that_pyproject_configures():
    assert 'timeout = ' in (ROOT / 'pyproject.toml').read_text(encoding='utf-8')
    assert 'python3-pytest-timeout' in (ROOT / 'package.xml').read_text(encoding='utf-8')


def test_the_commands_are_entry_points(wheel):
    [name] = [name for name in wheel.namelist() if name.endswith('/entry_points.txt')]
    assert re.findall(r'^(\w+) =', wheel.read(name).decode(), re.MULTILINE) == [
        'udp_infer', 'udp_infer_3d', 'udp_infer_dataset', 'udp_infer_listen', 'udp_infer_multi']


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    files = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / NAME).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts}
    assert files <= set(wheel.namelist())


@pytest.mark.parametrize('folder', ['config', 'launch', 'examples/launch'])
def test_every_file_of_a_folder_is_in_the_share_folder(wheel, folder):
    files = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
    share = f'share/{NAME}/{folder}'
    assert files == {Path(name).name for name in wheel.namelist()
                     if Path(name).parent.as_posix().endswith(share)}


def test_a_wheel_has_no_script_beside_those_of_its_entry_points(wheel):
    assert not [name for name in wheel.namelist() if '/bin/' in name or '/scripts/' in name]


def test_the_manifest_is_in_the_share_folder(wheel):
    assert any(name.endswith(f'share/{NAME}/package.xml') for name in wheel.namelist())
    assert any(
        name.endswith(f'share/ament_index/resource_index/packages/{NAME}')
        for name in wheel.namelist())
