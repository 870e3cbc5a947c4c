# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Start a camera driver in a component container, and udp_infer beside it.

    ros2 launch udp_infer_ros camera_container.launch.py video_device:=/dev/video0

udp_infer is a process of its own: a component container loads C++ libraries, and udp_infer is
Python. The images therefore pass through the middleware. The container publishes them, so it
needs the Fast DDS profile; udp_infer does not.
"""

import os

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import ComposableNodeContainer
from launch_ros.descriptions import ComposableNode
from launch_ros.substitutions import FindPackageShare

OLD = os.environ.get('ROS_DISTRO') in ('humble', 'jazzy')
PROFILES = 'FASTRTPS_DEFAULT_PROFILES_FILE' if OLD else 'FASTDDS_DEFAULT_PROFILES_FILE'


def generate_launch_description() -> LaunchDescription:
    """Start the container with the driver, and the node."""
    share = FindPackageShare('udp_infer_ros')
    return LaunchDescription([
        DeclareLaunchArgument(
            'video_device', default_value='/dev/video0', description='Device of the camera.'),
        ComposableNodeContainer(
            package='rclcpp_components',
            executable='component_container',
            namespace='',
            name='camera_container',
            output='screen',
            additional_env={PROFILES: PathJoinSubstitution([share, 'config', 'fastdds.xml'])},
            composable_node_descriptions=[
                # Components that process the images further, such as image_proc, belong here:
                # in the container they share the images without copies.
                ComposableNode(
                    package='v4l2_camera',
                    plugin='v4l2_camera::V4L2Camera',
                    namespace='camera',
                    name='driver',
                    parameters=[{
                        'video_device': LaunchConfiguration('video_device'),
                        'image_size': [1280, 720]}],
                    extra_arguments=[{'use_intra_process_comms': True}]),
            ]),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(
                PathJoinSubstitution([share, 'launch', 'udp_infer.launch.py'])),
            launch_arguments={'image': '/camera/image_raw'}.items()),
    ])
