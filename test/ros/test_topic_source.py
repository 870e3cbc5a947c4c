# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Topics come and go, speak two languages, and say nonsense; the node lives through it."""

import array
import os
import random
import subprocess
import sys
import time

import cv2
from helpers import write_model, yolo_table
import numpy as np
import pytest
from ros_helpers import Bench, gray_image, make_image
from sensor_msgs.msg import CompressedImage
from udp_infer_ros.ros import convert
from udp_infer_ros.ros.topic_source import MESSAGES, TopicSource
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.stats import Stats
from udp_infer_ros.worker import Worker

pytestmark = pytest.mark.timeout(90)
BOXES = [(10, 20, 30, 40, 0.9, 1)]
CAMERA = """
import sys, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('camera')
reliability = getattr(ReliabilityPolicy, sys.argv[1])
publisher = node.create_publisher(
    Image, '/image_raw', QoSProfile(depth=1, reliability=reliability))
message = Image(height=48, width=64, encoding='bgr8', step=192, data=bytes(48 * 192))
while True:
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    time.sleep(0.05)
"""


@pytest.fixture
def make_bench(tmp_path):
    benches = []

    def make(start=True, **values):
        model = write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 3))
        given = {'model.id': str(model), 'model.threads': 1}
        given.update({name.replace('__', '.'): value for name, value in values.items()})
        benches.append(Bench(given, start=start))
        return benches[-1]
    yield make
    for bench in benches:
        bench.close()


def jpeg_message(frame_id='front_camera', stamp=(5, 7)):
    """Make a CompressedImage message."""
    message = CompressedImage(format='bgr8; jpeg compressed bgr8')
    message.header.frame_id = frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    picture = cv2.GaussianBlur(
        np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8), (0, 0), 3)
    message.data = array.array('B', cv2.imencode('.jpg', picture)[1].tobytes())
    return message


def test_auto_takes_what_is_published_and_raw_where_both_are(make_bench, capfd):
    bench = make_bench()
    compressed = bench.compressed_camera()
    bench.connect(compressed, jpeg_message())
    _, datagram = bench.publish(compressed, jpeg_message(stamp=(6, 0)))
    assert datagram['udp_infer']['source'] == '/image_raw/compressed'
    raw = bench.camera()
    bench.connect(raw, gray_image(stamp=(7, 0)))
    _, datagram = bench.publish(raw, gray_image(stamp=(7, 1)))
    assert datagram['udp_infer']['source'] == '/image_raw'
    offered = bench.node.stats.snapshot().offered
    compressed.publish(jpeg_message(stamp=(8, 0)))
    time.sleep(0.3)
    assert bench.node.stats.snapshot().offered == offered, 'no frame twice'
    bench.peer.destroy_publisher(raw)
    bench.connect(compressed, jpeg_message(stamp=(9, 0)))
    assert 'switching to /image_raw/compressed: /image_raw has no publisher' in capfd.readouterr().err


def test_two_cameras_on_one_topic_are_warned_of_once(make_bench, capfd):
    bench = make_bench()
    cameras = [bench.camera(), bench.camera()]
    for camera in cameras:
        bench.connect(camera, gray_image(frame_id='left'))
    assert 'publishers, with frame_id' not in capfd.readouterr().err
    for i in range(3):
        for camera, frame_id in zip(cameras, ('left', 'right')):
            bench.publish(camera, gray_image(stamp=(6 + i, 0), frame_id=frame_id))
    errors = capfd.readouterr().err
    assert errors.count("/image_raw has 2 publishers, with frame_id 'left' and 'right'") == 1


@pytest.mark.parametrize('first, second', [
    ('RELIABLE', 'BEST_EFFORT'), ('BEST_EFFORT', 'RELIABLE')])
