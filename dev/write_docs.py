# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Write config/udp_infer.yaml and the tables of the README from settings.py and families/.

    python dev/write_docs.py

A test compares the files with the output of this script.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
import textwrap

from udp_infer_ros.detection.families import FAMILIES
from udp_infer_ros.settings import Change, Parameter, PARAMETERS, Value

ROOT = Path(__file__).resolve().parent.parent
YAML_PATH = ROOT / 'config' / 'udp_infer.yaml'
README_PATH = ROOT / 'README.md'
PARAMETERS_MARKS = '<!-- parameters: dev/write_docs.py -->', '<!-- end of parameters -->'
FAMILIES_MARKS = '<!-- families: dev/write_docs.py -->', '<!-- end of families -->'
CHANGES: Mapping[Change, str] = {
    'live': 'before the next frame',
    'configure': 'at the next configure; refused unless the node is unconfigured',
    'start': 'never; it is read at the start of the process'}


def yaml_text() -> str:
    """Return the YAML file: every parameter with its default and a comment."""
    lines = [
        '# Every parameter of udp_infer with its default. Copy this file, change what you need',
        '# and delete the rest:',
        '#     ros2 launch udp_infer_ros udp_infer.launch.py params_file:=my.yaml',
        '# When a change by ros2 param set takes effect:',
        *(f'#     [{change}] {when}' for change, when in CHANGES.items()),
        '/**:', '  ros__parameters:']
    group = ''
    for name, parameter in PARAMETERS.items():
        head, _, leaf = name.rpartition('.')
        if head != group:
            group = head
            lines += ['', f'    {head}:'] if head else ['']
        indent = '      ' if head else '    '
        lines += textwrap.wrap(
            f'{described(parameter)} [{parameter.change}]', 99, initial_indent=f'{indent}# ',
            subsequent_indent=f'{indent}# ')
        lines.append(f'{indent}{leaf}: {yaml_value(parameter.default)}')
    return '\n'.join(lines) + '\n'


def described(parameter: Parameter) -> str:
    """Return the description, with the unit and the range in parentheses."""
    notes = [text for text in (parameter.unit, limits(parameter)) if text]
    return parameter.meaning + (f' ({", ".join(notes)})' if notes else '')


def limits(parameter: Parameter) -> str:
    """Return the valid values, in short."""
    if parameter.choices:
        return ' | '.join(parameter.choices)
    if parameter.low is None:
        return ''
    return f'{parameter.low:g} to {parameter.high:g}' if parameter.high is not None else (
        f'{parameter.low:g} or more')


def yaml_value(value: Value) -> str:
    """Return a value as YAML, spelled so that ROS reads it with the right type."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def readme_table() -> str:
    """Return the parameters as a Markdown table."""
    lines = ['| parameter | default | changes | meaning |', '|---|---|---|---|']
    for name, parameter in PARAMETERS.items():
        escaped = described(parameter).replace('|', '\\|')
        lines.append(
            f'| `{name}` | `{yaml_value(parameter.default)}` | {parameter.change} | {escaped} |')
    return '\n'.join(lines) + '\n'


def families_table() -> str:
    """Return the families of detectors as a Markdown table."""
    lines = [
        '| `model.family` | exports of | outputs | recognized by | image | source |',
        '|---|---|---|---|---|---|']
    for family in FAMILIES.values():
        lines.append(
            f'| `{family.name}` | {family.models} | {family.layout} | {family.recognized_by} | '
            f'{family.preprocessing} | {family.source} |')
    return '\n'.join(lines) + '\n'


def readme_text(readme: str) -> str:
    """Return the README with the tables between its marks."""
    for (begin, end), table in (
            (PARAMETERS_MARKS, readme_table()), (FAMILIES_MARKS, families_table())):
        before, _, rest = readme.partition(begin)
        _, _, after = rest.partition(end)
        readme = f'{before}{begin}\n{table}{end}{after}'
    return readme


if __name__ == '__main__':
    YAML_PATH.write_text(yaml_text(), encoding='utf-8')
    README_PATH.write_text(
        readme_text(README_PATH.read_text(encoding='utf-8')), encoding='utf-8')
