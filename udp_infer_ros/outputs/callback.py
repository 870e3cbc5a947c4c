# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""An output that calls a function, for programs that use the engine without ROS."""

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

    :param function: called with each Result and its image (height, width, 3), BGR. May raise.
    :param name: name of the output in logs and health reports.
    """

    def __init__(
        self, function: Callable[[Result, BgrImage], object], *, name: str = 'callback',
    ) -> None:
        self.name = name
        self._function = function

    def prepare(
        self, settings: Settings, *, previous: Settings | None, model: ModelInfo,
    ) -> Commit:
        """Accept all settings; this output uses none."""
        return nothing_to_commit

    def write(self, result: Result, image: BgrImage) -> None:
        """Call the function."""
        self._function(result, image)

    def health(self) -> PartHealth:
        """Return OK; errors of the function are counted by the worker."""
        return PartHealth(name=self.name, message='in use')

    def close(self) -> None:
        """Do nothing; no resource is open."""
