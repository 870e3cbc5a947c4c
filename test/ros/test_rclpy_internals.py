# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The private and fragile parts of rclpy that this package relies on, one test each.

A failure names the module that has to change with this version of rclpy.
"""

import threading

import pytest
from rcl_interfaces.srv import ListParameters
import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter
from udp_infer_ros.ros.params import overrides
from udp_infer_ros.ros.tasks import in_background, replace_callback, Turn

pytestmark = pytest.mark.timeout(60)
TIMEOUT_S = 20.0


@pytest.fixture
def context():
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def spin(context):
    """Return a function that serves a node in a thread, until the test ends."""
    running = []

    def serve(node):
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        running.append((node, executor, thread))
        return executor
    yield serve
    for node, executor, thread in running:
        executor.shutdown()
        thread.join(TIMEOUT_S)
        node.destroy_node()


def run(executor, coroutine):
    """Run a coroutine function as a task of a spinning executor; return its result."""
    finished = threading.Event()
    task = executor.create_task(coroutine)
    task.add_done_callback(lambda task: finished.set())
    assert finished.wait(TIMEOUT_S), (
        'a task that awaits a Future is not resumed when another thread completes the Future and '
        'calls Executor.wake(): udp_infer_ros/ros/tasks.py')
    return task.result()


def test_node_keeps_the_overrides_of_parameters_that_are_not_declared(context):
    node = Node(
        'overridden', context=context, parameter_overrides=[Parameter('from.code', value=3)],
        cli_args=['--ros-args', '-p', 'from.arguments:=four'])
    assert overrides(node) == {'from.code': 3, 'from.arguments': 'four'}, (
        'Node._parameter_overrides is not the values given from outside: '
        'udp_infer_ros/ros/params.py, overrides()')
    node.destroy_node()


@pytest.mark.parametrize('name', [
    'change_state', 'set_parameters', 'set_parameters_atomically'])
def test_the_callback_of_a_service_of_rclpy_can_be_replaced(context, name):
    node = LifecycleNode('replaced', context=context)
    services = [item for item in node.services if item.srv_name.endswith(f'/{name}')]
    assert len(services) == 1, (
        f'Node.services has not one service whose srv_name ends with /{name}: '
        'udp_infer_ros/ros/tasks.py, replace_callback()')
    before = services[0].callback
    assert replace_callback(node, name, print) == before
    assert services[0].callback is print
    node.destroy_node()


def test_a_replaced_callback_that_is_a_coroutine_serves_the_requests(context, spin):
    node, client_node = Node('server', context=context), Node('client', context=context)

    async def answer(request, response):
        response.result.names = [await in_background(node, lambda: 'answered')]
        return response
    replace_callback(node, 'list_parameters', answer)
    spin(node)
    spin(client_node)
    client = client_node.create_client(ListParameters, '/server/list_parameters')
    assert client.wait_for_service(timeout_sec=TIMEOUT_S)
    answered = threading.Event()
    future = client.call_async(ListParameters.Request())
    future.add_done_callback(lambda future: answered.set())
    assert answered.wait(TIMEOUT_S) and future.result().result.names == ['answered'], (
        'assigning Service.callback does not change what is served, or a coroutine is not run: '
        'udp_infer_ros/ros/tasks.py, replace_callback()')


class GroupedNode(LifecycleNode):
    """A node with a default callback group of its own, as UdpInferNode."""

    def __init__(self, **keywords):
        self.group = ReentrantCallbackGroup()
        super().__init__('grouped', **keywords)

    @property
    def default_callback_group(self):
        """Return the group of all callbacks."""
        return self.group


def test_the_overridden_default_group_has_all_callbacks_of_rclpy(context):
    node = GroupedNode(context=context)
    node.create_timer(1.0, print)
    served = [*node.services, *node.timers]
    assert {item.srv_name.split('/')[-1] for item in node.services} >= {
        'change_state', 'get_state', 'set_parameters', 'set_parameters_atomically'}
    assert all(node.group.has_entity(item) for item in served), (
        'rclpy does not use Node.default_callback_group for the services that it creates, so '
        'they are blocked while a coroutine is suspended: udp_infer_ros/ros/node.py')
    node.destroy_node()


def test_a_task_that_awaits_a_thread_resumes_and_blocks_nothing_meanwhile(context, spin):
    node = GroupedNode(context=context)
    executor = spin(node)
    gate, ticked = threading.Event(), threading.Event()

    async def work():
        return await in_background(node, lambda: gate.wait(TIMEOUT_S))
    finished = threading.Event()
    task = executor.create_task(work)
    task.add_done_callback(lambda task: finished.set())
    timer = node.create_timer(0.01, ticked.set)
    executor.wake()
    assert ticked.wait(TIMEOUT_S), (
        'no callback is served while a task awaits a Future: udp_infer_ros/ros/tasks.py')
    node.destroy_timer(timer)  # From here on, only wake() makes the executor check its tasks.
    assert not finished.is_set()
    gate.set()
    assert finished.wait(TIMEOUT_S) and task.result(), (
        'a task is not resumed when another thread completes its Future and calls '
        'Executor.wake(): udp_infer_ros/ros/tasks.py, in_background()')


def test_an_error_in_the_background_is_raised_in_the_task(context, spin):
    node = Node('failing', context=context)

    async def work():
        with pytest.raises(OSError, match='no such device'):
            await in_background(node, fail)
        return 'caught'

    def fail():
        raise OSError('no such device')
    assert run(spin(node), work) == 'caught'


def test_tasks_take_turns_in_the_order_of_their_requests(context, spin):
    node = Node('ordered', context=context)
    executor = spin(node)
    turn, gate = Turn(node), threading.Event()
    requested, entered, left = [], [], []
    all_requested, finished = threading.Event(), threading.Event()

    def enter(number):
        async def work():
            requested.append(number)
            if len(requested) == 3:
                all_requested.set()
            async with turn:
                entered.append(number)
                await in_background(node, lambda: gate.wait(TIMEOUT_S))
                left.append(number)
            if len(left) == 3:
                finished.set()
        executor.create_task(work)
    for number in range(3):
        enter(number)
    assert all_requested.wait(TIMEOUT_S) and entered == requested[:1]
    gate.set()
    assert finished.wait(TIMEOUT_S), (
        'a Future without an executor does not resume the task that awaits it: '
        'udp_infer_ros/ros/tasks.py, Turn')
    assert requested == entered == left
