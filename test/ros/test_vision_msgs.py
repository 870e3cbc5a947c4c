# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The vision_msgs of this environment have the type hashes of the released package."""

import pytest
import rclpy
from rclpy.node import Node
import vision_msgs.msg

# RIHS01: a hash over names, types and order of all fields, which ROS 2 compares at run time.
# The hashes are those of vision_msgs 4.1.
HASHES = {
    'BoundingBox2D':
        '008eacbb0cf8f26e83795547bed013eec3675485ef386ec056d80eaaf1c1ce2f',
    'BoundingBox2DArray':
        '2464e82838009386d371b523211c21c91d74d313fcdd6788223c531d621cf691',
    'BoundingBox3D':
        'bbb73a65c163d7f9bb29009c7bde9f7faa576bd2d23299c4511d19230dab4698',
    'BoundingBox3DArray':
        'a81938db9576b10c2eecd7c5a5da3eac496efd00221b25ed051dfbc81fb56da6',
    'Classification':
        'f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143',
    'Detection2D':
        '0d12b69df5c593b3455b7346fac8205437a7d4bcb09b9e0e0b2dde787ded38ea',
    'Detection2DArray':
        '214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968',
    'Detection3D':
        'ddd703be132ab0b69d33121f1bb034132bfbb3b0ac5f9fb1516005ba1c8a265b',
    'Detection3DArray':
        '793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018',
    'LabelInfo':
        '3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783',
    'ObjectHypothesis':
        '51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90',
    'ObjectHypothesisWithPose':
        '41c12344c0396c48b81df12467c192d99b2a0eb1463c5c37194e4223251c80bc',
    'Point2D':
        'eab0e83f44ab4de92ceaf76dd7d0e7638f2bdd1d16ffbe16c7a136c48e407247',
    'Pose2D':
        'b0b5d1d7b4c20dd4fcde3ed1d4b289a919290572007d67a97043814db25d3648',
    'VisionClass':
        '1e4a11f0fed50b5623cb8ff26ca0e37952a48a9c074d16f804b44e9164c2037a',
    'VisionInfo':
        '95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284',
}


@pytest.fixture(scope='module')
def node():
    """Yield a node with its own context."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node('test_vision_msgs', context=context, enable_rosout=False,
                start_parameter_services=False)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize('name', HASHES)
def test_a_message_type_has_the_hash_of_the_released_package(node, name):
    topic = f'hash_of_{name}'
    node.create_publisher(getattr(vision_msgs.msg, name), topic, 1)
    info, = node.get_publishers_info_by_topic(topic)
    assert info.topic_type == f'vision_msgs/msg/{name}'
    assert bytes(info.topic_type_hash.value).hex() == HASHES[name]


def test_there_are_no_other_message_types():
    assert {name for name in dir(vision_msgs.msg) if name[0].isupper()} == set(HASHES)
