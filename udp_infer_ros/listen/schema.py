# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Checks a message against payload.v1.schema.json, with as much of JSON Schema as that uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
import json
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    'object': (dict,), 'array': (list,), 'string': (str,), 'integer': (int,),
    'number': (int, float)}


def load_schema() -> dict[str, Any]:
    """Read the schema that comes with the package."""
    text = files('udp_infer_ros').joinpath('payload.v1.schema.json').read_text(encoding='utf-8')
    schema: dict[str, Any] = json.loads(text)
    return schema


def faults(value: Any, schema: Mapping[str, Any], where: str = 'message') -> Iterator[str]:
    """
    Say everything that is wrong with a value.

    :param schema: of the keywords that the package's schema uses; others are not known here.
    :param where: the value's name, for the text.
    """
    kind = schema.get('type')
    if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool)):
        yield f'{where} must be of type {kind}'
        return
    if 'const' in schema and value != schema['const']:
        yield f'{where} must be {schema["const"]}'
    if isinstance(value, (int, float)):
        yield from _range_faults(value, schema, where)
    if isinstance(value, dict):
        yield from _object_faults(value, schema, where)
    if isinstance(value, list) and 'items' in schema:
        for i, item in enumerate(value):
            yield from faults(item, schema['items'], f'{where}[{i}]')


def _range_faults(value: float, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if value != value or value in (float('inf'), float('-inf')):
        yield f'{where} must be finite'
    if 'minimum' in schema and value < schema['minimum']:
        yield f'{where} must be {schema["minimum"]} or more'
    if 'maximum' in schema and value > schema['maximum']:
        yield f'{where} must be {schema["maximum"]} or less'
    if 'exclusiveMinimum' in schema and value <= schema['exclusiveMinimum']:
        yield f'{where} must be more than {schema["exclusiveMinimum"]}'


def _object_faults(
    value: Mapping[str, Any], schema: Mapping[str, Any], where: str,
) -> Iterator[str]:
    known = schema.get('properties', {})
    more = schema.get('additionalProperties', True)
    for key in schema.get('required', ()):
        if key not in value:
            yield f'{where}.{key} is missing'
    for key, item in value.items():
        if key in known:
            yield from faults(item, known[key], f'{where}.{key}')
        elif more is False:
            yield f'{where}.{key} is not known'
        elif isinstance(more, dict):
            yield from faults(item, more, f'{where}.{key}')
