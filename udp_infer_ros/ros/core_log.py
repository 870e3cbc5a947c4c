# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Forwarding of the core's log records to ROS."""

from __future__ import annotations

import logging
import threading
from typing import Any

from rclpy.logging import get_logger

CORE_LOG = logging.getLogger('udp_infer_ros')


class RosLogHandler(logging.Handler):
    """
    Forwards records of Python's logging to ROS, once per process however many nodes there are.

    With one node attached, records are logged under its name; with several, whose threads share
    the core, under `udp_infer_ros`. The logger of the core is restored when the last node
    detaches. `lock`, which logging holds during `emit`, guards `_loggers`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loggers: list[Any] = []
        self._before = (CORE_LOG.level, CORE_LOG.propagate)

    def attach(self, logger: Any) -> None:
        """
        Begin to forward records.

        :param logger: of the node, from `Node.get_logger()`.
        """
        with _attaching:
            if not self._loggers:
                self._before = (CORE_LOG.level, CORE_LOG.propagate)
                CORE_LOG.setLevel(logging.DEBUG)
                CORE_LOG.propagate = False
                CORE_LOG.addHandler(self)
            self._loggers = [*self._loggers, logger]

    def detach(self, logger: Any) -> None:
        """End forwarding for a node that was attached; others go on."""
        with _attaching:
            self._loggers = [other for other in self._loggers if other is not logger]
            if not self._loggers:
                CORE_LOG.removeHandler(self)
                CORE_LOG.level, CORE_LOG.propagate = self._before

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record."""
        text = self.format(record)
        loggers = self._loggers
        logger = loggers[0] if len(loggers) == 1 else get_logger('udp_infer_ros')
        # rclpy requires that one line of code always logs with the same severity.
        if record.levelno >= logging.ERROR:
            logger.error(text)
        elif record.levelno >= logging.WARNING:
            logger.warning(text)
        elif record.levelno >= logging.INFO:
            logger.info(text)
        else:
            logger.debug(text)


_attaching = threading.Lock()
ros_log_handler = RosLogHandler()
"""The handler of this process."""
