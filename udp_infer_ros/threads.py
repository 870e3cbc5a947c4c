# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The threads of this package."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from queue import SimpleQueue
import threading
from typing import Any, TypeVar

T = TypeVar('T')


class BackgroundThread(threading.Thread):
    """
    A daemon thread with a copy of the context variables of the thread that creates it.

    So log records of all threads of one camera can be distinguished from those of another.

    :param target: the function to run.
    :param name: what the thread does, e.g. `worker`.
    """

    def __init__(self, target: Callable[[], object], *, name: str) -> None:
        context = copy_context()
        super().__init__(
            target=lambda: context.run(target), name=f'udp_infer {name}', daemon=True)


class CallThreads:
    """
    Threads that run calls in the order of `submit`, e.g. of the network for several frames.

    Unlike those of ThreadPoolExecutor, they do not keep the process from ending while a call
    hangs. They end after `close` and the calls before it.

    :param count: how many calls run at once.
    :param name: what the threads do, e.g. `inference`.
    :param on_done: is called after each call, in the thread that ran it.
    """

    def __init__(self, count: int, *, name: str, on_done: Callable[[], object]) -> None:
        self._count = count
        self._on_done = on_done
        self._queue: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        for _ in range(count):
            BackgroundThread(self._run, name=name).start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Run a call in one of the threads."""
        future: Future[T] = Future()
        self._queue.put((call, future))
        return future

    def close(self) -> None:
        """End the threads after the calls that were submitted."""
        for _ in range(self._count):
            self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            _run_into(*item)
            self._on_done()


def run_now(call: Callable[[], T]) -> Future[T]:
    """Run a call in this thread, as `CallThreads.submit` does in another."""
    future: Future[T] = Future()
    _run_into(call, future)
    return future


def _run_into(call: Callable[[], T], future: Future[T]) -> None:
    """Run a call, and store what it returns or raises."""
    try:
        outcome = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(outcome)
