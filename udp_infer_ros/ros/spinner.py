# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The thread that serves the callbacks of a node."""

from __future__ import annotations

from collections.abc import Callable
import threading
import traceback
from typing import Any

from rclpy.executors import (
    ExternalShutdownException, ShutdownException, SingleThreadedExecutor)
from udp_infer_ros.ros.core_log import log_as
from udp_infer_ros.threads import BackgroundThread

STOP_TIMEOUT_S = 2.0


class Spinner:
    """
    Runs the executor of a node in a thread, so that the main thread can handle signals.

    :param node: a node of rclpy; destroy it after `stop`.
    :param task: a coroutine function that the executor runs first.
    """

    def __init__(self, node: Any, task: Callable[[], Any]) -> None:
        self._node = node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._executor.create_task(task)
        self._stopping = threading.Event()
        self._thread = BackgroundThread(self._spin, name='executor')
        self._thread.start()

    def stop(self) -> None:
        """Stop serving callbacks; wait a few seconds at most for the one that runs."""
        self._stopping.set()
        self._executor.shutdown()
        self._thread.join(STOP_TIMEOUT_S)

    def _spin(self) -> None:
        log_as(self._node.get_logger())
        while self._node.context.ok():
            try:
                self._executor.spin()
                return
            except (ExternalShutdownException, ShutdownException):
                return
            except Exception:  # An error in one callback must not end the others.
                if self._stopping.is_set():
                    return  # `shutdown` may destroy what a callback that just ended still uses.
                self._node.get_logger().error(traceback.format_exc())
