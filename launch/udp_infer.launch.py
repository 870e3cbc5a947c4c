# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Start one udp_infer node; `--show-args` lists the arguments."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from udp_infer_ros.ros.launch_common import LOG_LEVELS, node_keywords, overrides_of
from udp_infer_ros.settings import PARAMETERS as DESCRIPTIONS

# No argument sets a parameter by default, so that SetParameter of a parent launch file applies.
NO_OVERRIDE = ' Empty: as in params_file or SetParameter.'
PARAMETERS = ('source', 'loop', 'realtime', 'model', 'udp_targets', 'autostart', 'use_sim_time')


def generate_launch_description() -> LaunchDescription:
    """Declare the launch arguments and the node."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'params_file', default_value='',
            description='YAML file with parameters of the node, like config/udp_infer.yaml. '
                        'Empty: none.'),
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
            'loop', default_value='', choices=['', 'true', 'false'],
            description='Restart a video file at its end.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'realtime', default_value='', choices=['', 'true', 'false'],
            description='Play a video file at its own frame rate.' + NO_OVERRIDE),
        DeclareLaunchArgument(
            'model', default_value='',
            description=DESCRIPTIONS['model.id'].meaning + NO_OVERRIDE),
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
        DeclareLaunchArgument(
            'required', default_value='false', choices=['true', 'false'],
            description='Shut the launch down when the node exits, with an error if it fails.'),
        DeclareLaunchArgument(
            'respawn', default_value='false', choices=['true', 'false'],
            description='Restart the node 2 s after it exits.'),
        OpaqueFunction(function=start_node),
    ])


def start_node(context: LaunchContext) -> list[Node]:
    """Return the node; raise SettingError if an argument is invalid."""
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)
    return [Node(**node_keywords(
        pushed_namespace=context.launch_configurations.get('ros_namespace', ''),
        namespace=value('namespace'), name=value('name'), params_file=value('params_file'),
        overrides=overrides_of({name: value(name) for name in PARAMETERS}),
        image_topic=value('image'), log_level=value('log_level'),
        required=value('required') == 'true', respawn=value('respawn') == 'true'))]
