# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The interface of everything that publishes results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import PartHealth
from udp_infer_ros.settings import Settings


class Output(Protocol):
    """A receiver of results."""

    name: str
    """For logs, counters and diagnostics, e.g. `udp`."""

    def prepare(
        self, settings: Settings, labels: tuple[str, ...],
    ) -> Callable[[], None]:
        """
        Check settings, and do what may take long, e.g. look up a name. Change nothing yet.

        Called once before the first result, and for each change. Runs in any thread, also while
        `write` runs in the worker. Does nothing if the output's own settings did not change.

        :param labels: class names of the model, by class index.
        :return: a function that applies the settings; it runs between two frames, is quick and
            does not fail.
        :raises SettingError: if the settings are refused; the ones before stay in effect.
        """
        ...

    def write(self, result: Result, image: BgrImage) -> None:
        """
        Publish a result, in the worker's thread.

        May raise: the error is counted and logged, and the other outputs still write.

        :param image: the pixels of the frame; read-only, and not to be kept.
        """
        ...

    def health(self) -> PartHealth:
        """Return the state since the previous call, as part `name`."""
        ...

    def close(self) -> None:
        """Release sockets, topics and files. No `write` follows."""
        ...