def test_a_publisher_that_is_killed_and_comes_back_with_another_qos_is_heard(
        make_bench, first, second):
    bench = make_bench()

    def wait_for_results():
        count = len(bench.arrays)
        bench.wait_until(lambda: len(bench.arrays) >= count + 3, 20.0)
    for reliability in (first, second):
        camera = subprocess.Popen([sys.executable, '-c', CAMERA, reliability])
        try:
            wait_for_results()
        finally:
            camera.kill()
            camera.wait()
    assert bench.node.stats.dropped()['bad_message'] == 0


def test_a_bag_that_loops_gets_new_ids_each_time_and_no_frame_is_too_old(make_bench):
    bench = make_bench(source__max_age_s=0.5)
    camera = bench.camera()
    bench.connect(camera, gray_image(stamp=(99, 0)))
    ids = []
    for _ in range(3):
        for i in range(5):
            message, _ = bench.publish(camera, gray_image(stamp=(100, i * 100_000_000)))
            ids.append([item.id for item in message.detections])
    loops = [ids[:5], ids[5:10], ids[10:]]
    assert [len({tuple(item) for item in loop}) for loop in loops] == [1, 1, 1]
    assert len({loop[0][0] for loop in loops}) == 3
    assert bench.node.stats.dropped()['stale'] == 0


@pytest.mark.parametrize('sim_time', [False, True])
@pytest.mark.parametrize('offset_s', [None, 3600, -7200])
def test_stamps_of_zero_of_the_future_or_of_a_recording_are_processed(
        make_bench, sim_time, offset_s):
    bench = make_bench(source__max_age_s=0.2, use_sim_time=sim_time)
    camera = bench.camera()
    stamp = (0, 0) if offset_s is None else (int(time.time()) + offset_s, 0)
    bench.connect(camera, gray_image(stamp=stamp))
    message, datagram = bench.publish(camera, gray_image(stamp=stamp))
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == stamp
    assert bench.node.stats.dropped()['stale'] == 0
    assert all(value >= 0.0 for value in datagram['udp_infer']['latency_ms'].values())


def test_a_frame_that_is_too_old_is_dropped_and_counted(make_bench):
    bench = make_bench(source__max_age_s=0.5)
    camera = bench.camera()

    def image(age_s):
        sec, nanosec = divmod(time.time_ns() - int(age_s * 1e9), 1_000_000_000)
        return gray_image(stamp=(sec, nanosec))
    bench.connect(camera, image(0.0))
    camera.publish(image(2.0))
    bench.wait_until(lambda: bench.node.stats.dropped()['stale'] == 1)
    _, datagram = bench.publish(camera, image(0.0))
    assert datagram['udp_infer']['dropped']['stale'] == 1


def test_no_more_frames_are_looked_at_than_are_wanted(make_bench):
    bench = make_bench(source__max_fps=5.0)
    camera = bench.camera()
    bench.connect(camera, gray_image())
    before = bench.node.stats.snapshot()
    for i in range(40):
        camera.publish(gray_image(stamp=(6, i)))
        time.sleep(0.02)
    bench.settle()
    told = bench.node.stats.snapshot()
    assert told.dropped['max_fps'] - before.dropped['max_fps'] >= 20
    assert told.processed > before.processed


def test_silence_is_counted_as_a_stall(make_bench):
    bench = make_bench(source__stall_timeout_s=0.3)
    bench.wait_until(lambda: bench.node.stats.snapshot().stalls == 1)
    assert 'no image for' in bench.node.stats.snapshot().last_error


