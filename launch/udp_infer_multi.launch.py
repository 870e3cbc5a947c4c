# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Start one udp_infer node per camera, from a list such as config/udp_infer_multi.yaml.

All nodes are in one process, where those with the same model share it.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from udp_infer_ros.ros.launch_common import (
    camera_namespace, LOG_LEVELS, multi_keywords, node_keywords, overrides_of)
from udp_infer_ros.sources.camera_list import read_cameras


def generate_launch_description() -> LaunchDescription:
    """Declare the launch arguments and the nodes."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'cameras_file', default_value='',
            description='YAML file with the list of cameras, like config/udp_infer_multi.yaml. '
                        'Required.'),
        DeclareLaunchArgument(
            'one_process', default_value='true', choices=['true', 'false'],
            description='Run all nodes in one process. false: a process for each node.'),
        DeclareLaunchArgument(
            'params_file', default_value='',
            description='YAML file with parameters of all nodes, like config/udp_infer.yaml. '
                        'Empty: none.'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace around those of the cameras.'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', 'true', 'false'],
            description='Use the time of /clock. Empty: as in the files or SetParameter.'),
        DeclareLaunchArgument(
            'log_level', default_value='info', choices=LOG_LEVELS,
            description='Lowest severity that the nodes log.'),
        DeclareLaunchArgument(
            'required', default_value='false', choices=['true', 'false'],
            description='Shut the launch down when a node exits, with an error if it fails.'),
        DeclareLaunchArgument(
            'respawn', default_value='false', choices=['true', 'false'],
            description='Restart a node 2 s after it exits.'),
        OpaqueFunction(function=start_nodes),
    ])


def start_nodes(context: LaunchContext) -> list[Node]:
    """Return the processes; raise SettingError if an argument or the list is invalid."""
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)
    cameras = read_cameras(value('cameras_file'))
    overrides = overrides_of({'use_sim_time': value('use_sim_time')})
    common = {
        'pushed_namespace': context.launch_configurations.get('ros_namespace', ''),
        'params_file': value('params_file'), 'log_level': value('log_level'),
        'required': value('required') == 'true', 'respawn': value('respawn') == 'true'}
    if value('one_process') == 'true':
        return [Node(**multi_keywords(
            cameras_file=value('cameras_file'), cameras=[camera.name for camera in cameras],
            namespace=value('namespace'), overrides=overrides, **common))]
    return [Node(**node_keywords(
        namespace=camera_namespace(value('namespace'), camera.name), name='udp_infer',
        overrides={**camera.parameters, **overrides}, image_topic=camera.topic, **common))
        for camera in cameras]
