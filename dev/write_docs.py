# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Write config/udp_infer.yaml and the tables of the README from settings.py and families.py.

    python dev/write_docs.py

A test compares the files with what this script would write.
"""

from __future__ import annotations

import json
from pathlib import Path
import textwrap

from udp_infer_ros.detection.families import FAMILIES
from udp_infer_ros.settings import Parameter, PARAMETERS, Value

ROOT = Path(__file__).resolve().parent.parent
YAML_PATH = ROOT / 'config' / 'udp_infer.yaml'
README_PATH = ROOT / 'README.md'
PARAMETERS_MARKS = '<!-- parameters: dev/write_docs.py -->', '<!-- end of parameters -->'
FAMILIES_MARKS = '<!-- families: dev/write_docs.py -->', '<!-- end of families -->'


def yaml_text() -> str:
    """Write every parameter with its default and a comment."""
    lines = [
        '# Every parameter of udp_infer with its default. Copy this file, change what you need',
        '# and delete the rest:',
        '#     ros2 launch udp_infer_ros udp_infer.launch.py params_file:=my.yaml',
        '# Parameters marked (live) can also be changed while the node runs: ros2 param set.',
        '/**:', '  ros__parameters:']
    group = ''
    for name, parameter in PARAMETERS.items():
        head, _, leaf = name.rpartition('.')
        if head != group:
            group = head
            lines += ['', f'    {head}:'] if head else ['']
        indent = '      ' if head else '    '
        lines += textwrap.wrap(
            comment(parameter), 99, initial_indent=f'{indent}# ', subsequent_indent=f'{indent}# ')
        lines.append(f'{indent}{leaf}: {yaml_value(parameter.default)}')
    return '\n'.join(lines) + '\n'


def comment(parameter: Parameter) -> str:
    """Say what a parameter does, with its unit, range and whether it is live."""
    notes = [text for text in (
        parameter.unit, limits(parameter), 'live' if parameter.live else '') if text]
    return parameter.meaning + (f' ({", ".join(notes)})' if notes else '')


def limits(parameter: Parameter) -> str:
    """Say which values are allowed, in short."""
    if parameter.choices:
        return ' | '.join(parameter.choices)
    if parameter.low is None:
        return ''
    return f'{parameter.low:g} to {parameter.high:g}' if parameter.high is not None else (
        f'{parameter.low:g} or more')


def yaml_value(value: Value) -> str:
    """Write a value as YAML that ROS reads with the right type."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def readme_table() -> str:
    """Write the parameters as Markdown."""
    lines = ['| parameter | default | live | what it does |', '|---|---|---|---|']
    for name, parameter in PARAMETERS.items():
        notes = [text for text in (parameter.unit, limits(parameter)) if text]
        text = parameter.meaning + (f' ({", ".join(notes)})' if notes else '')
        escaped = text.replace('|', '\\|')
        lines.append(
            f'| `{name}` | `{yaml_value(parameter.default)}` | '
            f'{"yes" if parameter.live else ""} | {escaped} |')
    return '\n'.join(lines) + '\n'


def families_table() -> str:
    """Write the families of detectors as Markdown."""
    lines = [
        '| `model.family` | exports of | outputs | recognised by | image | source |',
        '|---|---|---|---|---|---|']
    for family in FAMILIES.values():
        lines.append(
            f'| `{family.name}` | {family.models} | {family.layout} | {family.recognized_by} | '
            f'{family.preprocessing} | {family.source} |')
    return '\n'.join(lines) + '\n'


def readme_text(readme: str) -> str:
    """Put the tables where the README has its marks."""
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
