# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Environment variables in the text of parameters."""

from __future__ import annotations

import os
import re

from udp_infer_ros.errors import UdpInferError
from udp_infer_ros.redact import redacted

_VARIABLE = re.compile(r'\$\{(\w+)\}')


def with_variables(text: str, name: str, error: type[UdpInferError]) -> str:
    """
    Replace each `${NAME}` by an environment variable.

    :param name: the parameter with this text, for errors.
    :param error: what to raise if there is no such variable.
    :return: text that may contain passwords: do not log it.
    """
    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise error(
                name, redacted(text), f'the environment has no variable {match[1]}',
                'set it where the node starts')
        return os.environ[match[1]]
    return _VARIABLE.sub(value, text)
