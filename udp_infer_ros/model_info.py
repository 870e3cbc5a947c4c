# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The properties of a loaded model."""

from __future__ import annotations

from dataclasses import dataclass

from udp_infer_ros.wording import counted


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The properties of a model, determined when it is loaded."""

    name: str
    """Short name, e.g. the file name without suffix."""
    path: str
    """Path of the file, or address of the server."""
    family: str
    """A value of `model.family` other than auto."""
    family_reason: str
    """How the family was recognized."""
    labels: tuple[str, ...]
    """Class names by class index; empty if the number of classes is unknown."""
    input_width: int
    input_height: int
    input_reason: str
    """Whether the size is fixed in the file, or where it comes from."""
    input_dtype: str
    preprocessing: str
    """Channel order, value range and resizing, as text."""
    provider: str
    """Execution provider of ONNX Runtime, e.g. `CPUExecutionProvider`."""
    provider_reason: str
    """Why this provider was chosen."""
    threads: int
    """CPU threads; 0 on a server."""
    concurrency: int = 1
    """Frames of one camera that it processes at once."""
    frame_bytes: int = 0
    """Sent to the server for each frame; 0 without one."""
    warm_up_ms: float
    """Duration of the last warm-up inference."""

    def __str__(self) -> str:
        return (
            f'{self.name}: {self.family} ({self.family_reason}), {len(self.labels)} '
            f'{"class" if len(self.labels) == 1 else "classes"}, '
            f'input {self.input_width} x {self.input_height} {self.preprocessing}, '
            f'{self.runs_on}')

    @property
    def runs_on(self) -> str:
        """Return what runs the model, and why."""
        text = f'{self.provider} ({self.provider_reason})'
        if self.threads:
            text += f', {counted(self.threads, "thread")}'
        return f'{text}, {self.concurrency} frames at once' if self.concurrency > 1 else text
