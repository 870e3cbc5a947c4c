# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Health reports of the parts of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """Severity, with the values of `diagnostic_msgs/DiagnosticStatus`."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True, kw_only=True)
class PartHealth:
    """The state of one part: source, model, tracker or an output."""

    name: str
    """Name of the part, e.g. `source` or `udp`; unique within an engine."""
    level: Level = Level.OK
    message: str
    """Summary in one line."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Values by key, as in `diagnostic_msgs/KeyValue`."""
