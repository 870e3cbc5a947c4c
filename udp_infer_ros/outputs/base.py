# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The interface of outputs, which publish results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.settings import Settings

Commit = Callable[[], None]
"""Applies prepared settings. Called between two frames; must be quick and not raise."""


def nothing_to_commit() -> None:
    """Do nothing: the `Commit` of an output whose settings did not change."""


class Output(Protocol):
    """A receiver of results."""

    name: str
    """Name in logs, counters and diagnostics, e.g. `udp`; unique within an engine."""

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """
        Check settings, without applying them. May block, e.g. to resolve a host name.

        Called before the first result and for each change of settings, in any thread, also while
        `write` runs. If the group of this output is the same as in `previous`, return
        `nothing_to_commit`.

        :param previous: the current settings; None at the first call.
        :raises SettingError: if the settings are refused; then the current ones stay in effect.
        """
        ...

    def write(self, result: Result, image: BgrImage) -> None:
        """
        Publish a result. Called in the thread of the worker.

        :param image: (height, width, 3), BGR; read-only, valid until this method returns.
        :raises Exception: any error; it is counted and logged, and the other outputs still write.
        """
        ...

    def health(self) -> PartHealth:
        """Return the state since the previous call; the part has the name of the output."""
        ...

    def close(self) -> None:
        """Release sockets, publishers and files. `write` is not called afterwards."""
        ...
