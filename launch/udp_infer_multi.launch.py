# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Start one udp_infer node a camera, from a list such as config/udp_infer_multi.yaml."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare
from udp_infer_ros.sources.cameras import Camera, read_cameras


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments here, where `--show-args` sees them."""
    share = [FindPackageShare('udp_infer_ros'), 'config']
    return LaunchDescription([
        DeclareLaunchArgument(
            'cameras_file', default_value=PathJoinSubstitution([*share, 'udp_infer_multi.yaml']),
            description='YAML file with the list of cameras.'),
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([*share, 'udp_infer.yaml']),
            description='YAML file with the parameters that all of them have.'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace before those of the cameras.'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=['true', 'false'],
            description='Take the time from /clock.'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Lowest severity that the nodes log.'),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context: LaunchContext) -> list[Node]:
    """Make the nodes; a mistake in the list ends the launch before any of them starts."""
    return [
        make_node(context, camera)
        for camera in read_cameras(LaunchConfiguration('cameras_file').perform(context))]


def make_node(context: LaunchContext, camera: Camera) -> Node:
    """Make the node of one camera."""
    values = {
        # launch_ros takes no empty list; an empty text in it stands for one.
        name: (list(value) or ['']) if isinstance(value, tuple) else value
        for name, value in camera.parameters.items()}
    values['use_sim_time'] = LaunchConfiguration('use_sim_time').perform(context) == 'true'
    before = LaunchConfiguration('namespace').perform(context).strip('/')
    namespace = f'{before}/{camera.name}' if before else camera.name
    # Only this node's logger: debug output of the middleware would drown it.
    logger = namespace.replace('/', '.') + '.udp_infer'
    level = LaunchConfiguration('log_level').perform(context)
    return Node(
        package='udp_infer_ros',
        executable='udp_infer',
        namespace=namespace,
        name='udp_infer',
        output='screen',
        emulate_tty=True,
        parameters=[LaunchConfiguration('params_file'), values],
        remappings=[('image_raw', camera.topic)] if camera.topic else [],
        arguments=['--ros-args', '--log-level', f'{logger}:={level}'],
    )
