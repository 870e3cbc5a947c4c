# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Start a detector and the node that locates its detections; `--show-args` lists the arguments."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from udp_infer_ros.ros.launch_common import LOG_LEVELS, node_keywords, overrides_of
from udp_infer_ros.settings import PARAMETERS as DESCRIPTIONS

# No argument sets a parameter by default, so that SetParameter of a parent launch file applies.
NO_OVERRIDE = ' Empty: as in params_file or SetParameter.'
DETECTOR = ('model', 'udp_targets', 'autostart', 'use_sim_time')
LOCATOR = ('autostart', 'use_sim_time')
TOPICS = ('depth', 'camera_info', 'depth_camera_info')


def generate_launch_description() -> LaunchDescription:
    """Declare the launch arguments and the nodes."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'params_file', default_value='',
            description='YAML file with parameters of the detector, like config/udp_infer.yaml. '
                        'Empty: none.'),
        DeclareLaunchArgument(
            'params_file_3d', default_value='',
            description='YAML file with parameters of the node that locates the detections, like '
                        'config/udp_infer_3d.yaml. Empty: none.'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of both nodes.'),
        DeclareLaunchArgument(
            'image', default_value='',
            description='Image topic, e.g. /camera/color/image_raw. Empty: image_raw.'),
        DeclareLaunchArgument(
            'depth', default_value='',
            description='Topic of the depth image, registered to the color image. Empty: depth.'),
        DeclareLaunchArgument(
            'camera_info', default_value='',
            description='Topic of the camera_info of the color image. Empty: camera_info.'),
        DeclareLaunchArgument(
            'depth_camera_info', default_value='',
            description='Topic of the camera_info of the depth image, needed if it does not show '
                        'the same part of the scene. Empty: depth_camera_info.'),
        DeclareLaunchArgument(
            'detections', default_value='',
            description='Topic of another node with vision_msgs/Detection2DArray. Empty: start '
                        'the detector of this package.'),
        DeclareLaunchArgument(
            'model', default_value='',
            description=DESCRIPTIONS['model.id'].meaning + NO_OVERRIDE),
        DeclareLaunchArgument(
            'udp_targets', default_value='',
            description='UDP receivers, host:port,host:port.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'autostart', default_value='', choices=['', 'true', 'false'],
            description='Configure and activate the nodes at start.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', 'true', 'false'],
            description='Use the time of /clock.' + NO_OVERRIDE),
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
    """Return the nodes; raise SettingError if an argument is invalid."""
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)
    common = {
        'pushed_namespace': context.launch_configurations.get('ros_namespace', ''),
        'namespace': value('namespace'), 'log_level': value('log_level'),
        'required': value('required') == 'true', 'respawn': value('respawn') == 'true'}
    locator = Node(**node_keywords(
        **common, name='udp_infer_3d', params_file=value('params_file_3d'), image_topic='',
        overrides=overrides_of({name: value(name) for name in LOCATOR}),
        executable='udp_infer_3d', topics={
            'detections': value('detections') or 'udp_infer/detections',
            **{name: value(name) for name in TOPICS}}))
    if value('detections'):
        return [locator]
    return [locator, Node(**node_keywords(
        **common, name='udp_infer', params_file=value('params_file'), image_topic=value('image'),
        overrides=overrides_of({name: value(name) for name in DETECTOR})))]
