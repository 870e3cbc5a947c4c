# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The threads of this package."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
import threading


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
