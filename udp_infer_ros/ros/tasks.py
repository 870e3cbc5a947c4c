# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Coroutines for slow work, during which the executor serves other callbacks.

rclpy runs a callback that is a coroutine as a task of the executor. While the task awaits one of
the objects in this module, the executor's thread is free.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from rclpy.node import Node
from rclpy.task import Future
from udp_infer_ros.threads import BackgroundThread

T = TypeVar('T')


async def in_background(node: Node, function: Callable[[], T]) -> T:
    """
    Run a function in a thread of its own, and await its result.

    :param node: the node whose executor runs the calling task.
    :raises Exception: any error of the function.
    """
    future = _future(node)

    def run() -> None:
        try:
            future.set_result((function(), None))
        except Exception as error:
            future.set_result((None, error))
        wake(node)
    BackgroundThread(run, name='background').start()
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
    A lock for the tasks of one executor, acquired in the order of the requests.

    Use it as `async with turn:`, only in the executor's thread.

    :param node: the node whose executor runs the tasks.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._last: Any = None
        self._held: Any = None

    async def __aenter__(self) -> None:
        previous = self._last
        released = self._last = _future()
        if previous is not None:
            await previous
        self._held = released

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
    Replace the callback of a service that rclpy created. The new one may be a coroutine.

    :param name: last part of the name of the service, e.g. `change_state`.
    :return: the previous callback.
    """
    [service] = [item for item in node.services if item.srv_name.endswith(f'/{name}')]
    previous, service.callback = service.callback, callback
    return previous
