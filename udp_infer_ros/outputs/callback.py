# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Results for a function, e.g. of a program that runs the engine itself."""

from __future__ import annotations

from collections.abc import Callable

from udp_infer_ros.frame import BgrImage, Result
from udp_infer_ros.health import PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.base import Commit, nothing_to_commit
from udp_infer_ros.settings import Settings


class CallbackOutput:
    """
    Calls a function with each result and its image, in the thread of the worker.

    :param function: what to call. May raise; the error is counted and logged.
    :param name: the name of the output.
    """

    def __init__(
        self, function: Callable[[Result, BgrImage], object], *, name: str = 'callback',
    ) -> None:
        self.name = name
        self._function = function

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """Accept all settings; none concern this output."""
        return nothing_to_commit

    def write(self, result: Result, image: BgrImage) -> None:
        """Call the function."""
        self._function(result, image)

    def health(self) -> PartHealth:
        """Report that the output is in use."""
        return PartHealth(name=self.name, message='in use')

    def close(self) -> None:
        """Do nothing; there is nothing to release."""
