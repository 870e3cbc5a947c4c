# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The launch files of examples/launch, with real nodes.

The packages that they need beside this one are replaced by programs with the same interface.
"""

from pathlib import Path

from launch_helpers import EXAMPLES, read_until, run, running, write_executable, write_parent
import pytest

# The part of nav2_lifecycle_manager that concerns a managed node, without its bond.
MANAGER = """
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import rclpy
rclpy.init()
node = rclpy.create_node('lifecycle_manager')
value = lambda name, default: node.declare_parameter(name, default).value
assert value('autostart', False) and value('bond_timeout', 4.0) == 0.0
for name in value('node_names', ['']):
    client = node.create_client(ChangeState, f'{name}/change_state')
    assert client.wait_for_service(30.0)
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        request = ChangeState.Request()
        request.transition.id = transition
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future)
        print('success', future.result().success, flush=True)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
    pass
"""

# The service by which launch loads components.
CONTAINER = """
import os
from composition_interfaces.srv import LoadNode
import rclpy
def load(request, response):
    print('load', request.plugin_name, request.node_namespace, request.node_name, flush=True)
    response.success = True
    response.full_node_name = '/camera/driver'
    return response
rclpy.init()
node = rclpy.create_node('camera_container')
node.create_service(LoadNode, '~/_container/load_node', load)
print('profile', os.environ.get('FASTRTPS_DEFAULT_PROFILES_FILE',
                                os.environ.get('FASTDDS_DEFAULT_PROFILES_FILE')), flush=True)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
    pass
"""


def test_nav2_configures_and_activates_the_node(tmp_path):
    env = write_executable(tmp_path, 'nav2_lifecycle_manager', 'lifecycle_manager', MANAGER)
    with running(EXAMPLES / 'nav2.launch.py', env=env, image='/front/image') as process:
        read_until(process, 'success True')
        read_until(process, 'success True')


def test_without_nav2_no_process_is_started(tmp_path):
    env = write_executable(tmp_path, 'nav2_lifecycle_manager', 'another', MANAGER)
    code, output = run(EXAMPLES / 'nav2.launch.py', env=env)
    assert code == 1 and "'lifecycle_manager' not found" in output
    assert 'process started' not in output


def test_a_container_loads_the_driver_and_has_the_profile(tmp_path):
    env = write_executable(tmp_path, 'rclcpp_components', 'component_container', CONTAINER)
    with running(EXAMPLES / 'camera_container.launch.py', env=env) as process:
        profile = Path(read_until(process, r'profile (.*)')[1])
        assert profile.name == 'fastdds.xml' and profile.is_file()
        assert read_until(process, r'load (.*)')[1] == 'v4l2_camera::V4L2Camera /camera driver'


@pytest.mark.parametrize('name', ['front.launch.xml', 'front.launch.yaml'])
def test_an_xml_or_yaml_file_starts_the_node_in_a_namespace(
        name, params, clip, frames, parameter_of, tmp_path):
    parent = write_parent(
        tmp_path, EXAMPLES / name, f'SetParametersFromFile({params!r})',
        "SetParameter('source.loop', True)", source=clip)
    with running(parent):
        assert len(frames()) == 3
        assert parameter_of('/front/udp_infer', 'detect.confidence').double_value == 0.5
