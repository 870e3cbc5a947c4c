# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Start one udp_infer node; `--show-args` lists what can be given."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

NO_OVERRIDE = ' Empty: as in params_file.'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments here, where `--show-args` sees them."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution(
                [FindPackageShare('udp_infer_ros'), 'config', 'udp_infer.yaml']),
            description='YAML file with the parameters of the node.'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the node.'),
        DeclareLaunchArgument(
            'name', default_value='udp_infer', description='Name of the node.'),
        DeclareLaunchArgument(
            'image', default_value='',
            description='Image topic, e.g. /camera/image_raw. Empty: image_raw.'),
        DeclareLaunchArgument(
            'source', default_value='',
            description='Camera, video file or stream to open instead.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'model', default_value='',
            description='Bundled model or path of an ONNX file.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'udp_targets', default_value='',
            description='Receivers, host:port,host:port.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'autostart', default_value='', choices=['', 'true', 'false'],
            description='Configure and activate the node at start.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', 'true', 'false'],
            description='Take the time from /clock.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Lowest severity that the node logs.'),
        OpaqueFunction(function=start_node),
    ])


def start_node(context: LaunchContext) -> list[Node]:
    """Make the node, with the arguments that were given and no others."""
    params_file = LaunchConfiguration('params_file').perform(context)
    if not Path(params_file).is_file():
        raise FileNotFoundError(f'params_file = {params_file!r}: no such file')
    # Only this node's logger: debug output of the middleware would drown it.
    parts = [LaunchConfiguration(key).perform(context) for key in ('namespace', 'name')]
    logger = '.'.join(part.strip('/').replace('/', '.') for part in parts if part.strip('/'))
    level = LaunchConfiguration('log_level').perform(context)
    given = {
        name: text for name in (
            'image', 'source', 'model', 'udp_targets', 'autostart', 'use_sim_time')
        if (text := LaunchConfiguration(name).perform(context))}
    overrides: dict[str, object] = {}
    if 'source' in given:
        overrides['source.uri'] = given['source']
    if 'model' in given:
        overrides['model.id'] = given['model']
    if 'udp_targets' in given:
        overrides['udp.targets'] = [item.strip() for item in given['udp_targets'].split(',')]
    for switch in ('autostart', 'use_sim_time'):
        if switch in given:
            overrides[switch] = given[switch] == 'true'
    return [Node(
        package='udp_infer_ros',
        executable='udp_infer',
        namespace=LaunchConfiguration('namespace'),
        name=LaunchConfiguration('name'),
        output='screen',
        emulate_tty=True,
        parameters=[params_file, overrides],
        remappings=[('image_raw', given['image'])] if 'image' in given else [],
        arguments=['--ros-args', '--log-level', f'{logger}:={level}'],
    )]
