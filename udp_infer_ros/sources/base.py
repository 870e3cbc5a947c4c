# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The interface of sources, which deliver frames."""

from __future__ import annotations

from typing import Protocol

from udp_infer_ros.health import PartHealth
from udp_infer_ros.sources.intake import Intake


class Source(Protocol):
    """A topic, camera, stream or file. It is started once and stopped once."""

    every_frame: bool
    """Whether the source waits for the worker; otherwise a newer frame replaces a waiting one."""
    live: bool
    """Whether stamps are capture times by the current clock, so `source.max_age_s` applies."""

    @property
    def description(self) -> str:
        """Return the name of the source for logs, without passwords, e.g. `topic /image_raw`."""
        ...

    def open(self) -> None:  # noqa: A003
        """
        Open the device, file or connection. May block.

        Called before `start`, in any thread. `stop` may be called in another thread meanwhile.

        :raises SourceError: if the source cannot be opened, or `stop` was called.
        """
        ...

    def start(self, intake: Intake) -> None:
        """
        Start to offer frames. Does not block.

        :param intake: receives the frames; the source closes it after the last one.
        """
        ...

    def stop(self, timeout_s: float = 1.0) -> bool:
        """
        Stop offering frames, close the intake, and end the threads of the source.

        May be called again, e.g. first with a timeout of 0 and later to wait.

        :return: whether the threads ended in time, which a hung driver prevents.
        """
        ...

    def poll(self) -> None:
        """Run periodic checks. Called a few times per second, in the thread of the engine."""
        ...

    def health(self) -> PartHealth:
        """Return the state since the previous call, as part `source`."""
        ...
