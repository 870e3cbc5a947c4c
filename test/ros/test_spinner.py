# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The thread that serves the callbacks of a node."""

import threading

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from udp_infer_ros.ros import spinner

pytestmark = pytest.mark.timeout(60)


class RecordingNode:
    """Delegates to a node, and records the errors that are logged."""

    def __init__(self, node):
        self._node = node
        self.errors = []

    def __getattr__(self, name):
        return getattr(self._node, name)

    def get_logger(self):
        return self

    def error(self, text):
        self.errors.append(text)


@pytest.fixture
def node():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('spinner', context=context)
    yield RecordingNode(node)
    node.destroy_node()
    rclpy.shutdown(context=context)


async def start():
    """Do nothing."""


def test_an_error_of_rclpy_while_the_executor_shuts_down_is_not_logged(node, monkeypatch):
    shut_down, raised = threading.Event(), threading.Event()

    class Executor(SingleThreadedExecutor):
        """Raises an error at its end, as rclpy does when a callback ends at the same time."""

        def spin(self):
            self.spin_once()
            assert shut_down.wait(20.0)
            raised.set()
            raise RuntimeError('cannot use Destroyable because destruction was requested')

        def shutdown(self, timeout_sec=None):
            shut_down.set()
            return super().shutdown(timeout_sec)
    monkeypatch.setattr(spinner, 'SingleThreadedExecutor', Executor)
    running = spinner.Spinner(node, start)
    running.stop()
    assert raised.is_set()
    assert node.errors == []


def test_an_error_of_a_callback_is_logged_and_the_next_one_runs(node):
    called = threading.Event()
    count = []

    def fail_once():
        count.append(1)
        if len(count) == 1:
            raise RuntimeError('of the first call')
        called.set()
    node.create_timer(0.01, fail_once)
    running = spinner.Spinner(node, start)
    assert called.wait(20.0)
    running.stop()
    assert len(node.errors) == 1
    assert 'of the first call' in node.errors[0]
