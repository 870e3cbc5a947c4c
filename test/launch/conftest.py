# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Tests of the launch files: skipped where launch is not installed, which has no wheel."""

import importlib.util
import json

from helpers import target_of, write_clip
import pytest

FRAMES = 3


def pytest_collection_modifyitems(items):
    """Skip the tests of this folder without launch, or if this run hides ROS."""
    # find_spec raises ValueError for a module that test/conftest.py hides.
    try:
        missing = importlib.util.find_spec('launch_ros') is None
    except ValueError:
        missing = True
    if missing:
        for item in items:
            if item.path.parent.name == 'launch':
                item.add_marker(pytest.mark.skip(reason='launch is not installed'))


@pytest.fixture
def clip(tmp_path):
    """Write a short clip."""
    return str(write_clip(tmp_path / 'clip.avi', frames=FRAMES, fps=20.0, step=40))


@pytest.fixture
def params(tmp_path, clip, receiver):
    """Write a file of parameters: play the clip, send datagrams to the receiver, exit."""
    path = tmp_path / 'params.yaml'
    path.write_text(json.dumps({'/**': {'ros__parameters': {
        'source': {'uri': clip, 'exit_at_end': True, 'frame_id': 'file'},
        'udp': {'targets': [target_of(receiver)]}}}}))
    return str(path)


@pytest.fixture
def cameras(tmp_path, clip, receiver):
    """Write a list of one camera, whose node exits at the end of the clip."""
    path = tmp_path / 'cameras.yaml'
    path.write_text(json.dumps({'cameras': [{'name': 'front', 'uri': clip, 'parameters': {
        'source.exit_at_end': True, 'udp.targets': [target_of(receiver)]}}]}))
    return str(path)


@pytest.fixture
def frames(receiver):
    """Return a function that returns the next messages of one run of the clip."""
    return lambda: [json.loads(receiver.recv(65535)) for _ in range(FRAMES)]


@pytest.fixture
def parameter_of():
    """Return a function that returns the value of a parameter of a running node."""
    from rcl_interfaces.srv import GetParameters
    import rclpy
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('test_parameters', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def get(name, parameter):
        client = node.create_client(GetParameters, f'{name}/get_parameters')
        assert client.wait_for_service(30.0), name
        future = client.call_async(GetParameters.Request(names=[parameter]))
        executor.spin_until_future_complete(future, 20.0)
        [value] = future.result().values
        return value
    yield get
    executor.shutdown()
    rclpy.shutdown(context=context)
