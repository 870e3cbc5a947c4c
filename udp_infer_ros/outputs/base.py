# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The interface of everything that publishes results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.settings import Settings

Commit = Callable[[], None]
"""Apply prepared settings. Quick; does not fail; runs between two frames."""


def nothing_to_commit() -> None:
    """Do nothing: the `Commit` of an output whose settings did not change."""


class Output(Protocol):
    """A receiver of results."""

    name: str
    """For logs, counters and diagnostics, e.g. `udp`; unique within an engine."""

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """
        Check settings, and do what may take long, e.g. look up a name. Change nothing yet.

        Called before the first result and for each change of settings, in any thread, also while
        `write` runs. If the group of this output equals that in `previous`, there is nothing to
        do.

        :param previous: the settings before; None the first time.
        :raises SettingError: if the settings are refused; then those before stay in effect.
        """
        ...

    def write(self, result: Result, image: BgrImage) -> None:
        """
        Publish a result, in the thread of the worker.

        May raise: the error is counted and logged, and the other outputs still write.

        :param image: the pixels of the frame; read-only, and not to be kept.
        """
        ...

    def health(self) -> PartHealth:
        """Return the state since the previous call, as the part `name`."""
        ...

    def close(self) -> None:
        """Release sockets, topics and files. No `write` follows."""
        ...
