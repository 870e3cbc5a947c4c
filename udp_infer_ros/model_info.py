# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The properties of a loaded model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What was found out about a model when it was loaded."""

    name: str
    """Short name, e.g. the stem of the file."""
    path: str
    """Path or address."""
    family: str
    """As in `model.family`."""
    family_reason: str
    """How the family was recognized."""
    labels: tuple[str, ...]
    """Class names by class index; empty if neither the file nor the outputs give their number."""
    input_width: int
    input_height: int
    input_dtype: str
    preprocessing: str
    """Channel order, value range and resizing, as text."""
    provider: str
    """What runs the model, e.g. `CPUExecutionProvider`."""
    provider_reason: str
    """Why this provider was chosen."""
    threads: int
    warm_up_ms: float
    """Time of one inference after the first."""

    def __str__(self) -> str:
        return (
            f'{self.name}: {self.family} ({self.family_reason}), {len(self.labels)} classes, '
            f'input {self.input_width} x {self.input_height} {self.preprocessing}, '
            f'{self.provider} ({self.provider_reason}), {self.threads} threads')
