# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Coroutines for what takes long, so that the executor goes on serving callbacks meanwhile.

rclpy runs a callback that is a coroutine as a task of the executor. While such a task awaits one
of the objects here, the executor's thread serves other callbacks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
import threading
from types import TracebackType
from typing import Any, TypeVar

from rclpy.node import Node
from rclpy.task import Future

T = TypeVar('T')


async def in_background(node: Node, function: Callable[[], T]) -> T:
    """
    Run a function in a thread of its own and wait for its result.

    :param node: the node whose executor runs the calling task.
    :raises Exception: whatever the function raises.
    """
    future = _future(node)

    def run() -> None:
        try:
            future.set_result((function(), None))
        except Exception as error:
            future.set_result((None, error))
        wake(node)
    threading.Thread(target=run, name='udp_infer background', daemon=True).start()
    result, error = await future
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


async def outcome_of(work: Awaitable[T]) -> Callable[[], T]:
    """Await work; return a function that returns its result, or raises its error."""
    try:
        result = await work
    except Exception as error:
        return partial(_raise, error)
    return lambda: result


def _raise(error: Exception) -> Any:
    raise error


def _future(node: Node | None = None) -> Any:
    return Future(executor=node.executor if node else None)


def wake(node: Node) -> None:
    """Make the executor of a node check its tasks."""
    executor = node.executor
    if executor is not None:
        executor.wake()


class Turn:
    """
    A lock for the tasks of one executor, granted in the order in which they ask for it.

    Used as `async with turn:`, only in the executor's thread.

    :param node: the node whose executor runs the tasks.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._last: Any = None
        self._held: Any = None

    async def __aenter__(self) -> None:
        before = self._last
        mine = self._last = _future()
        if before is not None:
            await before
        self._held = mine

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        held, self._held = self._held, None
        if self._last is held:
            self._last = None
        held.set_result(None)
        wake(self._node)


def replace_callback(node: Node, name: str, callback: Any) -> Any:
    """
    Serve a service that rclpy created with another callback, which may be a coroutine.

    :param name: last part of the name of the service, e.g. `change_state`.
    :return: the callback before.
    """
    [service] = [item for item in node.services if item.srv_name.endswith(f'/{name}')]
    before, service.callback = service.callback, callback
    return before
