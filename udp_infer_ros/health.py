# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What a part of the engine reports about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """Severity, with the numbers of `diagnostic_msgs/DiagnosticStatus`."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True, kw_only=True)
class PartHealth:
    """The state of one part: source, model, tracker or an output."""

    name: str
    """The part, e.g. `source` or `udp`; unique within an engine."""
    level: Level = Level.OK
    message: str
    """One line for a person."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Figures by name."""
