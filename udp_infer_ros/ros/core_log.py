# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Forwarding of the log records of the core to ROS."""

from __future__ import annotations

from contextvars import ContextVar
import logging
import threading
from typing import Any

from rclpy.logging import get_logger

CORE_LOG = logging.getLogger('udp_infer_ros')


class RosLogHandler(logging.Handler):
    """
    Forwards log records of the core to ROS, once per process for any number of nodes.

    Records of threads that a node started in a context with `log_as` have the name of its logger.
    Others have that of the only node that is attached, or `udp_infer_ros`. The logger of the core
    is restored when the last node detaches. `_attaching` guards changes; `_loggers` is replaced,
    not modified, so `emit` needs no lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loggers: list[Any] = []
        self._before = (CORE_LOG.level, CORE_LOG.propagate)

    def attach(self, logger: Any) -> None:
        """
        Start to forward records to a node.

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
        """Stop forwarding to a node, but not to the others."""
        with _attaching:
            self._loggers = [other for other in self._loggers if other is not logger]
            if not self._loggers:
                CORE_LOG.removeHandler(self)
                CORE_LOG.level, CORE_LOG.propagate = self._before

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record."""
        text = self.format(record)
        loggers = self._loggers
        logger = _logger.get() or (
            loggers[0] if len(loggers) == 1 else get_logger('udp_infer_ros'))
        # rclpy raises an error if one line of code logs with different severities.
        if record.levelno >= logging.ERROR:
            logger.error(text)
        elif record.levelno >= logging.WARNING:
            logger.warning(text)
        elif record.levelno >= logging.INFO:
            logger.info(text)
        else:
            logger.debug(text)


def log_as(logger: Any) -> None:
    """
    Forward the records of this thread, and of those that it starts from now on, as a node's own.

    :param logger: of the node.
    """
    _logger.set(logger)


_logger: ContextVar[Any] = ContextVar('logger', default=None)
_attaching = threading.Lock()
ros_log_handler = RosLogHandler()
"""The handler of this process."""
