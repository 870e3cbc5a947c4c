# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detection messages that are written as bytes."""

from dataclasses import replace

from helpers import make_result, wait_until
import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message, serialize_message
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.ros import serialize
from udp_infer_ros.ros.convert import detections_to_ros
from udp_infer_ros.ros.serialize import can_serialize, detections_to_bytes
from udp_infer_ros.ros.topic_output import TopicOutput
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.timeout(120)
ALPHABET = np.array(list('abc xyz_ äßé 日本語 🚲'))
IMAGE = np.zeros((48, 64, 3), dtype=np.uint8)


def random_result(random):
    """Return a Result with 0 to 300 objects, and texts of any length in UTF-8."""
    def text():
        return ''.join(random.choice(ALPHABET, random.integers(0, 24)))
    result = make_result(int(300 * random.uniform() ** 9), names=tuple(text() for _ in range(9)))
    count = len(result.detections)
    track_id = random.integers(1, 10 ** random.integers(1, 12, count), endpoint=True)
    track_id[random.uniform(size=count) < 0.3] = NO_TRACK
    return replace(
        result, detections=result.detections.with_track_ids(track_id), frame=replace(
            result.frame, frame_id=text(), stamp_ns=int(random.integers(-2**40, 2**60))))


def test_the_bytes_are_those_that_rclpy_writes():
    random = np.random.default_rng(3)
    for i in range(1000):
        result, class_id = random_result(random), ('name', 'index')[i % 2]
        message = detections_to_ros(result, class_id)
        ours = detections_to_bytes(result, class_id)
        theirs = serialize_message(message)
        # They differ only in padding, which readers skip: ours is zero, theirs is undefined.
        assert len(ours) == len(theirs)
        written = np.frombuffer(ours, np.uint8)
        assert not written[written != np.frombuffer(theirs, np.uint8)].any()
        assert deserialize_message(ours, Detection2DArray) == message


def test_a_large_result_is_written_as_rclpy_does():
    result = make_result(300, names=('', 'ä', 'bicycle'))
    message = detections_to_ros(result, 'name')
    assert len(message.detections) == 300
    assert deserialize_message(detections_to_bytes(result, 'name'), Detection2DArray) == message


def with_another_field(message):
    return serialize_message(message) + b'\0'


def in_another_byte_order(message):
    return b'\0\0\0\0' + serialize_message(message)[4:]


def not_at_all(message):
    raise RuntimeError('not implemented')


OTHERS = [with_another_field, in_another_byte_order, not_at_all]


@pytest.mark.parametrize('other', OTHERS)
def test_a_middleware_that_writes_other_bytes_is_detected(monkeypatch, other):
    assert can_serialize()
    monkeypatch.setattr(serialize, 'serialize_message', other)
    assert not can_serialize()


@pytest.fixture
def topic():
    """Yield a lifecycle node, and the messages on its topic `~/detections`."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = LifecycleNode('camera', context=context)
    node.get_logger().set_level(rclpy.logging.LoggingSeverity.DEBUG)
    peer, received = Node('peer', context=context), []
    peer.create_subscription(Detection2DArray, '/camera/detections', received.append, 100)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(peer)

    def wait_for(count):
        def arrived():
            executor.spin_once(timeout_sec=0.05)
            return len(received) >= count
        wait_until(arrived)
        return received
    yield node, wait_for
    executor.shutdown()
    node.destroy_node()
    peer.destroy_node()
    rclpy.shutdown(context=context)


def check_messages(node, wait_for):
    """Check that subscribers receive the results that are written while the node is active."""
    output = TopicOutput(node)
    wait_until(lambda: node.count_subscribers('/camera/detections'))
    results = [make_result(count, seq=count) for count in (1, 0, 20, 300)]
    node.trigger_configure()
    output.write(results[0], IMAGE)
    node.trigger_activate()
    wait_until(lambda: output.health().values['subscribers'])
    for result in results[1:]:
        output.write(result, IMAGE)
    assert wait_for(3) == [detections_to_ros(result, 'name') for result in results[1:]]
    node.trigger_deactivate()
    output.write(results[0], IMAGE)
    output.close()


def test_subscribers_receive_bytes_as_messages_while_the_node_is_active(topic, capfd):
    check_messages(*topic)
    assert '/camera/detections is written as bytes' in capfd.readouterr().err


@pytest.mark.parametrize('other', OTHERS)
def test_messages_are_published_where_the_bytes_would_differ(topic, monkeypatch, capfd, other):
    monkeypatch.setattr(serialize, 'serialize_message', other)
    check_messages(*topic)
    assert '/camera/detections is written as messages: vision' in capfd.readouterr().err


def test_messages_are_published_where_the_middleware_refuses_bytes(topic, monkeypatch, capfd):
    publish, refused = Publisher.publish, []

    def publish_messages_only(publisher, message):
        if isinstance(message, bytes):
            refused.append(message)
            raise RuntimeError('unsupported')
        publish(publisher, message)
    monkeypatch.setattr(Publisher, 'publish', publish_messages_only)
    check_messages(*topic)
    assert len(refused) == 1
    assert '/camera/detections is written as messages: unsupported' in capfd.readouterr().err
