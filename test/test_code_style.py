# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Linters, licenses, words, types, and the manifest."""

from pathlib import Path
import re
import shutil
import subprocess
import sys

import numpy
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ('bench', 'dev', 'examples', 'launch', 'test', 'udp_infer_ros')
OTHER_FOLDERS = ('.github', 'config', 'docs')
FILES = sorted([ROOT / 'setup.py', *(p for name in FOLDERS for p in (ROOT / name).rglob('*.py'))])
XML = sorted([ROOT / 'package.xml', *(ROOT / 'dev').rglob('*.xml')])

SPDX = """\
# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0
"""

TEXT_SUFFIXES = {
    '', '.cfg', '.js', '.json', '.md', '.py', '.rst', '.sh', '.toml', '.txt', '.xml', '.yaml'}
NOT_CHECKED = {
    ROOT / name for name in ('LICENSE', 'dev/vision_msgs', 'test/avoided_words.txt')}
TEXTS = sorted(
    path for name in ('*', '.ci/*', *(f'{folder}/**/*' for folder in (*FOLDERS, *OTHER_FOLDERS)))
    for path in ROOT.glob(name)
    if path.is_file() and path.suffix in TEXT_SUFFIXES and '__pycache__' not in path.parts
    and not NOT_CHECKED & {path, *path.parents})
# Names of other projects that contain such a word, as they are spelled there.
ALLOWED_WORDS = ('Wants',)  # systemd


def name_of(path):
    """Return the path of a file in the repository."""
    return str(path.relative_to(ROOT))


def run(*command):
    """Run a tool in the root of the repository; fail with its errors."""
    result = subprocess.run([str(word) for word in command], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        errors, _, _ = result.stdout.partition('Checked files:')
        pytest.fail('\n'.join(line for line in errors.splitlines()
                              if not line.startswith('checking ')), pytrace=False)


@pytest.mark.parametrize('linter', ['ament_flake8', 'ament_pep257'])
def test_the_linters_of_ament_find_no_error(linter):
    pytest.importorskip(linter)
    run(sys.executable, '-c', f'import sys, {linter}.main as m; sys.exit(m.main())', *FILES)


@pytest.mark.parametrize('path', FILES, ids=name_of)
def test_a_python_file_begins_with_the_two_spdx_lines(path):
    text = path.read_text(encoding='utf-8')
    if text.startswith('#!'):
        text = text.partition('\n')[2]
    assert text.startswith(SPDX)


def test_reuse_finds_a_license_for_every_file():
    pytest.importorskip('reuse')
    run(sys.executable, '-m', 'reuse', '--root', ROOT, 'lint')


def avoided_words():
    """Return (regular expression, suggestion) for each line of test/avoided_words.txt."""
    lines = (ROOT / 'test' / 'avoided_words.txt').read_text(encoding='utf-8').splitlines()
    pairs = [re.split(' {2,}', line) for line in lines if line and not line.startswith('#')]
    return [
        (re.compile(rf'(?<![A-Za-z])(?:{words})(?![A-Za-z])', re.IGNORECASE), suggestion)
        for words, suggestion in pairs]


AVOIDED_WORDS = avoided_words()


def words_to_replace(text):
    """Return a line for each avoided word in a text: number, word, suggestion."""
    return [
        f'line {number}: {match[0]!r}; write: {suggestion}'
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern, suggestion in AVOIDED_WORDS for match in pattern.finditer(line)
        if match[0] not in ALLOWED_WORDS]


def test_no_file_contains_a_word_of_the_list():
    assert [
        f'{name_of(path)} {found}' for path in TEXTS
        for found in words_to_replace(path.read_text(encoding='utf-8'))] == []


# The words are split, because this file is checked too.
@pytest.mark.parametrize('line, count', [
    ('The frame is s' 'een.', 1), ('def test_what_is_t' 'old(): cent' 're', 2),
    ('Normali' 'sed, gr' 'ey, behavi' 'our', 3), ('"""G' 'ive the center."""', 1),
    ('The frame is processed; the center is gray.', 0), ('tellurium, broom, colors, behavior', 0),
])
def test_a_word_of_the_list_is_found_in_prose_and_in_names(line, count):
    assert len(words_to_replace(line)) == count


@pytest.mark.timeout(300)
@pytest.mark.skipif(numpy.__version__ < '2', reason='the types of NumPy 1 are too general')
def test_mypy_finds_no_error_in_the_package():
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
    output = subprocess.run(
        [sys.executable, 'setup.py', '--name', '--version'], cwd=ROOT, text=True,
        capture_output=True, check=True).stdout.split()
    assert output[-2:] == [manifest.name, manifest.version]
