# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Validation of messages against payload.v1.schema.json, with jsonschema 3.2 or newer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from itertools import islice
import json
import math
from typing import Any

MAX_TEXT = 200
"""Longer texts of errors are shortened: they quote the message, which can be 64 KiB."""
MAX_ERRORS = 10
"""Errors of a message that are reported."""


def load_schema() -> dict[str, Any]:
    """Load the schema from the package."""
    text = files('udp_infer_ros').joinpath('payload.v1.schema.json').read_text(encoding='utf-8')
    schema: dict[str, Any] = json.loads(text)
    return schema


class MessageValidator:
    """
    A validator for the content of messages.

    :raises ImportError: if jsonschema is not installed.
    """

    def __init__(self) -> None:
        # Imported here because only --validate needs it.
        import jsonschema
        # The schema uses only keywords that mean the same in Draft 7 and 2020-12; jsonschema 3.2
        # (Ubuntu 22.04) does not know the latter.
        draft = jsonschema.Draft7Validator
        finite = draft.TYPE_CHECKER.redefine('number', _is_finite_number)
        self._validator = jsonschema.validators.extend(draft, type_checker=finite)(load_schema())

    def iter_errors(self, content: Mapping[str, Any]) -> Iterator[str]:
        """Yield the first errors, as the path of a value and the rule that it breaks."""
        try:
            for error in islice(self._validator.iter_errors(content), MAX_ERRORS):
                yield f'{_shortened(_path(error.absolute_path))}: {_shortened(error.message)}'
        except RecursionError:
            yield 'message: is nested too deeply'


def _is_finite_number(_: object, value: object) -> bool:
    # Python's JSON parser accepts NaN and Infinity, which are not JSON. An int can be too large
    # for math.isfinite.
    return (isinstance(value, float) and math.isfinite(value)
            or isinstance(value, int) and not isinstance(value, bool))


def _path(keys: Iterable[str | int]) -> str:
    return 'message' + ''.join(
        f'[{key}]' if isinstance(key, int) else f'.{key}' for key in keys)


def _shortened(text: str) -> str:
    half = MAX_TEXT // 2
    return text if len(text) <= MAX_TEXT else f'{text[:half]} ... {text[-half:]}'
