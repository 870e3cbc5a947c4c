# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Write the files of parameters in config/ and the tables of docs/ from the code.

    python dev/write_docs.py

A test compares the files with the output of this script.
"""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
import textwrap

from udp_infer_ros.detection.catalog import CATALOG
from udp_infer_ros.detection.families import FAMILIES
from udp_infer_ros.parameter import Change, Parameter, Value
from udp_infer_ros.positions.settings import PositionSettings
from udp_infer_ros.settings import PARAMETERS

ROOT = Path(__file__).resolve().parent.parent
YAML_PATH = ROOT / 'config' / 'udp_infer.yaml'
YAML_3D_PATH = ROOT / 'config' / 'udp_infer_3d.yaml'
POSITIONS_PATH = ROOT / 'docs' / 'positions.md'
PARAMETERS_PATH = ROOT / 'docs' / 'parameters.md'
MODELS_PATH = ROOT / 'docs' / 'models.md'
BEGIN, END = '<!-- written by dev/write_docs.py -->', '<!-- end -->'
"""The lines before and after a table."""
CHANGES: Mapping[Change, str] = {
    'live': 'before the next frame',
    'configure': 'at the next configure; refused unless the node is unconfigured',
    'start': 'never; it is read at the start of the process'}


def yaml_text(name: str, argument: str, parameters: Mapping[str, Parameter]) -> str:
    """
    Return a YAML file: every parameter with its default and a comment.

    :param name: of the node and of its launch file.
    :param argument: of the launch file, for the path of the YAML file.
    """
    lines = [
        f'# Every parameter of {name} with its default. Copy this file, change what you need',
        '# and delete the rest:',
        f'#     ros2 launch udp_infer_ros {name}.launch.py {argument}:=my.yaml',
        '# When a change by ros2 param set takes effect:',
        *(f'#     [{change}] {when}' for change, when in CHANGES.items()),
        '/**:', '  ros__parameters:']
    group = ''
    for name, parameter in parameters.items():
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


def parameters_table(parameters: Mapping[str, Parameter]) -> str:
    """Return parameters as a Markdown table."""
    lines = ['| parameter | default | changes | meaning |', '|---|---|---|---|']
    for name, parameter in parameters.items():
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


def catalog_table() -> str:
    """Return the models with names as a Markdown table."""
    lines = [
        '| `model.id` | MB | AP | input | `model.family` | license | weights of |',
        '|---|---|---|---|---|---|---|']
    for model in CATALOG.values():
        name = f'[`{model.name}`]({model.url})' if model.url else f'`{model.name}` (bundled)'
        lines.append(
            f'| {name} | {model.megabytes:.1f} | {model.ap:.1f} | '
            f'{model.input_px} x {model.input_px} | {model.family} | {model.license} | '
            f'{model.source} |')
    return '\n'.join(lines) + '\n'


def with_tables(page: str, *tables: str) -> str:
    """Return a page with tables between its marks, in their order."""
    head, *parts = page.split(BEGIN)
    assert len(parts) == len(tables)
    return head + ''.join(
        f'{BEGIN}\n{table}{END}{part.partition(END)[2]}' for table, part in zip(tables, parts))


def pages() -> dict[Path, str]:
    """Return the text of every file that this script writes."""
    positions = PositionSettings().parameters()
    texts = {
        YAML_PATH: yaml_text('udp_infer', 'params_file', PARAMETERS),
        YAML_3D_PATH: yaml_text('udp_infer_3d', 'params_file_3d', positions)}
    for path, *tables in (
            (PARAMETERS_PATH, parameters_table(PARAMETERS)),
            (POSITIONS_PATH, parameters_table(positions)),
            (MODELS_PATH, catalog_table(), families_table())):
        texts[path] = with_tables(path.read_text(encoding='utf-8'), *tables)
    return texts


if __name__ == '__main__':
    for path, text in pages().items():
        path.write_text(text, encoding='utf-8')
