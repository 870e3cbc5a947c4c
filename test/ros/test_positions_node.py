# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The node udp_infer_3d publishes positions of the detections that it receives."""

import array
from functools import partial
import gc
import struct
import threading
import time

import cv2
from depth_scenes import Box, extent, render, Scene, to_millimeters, View
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import DescribeParameters, SetParameters
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_helpers import make_image
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from udp_infer_ros.ros.positions_node import UdpInfer3dNode
from vision_msgs.msg import (
    Detection2D, Detection2DArray, Detection3DArray, ObjectHypothesisWithPose)

VIEW = View(width=320, height=240, focal=260.0)
OBJECTS = (
    Box(center=(-0.6, 0.1, 2.05), size=(0.4, 0.6, 0.1)),
    Box(center=(0.7, -0.2, 3.05), size=(0.8, 0.5, 0.1)))
CENTERS_M = [[-0.6, 0.1, 2.0], [0.7, -0.2, 3.0]]
DEPTH_M, SHOWN = render(Scene(boxes=OBJECTS, wall_m=5.0), VIEW)
BOXES = [extent(SHOWN == number) for number in range(len(OBJECTS))]


def stamped(message, stamp, frame_id='camera_color_optical_frame'):
    """Set the header of a message; the stamp is in seconds."""
    nanoseconds = round(stamp * 1e9)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(nanoseconds, 10**9)
    message.header.frame_id = frame_id
    return message


def detections(stamp, boxes=BOXES):
    """Return a message with a detection for each box."""
    message = stamped(Detection2DArray(), stamp)
    for number, (x, y, width, height) in enumerate(boxes):
        item = Detection2D(header=message.header, id=str(number + 7))
        item.bbox.center.position.x, item.bbox.center.position.y = x, y
        item.bbox.size_x, item.bbox.size_y = width, height
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = f'class {number}', 0.75
        item.results.append(hypothesis)
        message.detections.append(item)
    return message


def camera_info(stamp=0.0, view=VIEW):
    """Return the CameraInfo of a view."""
    return stamped(CameraInfo(width=view.width, height=view.height, k=list(view.k)), stamp)


def depth_image(stamp, depth_m=DEPTH_M, encoding='16UC1', padding=0, big=False):
    """Return a depth image."""
    pixels = to_millimeters(depth_m) if encoding != '32FC1' else depth_m.astype(np.float32)
    message = make_image(pixels, encoding=encoding, padding=padding, big=big)
    return stamped(message, stamp)


def compressed_depth(stamp):
    """Return a depth image as compressed_depth_image_transport publishes it."""
    data = struct.pack('<i2f', 0, 0.0, 0.0) + cv2.imencode(
        '.png', to_millimeters(DEPTH_M))[1].tobytes()
    message = CompressedImage(format='16UC1; compressedDepth png', data=array.array('B', data))
    return stamped(message, stamp)


