# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A node under test, with a camera that publishes and ears for both outputs, in one process."""

import array
import json
import socket
import threading
import time

import numpy as np
from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from udp_infer_ros.ros.node import UdpInferNode
from vision_msgs.msg import Detection2DArray, LabelInfo, VisionInfo

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def make_image(
    image, *, encoding='bgr8', stamp=(5, 7), frame_id='front_camera', padding=0, big=False,
):
    """Make an Image message from pixels, with bytes of padding after each row."""
    height, width = image.shape[:2]
    dtype = image.dtype.newbyteorder('>' if big else '<')
    rows = np.ascontiguousarray(image.astype(dtype)).reshape(height, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    message.is_bigendian = int(big)
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    message.header.frame_id = frame_id
    message.data = array.array('B', rows.tobytes())
    return message


def grey_image(width=128, height=64, **keywords):
    """Make a grey Image message."""
    return make_image(np.full((height, width, 3), 127, dtype=np.uint8), **keywords)


class Bench:
    """
    The node, a camera and ears.

    :param values: the node's parameters.
    """

    def __init__(self, values=None, *, start=True):
        self.context = Context()
        rclpy.init(context=self.context)
        self.ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ear.bind(('127.0.0.1', 0))
        self.ear.settimeout(10.0)
        given = {'udp.targets': [f'127.0.0.1:{self.ear.getsockname()[1]}'], **(values or {})}
        self.node = UdpInferNode(
            context=self.context,
            parameter_overrides=[Parameter(name, value=value) for name, value in given.items()])
        self.peer = rclpy.create_node('peer', context=self.context)
        self.arrays, self.labels, self.infos = [], [], []
        self.peer.create_subscription(
            Detection2DArray, '/udp_infer/detections', self.arrays.append, 100)
        self.peer.create_subscription(
            LabelInfo, '/udp_infer/label_info', self.labels.append, LATCHED)
        self.peer.create_subscription(
            VisionInfo, '/udp_infer/vision_info', self.infos.append, LATCHED)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self._spinning = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        if start:
            assert self.node.bring_up()

    def _spin(self):
        while self._spinning:
            self.executor.spin_once(timeout_sec=0.05)

    def camera(self, topic='/image_raw', *, reliable=True, kind=Image):
        """Make a publisher of images."""
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        return self.peer.create_publisher(
            kind, topic, QoSProfile(depth=1, reliability=reliability))

    def compressed_camera(self, **keywords):
        """Make a publisher of compressed images."""
        return self.camera('/image_raw/compressed', kind=CompressedImage, **keywords)

    def wait_until(self, condition, timeout_s=10.0, because=''):
        """Wait until something holds, or fail."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, f'{because or condition} did not come true'
            time.sleep(0.01)

    def connect(self, camera, message):
        """Publish until the first frame has come through, then clear the ears."""
        # While the node subscribes anew to be as reliable as the camera, images pass it by.
        self.wait_until(
            lambda: self._adapted(camera.topic_name), because='a subscription like the camera')
        before = self.node.stats.snapshot().offered
        deadline_s = time.monotonic() + 10.0
        while self.node.stats.snapshot().offered == before:
            assert time.monotonic() < deadline_s, 'no image arrived'
            camera.publish(message)
            time.sleep(0.1)
        self.settle()
        self.arrays.clear()
        self.ear.setblocking(False)
        try:
            while self.ear.recv(65535):
                pass
        except BlockingIOError:
            self.ear.settimeout(10.0)

    def _adapted(self, topic):
        wanted = {
            item.qos_profile.reliability for item in self.peer.get_publishers_info_by_topic(topic)}
        found = {
            item.qos_profile.reliability
            for item in self.peer.get_subscriptions_info_by_topic(topic)}
        return found == {max(wanted, key=lambda policy: policy.name == 'BEST_EFFORT')}

    def settle(self):
        """Wait until every frame that was offered has been dealt with."""
        def settled():
            told = self.node.stats.snapshot()
            return told.offered == told.processed + sum(told.dropped.values())
        self.wait_until(settled)
        time.sleep(0.1)

    def show(self, camera, message):
        """Publish one image; give the message and the datagram that come of it."""
        count = len(self.arrays)
        camera.publish(message)
        self.wait_until(lambda: len(self.arrays) > count, because='a detection message')
        return self.arrays[-1], json.loads(self.ear.recv(65535))

    def set_parameters(self, **values) -> SetParametersResult:
        """Set parameters, all at once; two underscores stand for a dot."""
        return self.node.set_parameters_atomically([
            Parameter(name.replace('__', '.'), value=value) for name, value in values.items()])

    def close(self):
        """End it all."""
        self._spinning = False
        self._thread.join(10.0)
        self.executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()
        rclpy.shutdown(context=self.context)
        self.ear.close()
