# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What the lifecycle nodes of this package have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
import traceback
from typing import Any, NamedTuple

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from udp_infer_ros.errors import UdpInferError

LifecycleCallback = Callable[[Any, LifecycleState], TransitionCallbackReturn]
"""A method of a node for a transition."""


class Finish(NamedTuple):
    """The end of the process."""

    code: int
    """Exit code."""
    cause: str


def logged(callback: LifecycleCallback) -> LifecycleCallback:
    """Log the errors of a transition callback, which rclpy does not log; return its result."""
    @wraps(callback)
    def wrapper(node: Any, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return callback(node, state)
        except UdpInferError as error:
            node.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            node.get_logger().error(f'{callback.__name__} failed:\n{traceback.format_exc()}')
            return TransitionCallbackReturn.ERROR
    return wrapper