def test_a_password_is_in_no_parameter_that_others_can_read():
    done = subprocess.run(
        [sys.executable, '-c', PARAMETERS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert 'rtsp://***@127.0.0.1:9/1' in done.stdout
    assert 'hidden' not in done.stdout + done.stderr


PARAMETERS = """
import sys
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from udp_infer_ros.ros.node import UdpInferNode
rclpy.init()
node = UdpInferNode(parameter_overrides=[
    Parameter('source.uri', value='rtsp://me:hidden@127.0.0.1:9/1'),
    Parameter('udp.targets', value=['127.0.0.1:9'])])
print(node.get_parameter('source.uri').value)
assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
assert node.trigger_activate() == TransitionCallbackReturn.FAILURE
node.destroy_node()
"""


def spoiled_image(dice):
    """Make an Image message with something wrong in it, or nothing."""
    height, width = dice.choice([(6, 8), (5, 7), (1, 1), (48, 64)])
    pixels = np.full((height, width, 3), dice.randrange(256), dtype=np.uint8)
    message = make_image(pixels, padding=dice.choice([0, 0, 3]))
    known = [*convert.ENCODINGS, *convert.TWO_PLANES]
    for _ in range(dice.randrange(4)):
        what = dice.randrange(6)
        number = dice.choice([0, 1, 2, 3, 7, 8, 64, 65536, 2**31, 2**32 - 1])
        if what == 0:
            message.height = number
        elif what == 1:
            message.width = number
        elif what == 2:
            message.step = number
        elif what == 3:
            message.encoding = dice.choice([*known, '', 'rgb16', '32FC1', 'bgr\x07', 'ü' * 99])
        elif what == 4:
            message.is_bigendian = dice.randrange(256)
        else:
            message.data = message.data[:dice.randrange(len(message.data) + 1)]
    if dice.random() < 0.1:
        message.header.stamp.nanosec = 2**32 - 1
        message.header.stamp.sec = dice.choice([-2**31, 2**31 - 1])
    return message


def spoiled_picture(dice):
    """Make a CompressedImage message with flipped bits, a cut, or nothing wrong in it."""
    message = jpeg_message()
    data = bytearray(message.data)
    if dice.random() < 0.3:
        data = bytearray(cv2.imencode('.png', np.full((9, 9, 3), 7, dtype=np.uint8))[1])
    if dice.random() < 0.4:
        del data[dice.randrange(len(data)):]
    for _ in range(dice.choice([0, 1, 1, 5, 50])):
        if data:
            # The header is where the trouble is.
            end = len(data) if dice.random() < 0.5 else min(len(data), 200)
            data[dice.randrange(end)] ^= 1 << dice.randrange(8)
    message.data = array.array('B', bytes(data))
    message.format = dice.choice([
        message.format, message.format, 'jpeg', 'png', '', '16UC1; compressedDepth png'])
    return message


class PixelPipeline:
    """A pipeline that reads every pixel and finds nothing."""

    def __init__(self, stats):
        self.stats = stats

    def process(self, frame):
        """Count the frame."""
        assert frame.image.sum() >= 0
        self.stats.count_processed({'total': 1.0})


@pytest.mark.parametrize('transport, spoil', [
    ('raw', spoiled_image), ('compressed', spoiled_picture)])
def test_every_mutated_message_is_counted_and_none_ends_the_worker(make_bench, transport, spoil):
    count = int(os.environ.get('UDP_INFER_FUZZ', '1000'))
    bench = make_bench(start=False)
    kind, _ = MESSAGES[transport]
    stats = Stats()
    intake = Intake(SourceSettings(), stats, now_ns=time.time_ns)
    source = TopicSource(bench.node, SourceSettings(transport=transport))
    worker = Worker(intake, PixelPipeline(stats), (), stats)
    worker.start()
    source.start(intake)
    camera = bench.camera(source.topic, kind=kind)
    bench.wait_until(lambda: bench.node.count_publishers(source.topic))
    bench.wait_until(lambda: camera.publish(kind()) or stats.offered > 0)
    dice = random.Random(2026)
    for _ in range(count):
        before = stats.offered
        camera.publish(spoil(dice))
        bench.wait_until(lambda: stats.offered > before, period_s=0.0005)
    assert source.stop() and worker.stop(30.0)
    now = stats.snapshot()
    assert now.offered == now.processed + sum(now.dropped.values()) >= count
    assert now.processed > count // 20
    cause = 'bad_message' if transport == 'raw' else 'decode_error'
    assert now.dropped[cause] > count // 20 and now.dropped['inference_error'] == 0
    assert now.last_error.startswith('frame dropped: ')
