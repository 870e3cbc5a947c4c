# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Start udp_infer under the lifecycle manager of Nav2.

    ros2 launch udp_infer_ros nav2.launch.py image:=/camera/image_raw
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """Start the node unconfigured; the manager configures and activates it."""
    node = PathJoinSubstitution(
        [FindPackageShare('udp_infer_ros'), 'launch', 'udp_infer.launch.py'])
    return LaunchDescription([
        DeclareLaunchArgument(
            'image', default_value='/camera/image_raw', description='Image topic.'),
        # First: if its package is not installed, the launch ends before it starts a process.
        Node(
            package='nav2_lifecycle_manager',
            executable='lifecycle_manager',
            name='lifecycle_manager_detection',
            output='screen',
            parameters=[{
                'autostart': True,
                'node_names': ['udp_infer'],
                # udp_infer has no bond. With a timeout, the manager waits for one, and then shuts
                # the node down.
                'bond_timeout': 0.0,
            }]),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(node), launch_arguments={
            'image': LaunchConfiguration('image'), 'autostart': 'false'}.items()),
    ])
