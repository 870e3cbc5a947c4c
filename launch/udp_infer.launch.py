# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Start one udp_infer node; `--show-args` lists the arguments."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare
from udp_infer_ros.ros.launch_common import LOG_LEVELS, node_keywords, overrides_of

NO_OVERRIDE = ' Empty: as in params_file.'


def generate_launch_description() -> LaunchDescription:
    """Declare the launch arguments and the node."""
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
            description='Camera, video file or stream to open instead of a topic.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'model', default_value='',
            description='Bundled model or path of an ONNX file.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'udp_targets', default_value='',
            description='UDP receivers, host:port,host:port.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'autostart', default_value='', choices=['', 'true', 'false'],
            description='Configure and activate the node at start.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', 'true', 'false'],
            description='Use the time of /clock.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'log_level', default_value='info', choices=LOG_LEVELS,
            description='Lowest severity that the node logs.'),
        OpaqueFunction(function=start_node),
    ])


def start_node(context: LaunchContext) -> list[Node]:
    """Return the node. Empty arguments set no parameters."""
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)
    names = ('source', 'model', 'udp_targets', 'autostart', 'use_sim_time')
    return [Node(**node_keywords(
        namespace=value('namespace'), name=value('name'), params_file=value('params_file'),
        overrides=overrides_of({name: value(name) for name in names}),
        image_topic=value('image'), log_level=value('log_level')))]
