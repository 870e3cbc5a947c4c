# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Opening of a source in the background, which can be aborted."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from udp_infer_ros.ros.tasks import in_background, outcome_of
from udp_infer_ros.sources.base import Source


class Opener:
    """
    Opens one source at a time. Its methods run in the executor's thread.

    :param node: the node whose executor runs the tasks.
    :param make_source: creates the source, or returns None if there is none to open.
    """

    def __init__(self, node: Node, make_source: Callable[[], Source | None]) -> None:
        self._node = node
        self._make_source = make_source
        self._opening: Source | None = None

    async def open(self) -> Source | None:  # noqa: A003
        """
        Open the source in the background.

        :return: the source; None if there is none, or `abort` was called.
        :raises SourceError: if it cannot be opened.
        """
        source = self._opening = self._make_source()
        if source is None:
            return None
        log = self._node.get_logger()
        log.debug(f'opening {source.description}')
        outcome = await outcome_of(in_background(self._node, source.open))
        aborted, self._opening = self._opening is not source, None
        if aborted:
            log.debug(f'{source.description}: closed while it was opening, by a later request')
            source.stop(timeout_s=0.0)
            return None
        outcome()
        return source

    def open_now(self) -> Source | None:
        """
        Open the source in this thread.

        :return: the source; None if there is none.
        :raises SourceError: if it cannot be opened.
        """
        source = self._make_source()
        if source is not None:
            source.open()
        return source

    def abort(self) -> None:
        """Stop the source that is being opened, if there is one; `open` then returns None."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.stop(timeout_s=0.0)