class Bench:
    """The node, a camera, a detector and subscribers, in one process."""

    def __init__(self, start=True, compressed=False, **values):
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = UdpInfer3dNode(context=self.context, parameter_overrides=[
            Parameter(name, value=value) for name, value in values.items()])
        self.peer = rclpy.create_node('peer', context=self.context)
        reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        self.detector = self.peer.create_publisher(Detection2DArray, 'detections', reliable)
        kind, name = (CompressedImage, 'depth/compressedDepth') if compressed else (Image, 'depth')
        self.depth = self.peer.create_publisher(kind, name, reliable)
        self.info = self.peer.create_publisher(CameraInfo, 'camera_info', reliable)
        self.found, self.markers, self.texts, self.health = [], [], [], []
        self.peer.create_subscription(
            Log, '/rosout', lambda message: self.texts.append(message.msg), 100)
        self.peer.create_subscription(DiagnosticArray, '/diagnostics', self.health.append, 10)
        self._spinning = True
        executors = [SingleThreadedExecutor(context=self.context) for _ in range(2)]
        for executor, node in zip(executors, (self.node, self.peer)):
            executor.add_node(node)
        self._executors = executors
        self._threads = [
            threading.Thread(target=self._spin, args=(executor,)) for executor in executors]
        for thread in self._threads:
            thread.start()
        if start:
            task = executors[0].create_task(self.node.bring_up)
            self.wait_until(task.done)
            assert task.result()

    def _spin(self, executor):
        while self._spinning:
            executor.spin_once(timeout_sec=0.05)

    def wait_until(self, condition, timeout_s=10.0):
        """Wait until a condition holds, or fail."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, f'{condition} did not come true: {self.texts}'
            time.sleep(0.01)

    def subscribe(self, info=True):
        """Subscribe to the positions, and wait for the subscriptions of the node."""
        subscription = self.peer.create_subscription(
            Detection3DArray, '/udp_infer_3d/detections_3d', self.found.append, 100)
        self.wait_for_inputs()
        if info:
            self.publish_info()
        return subscription

    def publish_info(self):
        """Publish a camera_info, and wait until it has arrived."""
        self.info.publish(camera_info())
        time.sleep(0.1)

    def wait_for_inputs(self):
        """Wait until the node has subscribed, reliably as the publishers."""
        topics = [item.topic_name for item in (self.detector, self.depth, self.info)]
        self.wait_until(lambda: all(
            [item.qos_profile.reliability for item in
             self.peer.get_subscriptions_info_by_topic(topic)] == [ReliabilityPolicy.RELIABLE]
            for topic in topics))
        self.wait_until(lambda: all(
            item.get_subscription_count() for item in (self.detector, self.depth, self.info)))
        # The subscriptions discover the publishers a little later than these discover them.
        time.sleep(0.3)

    def locate(self, depth, found):
        """Publish a depth image and detections; return the positions."""
        count = len(self.found)
        self.depth.publish(depth)
        self.detector.publish(found)
        self.wait_until(lambda: len(self.found) > count)
        return self.found[-1]

    def call(self, kind, name, **fields):
        """Call a service of the node."""
        client = self.peer.create_client(kind, f'/udp_infer_3d/{name}')
        assert client.wait_for_service(timeout_sec=10.0)
        future = client.call_async(kind.Request(**fields))
        self.wait_until(future.done)
        return future.result()

    def close(self):
        """Destroy everything."""
        self._spinning = False
        for thread in self._threads:
            thread.join(10.0)
        for executor in self._executors:
            executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()
        rclpy.shutdown(context=self.context)
        gc.collect()


@pytest.fixture
def make():
    """Return a function that starts a Bench."""
    benches = []

    def start(**keywords):
        benches.append(Bench(**keywords))
        return benches[-1]
    yield start
    for bench in benches:
        bench.close()


def centers_of(message):
    """Return the positions of a message."""
    return [[item.bbox.center.position.x, item.bbox.center.position.y,
             item.bbox.center.position.z] for item in message.detections]


def test_header_order_ids_classes_and_scores_are_as_received(make):
    bench = make()
    bench.subscribe()
    sent = detections(5.25)
    message = bench.locate(depth_image(5.25), sent)
    assert message.header == sent.header
    assert [item.header for item in message.detections] == [sent.header] * 2
    assert [item.id for item in message.detections] == ['7', '8']
    assert [item.results[0].hypothesis for item in message.detections] == [
        item.results[0].hypothesis for item in sent.detections]
    assert np.abs(np.array(centers_of(message)) - CENTERS_M).max() < 0.03
    first = message.detections[0]
    assert first.results[0].pose.pose == first.bbox.center
    assert first.bbox.center.orientation.w == 1.0
    assert first.results[0].pose.covariance[0] > 0.0
    assert (first.bbox.size.x, first.bbox.size.y) == pytest.approx((0.4, 0.6), abs=0.03)


@pytest.mark.parametrize('send', [
    partial(depth_image, encoding='mono16'), partial(depth_image, encoding='32FC1'),
    partial(depth_image, big=True, padding=6),
    partial(depth_image, encoding='32FC1', big=True, padding=4)],
    ids=['mono16', '32FC1', 'big-endian', 'big-endian floats'])
def test_every_encoding_of_depth_yields_the_same_positions(make, send):
    bench = make()
    bench.subscribe()
    message = bench.locate(send(5.0), detections(5.0))
    assert np.abs(np.array(centers_of(message)) - CENTERS_M).max() < 0.03


@pytest.mark.parametrize('transport', ['auto', 'compressed'])
def test_compressed_depth_is_received_from_the_topic_of_image_transport(make, transport):
    bench = make(compressed=True, transport=transport)
    bench.subscribe()
    message = bench.locate(compressed_depth(5.0), detections(5.0))
    assert np.abs(np.array(centers_of(message)) - CENTERS_M).max() < 0.03


def test_a_detection_without_valid_depth_is_left_out_and_counted(make):
    bench = make()
    bench.subscribe()
    depth = np.where(SHOWN == 0, np.nan, DEPTH_M)
    message = bench.locate(depth_image(5.0, depth, '32FC1'), detections(5.0))
    assert [item.id for item in message.detections] == ['8']
    assert (bench.node.stats.located, bench.node.stats.left_out) == (1, 1)
    nothing = np.full(DEPTH_M.shape, np.nan)
    assert not bench.locate(depth_image(6.0, nothing, '32FC1'), detections(6.0)).detections


def test_a_message_without_detections_needs_no_depth(make):
    bench = make()
    bench.subscribe(info=False)
    bench.detector.publish(detections(5.0, []))
    bench.wait_until(lambda: bench.found)
    assert bench.found[0].header.stamp.sec == 5


def test_the_node_subscribes_only_while_it_has_subscribers(make):
    bench = make()
    time.sleep(0.6)
    assert bench.peer.count_subscribers('/depth') == 0
    subscription = bench.subscribe()
    assert bench.peer.count_subscribers('/depth') == 1
    bench.peer.destroy_subscription(subscription)
    bench.wait_until(lambda: not bench.peer.count_subscribers('/depth'))
    assert bench.peer.count_subscribers('/detections') == 0


def test_a_subscriber_of_the_markers_gets_a_box_and_a_label_for_each_detection(make):
    messages = pytest.importorskip('visualization_msgs.msg')
    bench = make()
    bench.peer.create_subscription(
        messages.MarkerArray, '/udp_infer_3d/markers', bench.markers.append, 10)
    bench.wait_for_inputs()
    bench.publish_info()
    bench.depth.publish(depth_image(5.0))
    bench.detector.publish(detections(5.0))
    bench.wait_until(lambda: bench.markers)
    clear, *markers = bench.markers[0].markers
    assert clear.action == messages.Marker.DELETEALL
    assert [(item.ns, item.id) for item in markers] == [
        ('boxes', 0), ('labels', 0), ('boxes', 1), ('labels', 1)]
    assert markers[1].text == '#7 class 0 2.00 m'
    assert not bench.found


@pytest.mark.parametrize('prepare, words', [
    (lambda bench: None, ['no depth image arrived in time on /depth, which has 1 publishers']),
    (lambda bench: bench.depth.publish(depth_image(60.0)),
     ['differs by more than max_difference_s = 0.05', 'stamps up to 60.000 s', 'same clock']),
    (lambda bench: bench.depth.publish(depth_image(5.0, DEPTH_M[:120])),
     ['must have the aspect ratio of the color image, 320 x 240']),
    (lambda bench: bench.depth.publish(stamped(make_image(
        np.zeros((240, 320, 3), np.uint8)), 5.0)), ['depth.encoding', '16UC1, mono16, 32FC1'])],
    ids=['no depth', 'too far apart', 'sizes', 'not depth'])
def test_one_warning_names_why_detections_have_no_positions(make, prepare, words):
    bench = make(max_wait_s=0.0)
    bench.subscribe()
    prepare(bench)
    time.sleep(0.2)

    def warnings():
        return [text for text in bench.texts if text.startswith('no positions: ')]
    deadline_s = time.monotonic() + 10.0
    while not warnings():
        assert time.monotonic() < deadline_s
        bench.detector.publish(detections(5.0))
        time.sleep(0.1)
    for word in (*words, 'detections at', 'Hz'):
        assert word in warnings()[0]
    for _ in range(15):
        bench.detector.publish(detections(5.0))
        time.sleep(0.1)
    assert len(warnings()) == 1
    bench.wait_until(lambda: any(
        status.level == b'\x01' and status.message.startswith('no positions')
        for message in bench.health for status in message.status))


def test_detections_before_the_first_camera_info_are_counted_and_later_ones_located(make):
    bench = make()
    bench.subscribe(info=False)
    bench.depth.publish(depth_image(5.0))
    bench.detector.publish(detections(5.0))
    bench.wait_until(lambda: bench.node.stats.unpaired['no_camera_info'] == 1)
    bench.publish_info()
    assert len(bench.locate(depth_image(6.0), detections(6.0)).detections) == 2


def test_detections_wait_for_a_late_depth_image(make):
    bench = make(max_wait_s=5.0)
    bench.subscribe()
    bench.detector.publish(detections(5.0))
    time.sleep(0.3)
    bench.depth.publish(depth_image(5.0))
    bench.wait_until(lambda: bench.found)
    assert bench.node.stats.unpaired.total() == 0


def test_the_end_of_the_wait_needs_no_further_message(make):
    bench = make(max_wait_s=0.2)
    bench.subscribe()
    bench.depth.publish(depth_image(5.0))
    time.sleep(0.2)
    bench.detector.publish(detections(5.02))
    bench.wait_until(lambda: bench.found)


def test_invalid_messages_do_not_end_the_node(make):
    bench = make()
    bench.subscribe()
    bad = depth_image(5.0)
    bad.step = 3
    bench.depth.publish(bad)
    hostile = detections(5.0, [(np.nan, 1.0, 1.0, 1.0), (1e300, -1e300, np.inf, 0.0)])
    bench.detector.publish(hostile)
    bench.wait_until(lambda: bench.node.stats.unpaired['bad_depth'] == 1)
    late = detections(7.0)
    late.header.stamp.nanosec = 2_000_000_000
    bench.detector.publish(late)
    bench.wait_until(lambda: bench.node.stats.invalid_stamps == 1)
    assert not bench.locate(depth_image(6.0), detections(6.0, [(np.nan,) * 4])).detections
    assert len(bench.locate(depth_image(7.0), detections(7.0)).detections) == 2


def test_parameters_have_descriptions_and_are_checked_and_applied(make):
    bench = make()
    bench.subscribe()
    names = list(bench.node.settings.flat())
    described = bench.call(DescribeParameters, 'describe_parameters', names=names)
    assert all(item.description for item in described.descriptors)

    def set_parameter(name, value):
        parameter = Parameter(name, value=value).to_parameter_msg()
        [result] = bench.call(SetParameters, 'set_parameters', parameters=[parameter]).results
        return result
    refused = set_parameter('min_depth_m', 30.0)
    assert not refused.successful and 'must be below max_depth_m' in refused.reason
    assert 'unconfigured' in set_parameter('transport', 'raw').reason
    assert set_parameter('min_depth_m', 2.5).successful
    message = bench.locate(depth_image(6.0), detections(6.0))
    assert [item.id for item in message.detections] == ['8']


def test_the_lifecycle_can_be_managed(make):
    bench = make(start=False, autostart=False)

    def transition(label):
        return bench.call(
            ChangeState, 'change_state', transition=Transition(label=label)).success
    assert transition('configure') and transition('activate')
    bench.subscribe()
    assert len(bench.locate(depth_image(5.0), detections(5.0)).detections) == 2
    assert transition('deactivate')
    bench.wait_until(lambda: not bench.peer.count_subscribers('/depth'))
    assert transition('cleanup') and transition('configure') and transition('activate')
    bench.subscribe()
    assert len(bench.locate(depth_image(5.0), detections(5.0)).detections) == 2
    assert transition('deactivate') and transition('cleanup') and transition('shutdown')
