# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Start one udp_infer node per camera, from a list such as config/udp_infer_multi.yaml."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare
from udp_infer_ros.ros.launch_common import camera_namespace, LOG_LEVELS, node_keywords
from udp_infer_ros.sources.camera_list import read_cameras


def generate_launch_description() -> LaunchDescription:
    """Declare the launch arguments and the nodes."""
    share = [FindPackageShare('udp_infer_ros'), 'config']
    return LaunchDescription([
        DeclareLaunchArgument(
            'cameras_file', default_value=PathJoinSubstitution([*share, 'udp_infer_multi.yaml']),
            description='YAML file with the list of cameras.'),
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([*share, 'udp_infer.yaml']),
            description='YAML file with the parameters of all nodes.'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace around those of the cameras.'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=['true', 'false'],
            description='Use the time of /clock.'),
        DeclareLaunchArgument(
            'log_level', default_value='info', choices=LOG_LEVELS,
            description='Lowest severity that the nodes log.'),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context: LaunchContext) -> list[Node]:
    """Return one node per camera; raise SettingError if the list of cameras is invalid."""
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)
    return [Node(**node_keywords(
        namespace=camera_namespace(value('namespace'), camera.name), name='udp_infer',
        params_file=value('params_file'),
        overrides={**camera.parameters, 'use_sim_time': value('use_sim_time') == 'true'},
        image_topic=camera.topic, log_level=value('log_level')))
        for camera in read_cameras(value('cameras_file'))]
