# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The code looks as ROS 2 wants it, says whose it is, and its types fit together."""

from pathlib import Path
import shutil
import subprocess
import sys

import numpy
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ('bench', 'dev', 'launch', 'test', 'udp_infer_ros')
FILES = sorted([ROOT / 'setup.py', *(p for name in FOLDERS for p in (ROOT / name).rglob('*.py'))])
XML = sorted([ROOT / 'package.xml', *(ROOT / 'dev').rglob('*.xml')])

# What ament_copyright accepts for Apache-2.0.
HEADER = """\
# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""


def name_of(path):
    """Name a file as a reader of the repository would."""
    return str(path.relative_to(ROOT))


def run(*command):
    """Run a tool from the repository's root and fail with what it says of faults."""
    result = subprocess.run([str(word) for word in command], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        faults, _, _ = result.stdout.partition('Checked files:')
        pytest.fail('\n'.join(line for line in faults.splitlines()
                              if not line.startswith('checking ')), pytrace=False)


@pytest.mark.parametrize('linter', ['ament_flake8', 'ament_pep257'])
def test_a_linter_of_ament_finds_nothing(linter):
    pytest.importorskip(linter)
    run(sys.executable, '-c', f'import sys, {linter}.main as m; sys.exit(m.main())', *FILES)


@pytest.mark.parametrize('path', FILES, ids=name_of)
def test_a_python_file_has_the_licence_header_or_is_empty(path):
    text = path.read_text()
    if text.startswith('#!'):
        text = text.partition('\n')[2]
    assert not text or text.startswith(HEADER)


@pytest.mark.timeout(300)
@pytest.mark.skipif(numpy.__version__ < '2', reason='the types that NumPy 1 tells are too coarse')
def test_mypy_finds_nothing_in_the_core():
    pytest.importorskip('mypy')
    run(sys.executable, '-m', 'mypy')


@pytest.mark.parametrize('path', XML, ids=name_of)
def test_an_xml_file_is_well_formed(path):
    from xml.etree import ElementTree
    ElementTree.parse(path)
    if shutil.which('xmllint'):
        run('xmllint', '--noout', '--nonet', path)


def test_package_xml_is_a_valid_manifest():
    package = pytest.importorskip('catkin_pkg.package')
    warnings = []
    manifest = package.parse_package(ROOT / 'package.xml', warnings=warnings)
    manifest.validate(warnings=warnings)
    assert not warnings
    assert manifest.get_build_type() == 'ament_python'


def test_package_xml_and_setup_py_agree():
    package = pytest.importorskip('catkin_pkg.package')
    manifest = package.parse_package(ROOT / 'package.xml')
    told = subprocess.run([sys.executable, 'setup.py', '--name', '--version'], cwd=ROOT, text=True,
                          capture_output=True, check=True).stdout.split()
    assert told[-2:] == [manifest.name, manifest.version]
