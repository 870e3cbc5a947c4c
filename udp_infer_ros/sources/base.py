# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The interface of everything that delivers frames."""

from __future__ import annotations

from typing import Protocol

from udp_infer_ros.health import PartHealth
from udp_infer_ros.sources.intake import Intake


class Source(Protocol):
    """A topic, camera, stream or file. It is started once and stopped once."""

    every_frame: bool
    """The source waits for the worker, so that no frame is replaced; otherwise the newest wins."""
    live: bool
    """Stamps are of the present, so `source.max_age_s` applies."""

    @property
    def description(self) -> str:
        """Return what the source is, without a password, e.g. `topic /image_raw`."""
        ...

    def open(self) -> None:  # noqa: A003
        """
        Do what may take long before the first frame, e.g. connect to a server.

        Runs before `start`, in any thread. `stop` from another thread ends it early.

        :raises SourceError: if the source cannot be opened.
        """
        ...

    def start(self, intake: Intake) -> None:
        """
        Begin to offer frames. Returns at once.

        :param intake: where the frames go; the source closes it at its end.
        """
        ...

    def stop(self, timeout_s: float = 1.0) -> bool:
        """
        Offer no more frames, close the intake, and end the threads of the source.

        May be called again, e.g. first with a timeout of 0 and later to wait.

        :return: whether the threads ended in time; a driver may hang.
        """
        ...

    def poll(self) -> None:
        """Do what is due. Called a few times per second from the thread that owns the engine."""
        ...

    def health(self) -> PartHealth:
        """Return the state since the previous call, as part `source`."""
        ...
