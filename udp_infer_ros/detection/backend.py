# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The interface of everything that runs a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray
from udp_infer_ros.detection.types import Outputs, TensorInfo


@dataclass(frozen=True, kw_only=True)
class BackendInfo:
    """Where a network runs."""

    name: str
    """Short name of the model, e.g. the stem of its file."""
    location: str
    """Path or address of the model."""
    provider: str
    """What runs it, e.g. `CPUExecutionProvider`."""
    provider_reason: str
    """Why this provider was chosen."""
    threads: int
    """CPU threads for one inference; 0 on a server."""
    remote: bool = False
    """Whether a server runs it."""


class Backend(Protocol):
    """A loaded network."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[str, ...]
    """Names, in order."""
    metadata: Mapping[str, str]
    """Untrusted text of the model file, e.g. `names`."""

    @property
    def info(self) -> BackendInfo:
        """Return where the network runs."""
        ...

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Outputs:
        """
        Run the network once. May be called from several threads at once.

        :param feeds: an array for each input.
        :raises ModelError: if the network does not run on these inputs.
        """
        ...

    def values(self) -> Mapping[str, object]:
        """Return figures for the diagnostics, by name."""
        ...

    def close(self) -> None:
        """Release the network. No `infer` follows."""
        ...
