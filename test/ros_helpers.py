# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A node under test with a camera, subscribers and a UDP receiver, in one process."""

import array
import gc
import json
import socket
import threading
import time

from helpers import target_of
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import SetParametersAtomically
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
    """Build an Image message from pixels, with bytes of padding after each row."""
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


def gray_image(width=128, height=64, **keywords):
    """Build a gray Image message."""
    return make_image(np.full((height, width, 3), 127, dtype=np.uint8), **keywords)


class Bench:
    """
    The node, a camera, subscribers and a UDP receiver.

    Everything is asked of the node as another process would: by topics and services.

    :param values: parameters of the node.
    :param start: bring the node up.
    :param cli_args: arguments of the node, e.g. a remapping.
    """

    def __init__(self, values=None, *, start=True, cli_args=None):
        self.context = Context()
        rclpy.init(context=self.context)
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(('127.0.0.1', 0))
        self.receiver.settimeout(10.0)
        given = {'udp.targets': [target_of(self.receiver)], **(values or {})}
        self.node = UdpInferNode(
            context=self.context, cli_args=cli_args,
            parameter_overrides=[Parameter(name, value=value) for name, value in given.items()])
        self.peer = rclpy.create_node('peer', context=self.context)
        self.arrays, self.labels, self.infos = [], [], []
        self._clients = {}
        self.peer.create_subscription(
            Detection2DArray, '/udp_infer/detections', self.arrays.append, 100)
        self.peer.create_subscription(
            LabelInfo, '/udp_infer/label_info', self.labels.append, LATCHED)
        self.peer.create_subscription(
            VisionInfo, '/udp_infer/vision_info', self.infos.append, LATCHED)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        # A node of its own executor, as in another process.
        self._peer_executor = SingleThreadedExecutor(context=self.context)
        self._peer_executor.add_node(self.peer)
        self._spinning = True
        self._threads = [
            threading.Thread(target=self._spin, args=(executor,), daemon=True)
            for executor in (self.executor, self._peer_executor)]
        for thread in self._threads:
            thread.start()
        if start:
            assert self.bring_up()

    def _spin(self, executor):
        while self._spinning:
            executor.spin_once(timeout_sec=0.05)

    def bring_up(self):
        """Configure and activate as `udp_infer` does; return whether that worked."""
        task = self.executor.create_task(self.node.bring_up)
        self.wait_until(task.done, 30.0)
        return task.result()

    def call(self, kind, name, request=None, timeout_s=20.0, **fields):
        """Call a service of the node and return the response."""
        return self.wait_for(self.call_async(kind, name, request, **fields), timeout_s)

    def call_async(self, kind, name, request=None, **fields):
        """Call a service of the node and return the future."""
        if name not in self._clients:
            self._clients[name] = self.peer.create_client(kind, f'/udp_infer/{name}')
        client = self._clients[name]
        assert client.wait_for_service(timeout_sec=10.0)
        return client.call_async(request or kind.Request(**fields))

    def wait_for(self, future, timeout_s=20.0):
        """Wait for a response."""
        self.wait_until(future.done, timeout_s, 'a response')
        return future.result()

    def transition(self, *labels):
        """Request transitions one after the other; return whether all succeeded."""
        return all(
            self.call(ChangeState, 'change_state', transition=Transition(label=label)).success
            for label in labels)

    def camera(self, topic='/image_raw', *, reliable=True, kind=Image):
        """Create a publisher of images."""
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        return self.peer.create_publisher(
            kind, topic, QoSProfile(depth=1, reliability=reliability))

    def compressed_camera(self, **keywords):
        """Create a publisher of compressed images."""
        return self.camera('/image_raw/compressed', kind=CompressedImage, **keywords)

    def subscribe_to_log(self):
        """Return a list to which the texts that are logged from now on are appended."""
        texts = []
        self.peer.create_subscription(
            Log, '/rosout', lambda message: texts.append(message.msg), 100)
        self.wait_until(lambda: self.node.count_subscribers('/rosout'))
        return texts

    def wait_until(self, condition, timeout_s=10.0, because='', period_s=0.01):
        """Wait until a condition holds, or fail."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, f'{because or condition} did not come true'
            time.sleep(period_s)

    def connect(self, camera, message):
        """Publish until the first frame has been processed, then discard what was received."""
        # While the node subscribes again with the reliability of the camera, images are lost.
        self.wait_until(
            lambda: self._adapted(camera.topic_name), because='a subscription like the camera')
        before = self.node.stats.offered
        deadline_s = time.monotonic() + 10.0
        while self.node.stats.offered == before:
            assert time.monotonic() < deadline_s, 'no image arrived'
            camera.publish(message)
            time.sleep(0.1)
        self.settle()
        self.arrays.clear()
        self.receiver.setblocking(False)
        try:
            while self.receiver.recv(65535):
                pass
        except BlockingIOError:
            self.receiver.settimeout(10.0)

    def _adapted(self, topic):
        published = {
            item.qos_profile.reliability for item in self.peer.get_publishers_info_by_topic(topic)}
        subscribed = {
            item.qos_profile.reliability
            for item in self.peer.get_subscriptions_info_by_topic(topic)}
        return subscribed == {
            max(published, key=lambda policy: policy.name == 'BEST_EFFORT')}

    def settle(self):
        """Wait until every offered frame has been processed or dropped."""
        def settled():
            now = self.node.stats.snapshot()
            return now.offered == now.processed + sum(now.dropped.values())
        self.wait_until(settled)
        time.sleep(0.1)

    def publish(self, camera, message):
        """Publish one image; return the message and the datagram with its detections."""
        count = len(self.arrays)
        camera.publish(message)
        self.wait_until(lambda: len(self.arrays) > count, because='a detection message')
        return self.arrays[-1], json.loads(self.receiver.recv(65535))

    def set_parameters(self, **values):
        """Set parameters in one request; two underscores stand for a dot. Return the result."""
        return self.wait_for(self.set_parameters_async(**values)).result

    def set_parameters_async(self, **values):
        """Request a change of parameters and return the future."""
        return self.call_async(SetParametersAtomically, 'set_parameters_atomically', parameters=[
            Parameter(name.replace('__', '.'), value=value).to_parameter_msg()
            for name, value in values.items()])

    def close(self):
        """Destroy everything; a second call does nothing."""
        if not self._spinning:
            return
        self._spinning = False
        for thread in self._threads:
            thread.join(10.0)
        for executor in (self.executor, self._peer_executor):
            executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()
        rclpy.shutdown(context=self.context)
        self.receiver.close()
        # A lifecycle node of rclpy is part of a reference cycle, and its DDS participant lives as
        # long. With more than 32 participants on a host, new ones are not discovered.
        gc.collect()
