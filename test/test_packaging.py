# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What pip installs: files, entry points and dependencies of the wheel."""

import ast
from email.parser import HeaderParser
from pathlib import Path
import re
import shutil
import subprocess
import sys
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAME = 'udp_infer_ros'
SOURCES = ('LICENSE', 'config', 'launch', 'package.xml', 'resource', 'setup.cfg', 'setup.py', NAME)

pytestmark = pytest.mark.timeout(120)


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
    ('engine', {'numpy', 'onnxruntime', 'opencv-python-headless', 'pyyaml', 'scipy',
                'supervision', 'tqdm'}),
    ('listen', {'jsonschema', 'rich'}),
    ('test', {'jsonschema', 'onnx', 'pytest', 'pytest-timeout'}),
])
def test_an_extra_brings_the_packages_for_its_purpose(metadata, extra, packages):
    assert requirements(metadata, extra) == packages


def test_the_engine_extra_names_every_package_that_the_core_imports(metadata):
    """Compare with the import statements; a module and its package may have other names."""
    package_of = {'cv2': 'opencv-python-headless', 'yaml': 'pyyaml'}
    imported = set()
    for path in (ROOT / NAME).rglob('*.py'):
        if path.relative_to(ROOT / NAME).parts[0] not in ('ros', 'listen'):
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.partition('.')[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    imported.add(node.module.partition('.')[0])
    others = imported - sys.stdlib_module_names - {NAME}
    assert {package_of.get(name, name) for name in others} == requirements(metadata, 'engine')


def test_both_commands_are_entry_points(wheel):
    [name] = [name for name in wheel.namelist() if name.endswith('/entry_points.txt')]
    assert re.findall(r'^(\w+) =', wheel.read(name).decode(), re.MULTILINE) == [
        'udp_infer', 'udp_infer_listen']


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    files = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / NAME).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts}
    assert files <= set(wheel.namelist())


@pytest.mark.parametrize('folder', ['config', 'launch'])
def test_every_file_of_a_folder_is_in_the_share_folder(wheel, folder):
    files = {path.name for path in (ROOT / folder).iterdir() if path.is_file()}
    installed = [Path(name) for name in wheel.namelist()]
    assert files == {path.name for path in installed
                     if path.parts[-4:-1] == ('share', NAME, folder)}


def test_the_manifest_is_in_the_share_folder(wheel):
    assert any(name.endswith(f'share/{NAME}/package.xml') for name in wheel.namelist())
    assert any(
        name.endswith(f'share/ament_index/resource_index/packages/{NAME}')
        for name in wheel.namelist())
