# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Topics with changing publishers, QoS, transport, stamps, rates and malformed messages."""

import array
import random
import subprocess
import sys
import time

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from helpers import FUZZ_FACTOR, PipelineStandIn, write_model, yolo_table
import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from ros_helpers import gray_image, make_image
from sensor_msgs.msg import CameraInfo, CompressedImage
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
def model(tmp_path):
    return str(write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 3)))


def jpeg_message(frame_id='front_camera', stamp=(5, 7)):
    """Build a CompressedImage message."""
    message = CompressedImage(format='bgr8; jpeg compressed bgr8')
    message.header.frame_id = frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    picture = cv2.GaussianBlur(
        np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8), (0, 0), 3)
    message.data = array.array('B', cv2.imencode('.jpg', picture)[1].tobytes())
    return message


def test_transport_auto_follows_what_is_published_and_prefers_raw(make_bench, capfd):
    bench = make_bench()
    compressed = bench.compressed_camera()
    bench.connect(compressed, jpeg_message())
    _, datagram = bench.publish(compressed, jpeg_message(stamp=(6, 0)))
    assert datagram['udp_infer']['source'] == '/image_raw/compressed'
    raw = bench.camera()
    bench.connect(raw, gray_image(stamp=(7, 0)))
    _, datagram = bench.publish(raw, gray_image(stamp=(7, 1)))
    assert datagram['udp_infer']['source'] == '/image_raw'
    bench.wait_until(lambda: compressed.get_subscription_count() == 0)
    compressed.publish(jpeg_message(stamp=(8, 0)))
    _, after = bench.publish(raw, gray_image(stamp=(8, 0)))
    assert after['frame_id'] == datagram['frame_id'] + 1, 'no frame is processed twice'
    bench.peer.destroy_publisher(raw)
    bench.connect(compressed, jpeg_message(stamp=(9, 0)))
    assert 'switching to /image_raw/compressed: /image_raw has no publisher' in (
        capfd.readouterr().err)


def test_transport_compressed_subscribes_to_compressed_images(make_bench):
    bench = make_bench(source__transport='compressed')
    camera = bench.compressed_camera()
    image = jpeg_message('jpeg_camera')
    bench.connect(camera, image)
    message, datagram = bench.publish(camera, image)
    assert message.header.frame_id == 'jpeg_camera' and len(message.detections) == 1
    assert datagram['udp_infer']['source'] == '/image_raw/compressed'
    image.data = image.data[:10]
    camera.publish(image)
    bench.wait_until(lambda: bench.node.stats.dropped()['decode_error'] == 1)


@pytest.mark.parametrize('first, second', [(True, False), (False, True)])
def test_the_subscription_is_as_reliable_as_the_publishers(make_bench, first, second):
    bench = make_bench()

    def reliabilities():
        return {info.qos_profile.reliability.name
                for info in bench.peer.get_subscriptions_info_by_topic('/image_raw')}
    camera = bench.camera(reliable=first)
    bench.wait_until(
        lambda: reliabilities() == {'RELIABLE' if first else 'BEST_EFFORT'})
    bench.connect(camera, gray_image())
    bench.peer.destroy_publisher(camera)
    camera = bench.camera(reliable=second)
    bench.wait_until(
        lambda: reliabilities() == {'RELIABLE' if second else 'BEST_EFFORT'})
    bench.connect(camera, gray_image(stamp=(6, 0)))


def test_one_best_effort_publisher_makes_the_subscription_best_effort(make_bench):
    bench = make_bench()
    cameras = [bench.camera(reliable=True), bench.camera(reliable=False)]
    bench.wait_until(lambda: bench.peer.count_publishers('/image_raw') == 2)
    for i, camera in enumerate(cameras):
        bench.connect(camera, gray_image(stamp=(6 + i, 0)))


def test_an_overridden_reliability_is_kept_and_a_mismatch_is_logged_once(make_bench):
    bench = make_bench(**{'qos_overrides./image_raw.subscription.reliability': 'reliable'})
    logged = bench.subscribe_to_log()
    camera = bench.camera(reliable=False)
    text = 'a publisher of /image_raw offers a QoS that is incompatible with this subscription'

    def is_logged():
        camera.publish(gray_image())
        return text in ''.join(logged)
    bench.wait_until(is_logged, period_s=0.1)
    assert ''.join(logged).count(text) == 1
    assert bench.node.stats.offered == 0


def test_two_cameras_on_one_topic_give_one_warning(make_bench, capfd):
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
def test_images_arrive_from_a_restarted_publisher_with_another_qos(
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


def test_each_loop_of_a_bag_gets_new_ids_and_no_frame_is_stale(make_bench):
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
def test_images_with_stamps_of_zero_the_future_or_a_recording_are_processed(
        make_bench, sim_time, offset_s):
    bench = make_bench(source__max_age_s=0.2, use_sim_time=sim_time)
    camera = bench.camera()
    stamp = (0, 0) if offset_s is None else (int(time.time()) + offset_s, 0)
    bench.connect(camera, gray_image(stamp=stamp))
    message, datagram = bench.publish(camera, gray_image(stamp=stamp))
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == stamp
    assert bench.node.stats.dropped()['stale'] == 0
    assert all(value >= 0.0 for value in datagram['udp_infer']['latency_ms'].values())


def test_a_frame_older_than_max_age_s_is_dropped_and_counted(make_bench):
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


def test_frames_above_max_fps_are_dropped_and_counted(make_bench):
    bench = make_bench(source__max_fps=5.0)
    camera = bench.camera()
    bench.connect(camera, gray_image())
    before = bench.node.stats.snapshot()

    def is_limited():
        camera.publish(gray_image(stamp=(6, 0)))
        now = bench.node.stats.snapshot()
        return now.processed > before.processed and (
            now.dropped['max_fps'] - before.dropped['max_fps'] >= 20)
    bench.wait_until(is_limited)


def test_a_stall_is_counted_and_logged_once_with_the_number_of_publishers(make_bench, capfd):
    bench = make_bench(source__stall_timeout_s=0.5)
    bench.camera()
    bench.wait_until(lambda: bench.node.stats.snapshot().stalls == 1)
    reports = []
    bench.peer.create_subscription(DiagnosticArray, '/diagnostics', reports.append, 10)
    bench.wait_until(lambda: len(reports) >= 2, because='time for several checks of the source')
    errors = capfd.readouterr().err
    assert errors.count('no image for') == 1
    assert 'on topic /image_raw, which has 1 publisher; check QoS and network' in errors
    now = bench.node.stats.snapshot()
    assert now.stalls == 1 and 'no image for' in now.last_error


@pytest.fixture
def other_participant():
    """Return a node of another DDS participant, in which a topic can have another type."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('other', context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize('topic, transport, kind, text', [
    ('/cam/image_raw/compressed', 'auto', CompressedImage,
     'topic /cam/image_raw/compressed, whose type is sensor_msgs/msg/CompressedImage; remap '
     'image_raw to /cam/image_raw: the compressed transport is found by itself'),
    ('/cam/image_raw/compressed', 'compressed', CompressedImage,
     'topic /cam/image_raw/compressed/compressed, which has 0 publishers; remap image_raw to '
     '/cam/image_raw: the compressed transport is found by itself'),
    ('/cam/jpeg', 'auto', CompressedImage,
     'topic /cam/jpeg, whose type is sensor_msgs/msg/CompressedImage; publish it with a name '
     'that ends with /compressed'),
    ('/cam/camera_info', 'auto', CameraInfo,
     'topic /cam/camera_info, whose type is sensor_msgs/msg/CameraInfo; remap image_raw to a '
     'topic of the type sensor_msgs/msg/Image'),
])
def test_a_topic_of_another_type_is_reported_with_its_type_and_what_to_do(
        make_bench, other_participant, capfd, topic, transport, kind, text):
    bench = make_bench(
        start=False, cli_args=['--ros-args', '-r', f'image_raw:={topic}'],
        source__transport=transport, source__stall_timeout_s=1.0)
    other_participant.create_publisher(kind, topic, 1)
    bench.wait_until(lambda: bench.node.count_publishers(topic) == 1)
    assert bench.bring_up()
    reports = []
    bench.peer.create_subscription(DiagnosticArray, '/diagnostics', reports.append, 10)
    bench.wait_until(lambda: any(
        text in status.message for report in reports for status in report.status))
    assert text in capfd.readouterr().err


def test_a_password_is_neither_in_a_parameter_nor_in_the_log():
    done = subprocess.run(
        [sys.executable, '-c', NODE_WITH_PASSWORD], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert 'rtsp://***@127.0.0.1:9/1' in done.stdout
    assert 'hidden' not in done.stdout + done.stderr


NODE_WITH_PASSWORD = """
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


def damaged_image(rng):
    """Build an Image message with up to three random faults."""
    height, width = rng.choice([(6, 8), (5, 7), (1, 1), (48, 64)])
    pixels = np.full((height, width, 3), rng.randrange(256), dtype=np.uint8)
    message = make_image(pixels, padding=rng.choice([0, 0, 3]))
    known = [*convert.ENCODINGS, *convert.TWO_PLANES]
    for _ in range(rng.randrange(4)):
        what = rng.randrange(6)
        number = rng.choice([0, 1, 2, 3, 7, 8, 64, 65536, 2**31, 2**32 - 1])
        if what == 0:
            message.height = number
        elif what == 1:
            message.width = number
        elif what == 2:
            message.step = number
        elif what == 3:
            message.encoding = rng.choice([*known, '', 'rgb16', '32FC1', 'bgr\x07', 'ü' * 99])
        elif what == 4:
            message.is_bigendian = rng.randrange(256)
        else:
            message.data = message.data[:rng.randrange(len(message.data) + 1)]
    if rng.random() < 0.1:
        message.header.stamp.nanosec = 2**32 - 1
        message.header.stamp.sec = rng.choice([-2**31, 2**31 - 1])
    return message


def damaged_picture(rng):
    """Build a CompressedImage message, possibly truncated or with flipped bits."""
    message = jpeg_message()
    data = bytearray(message.data)
    if rng.random() < 0.3:
        data = bytearray(cv2.imencode('.png', np.full((9, 9, 3), 7, dtype=np.uint8))[1])
    if rng.random() < 0.4:
        del data[rng.randrange(len(data)):]
    for _ in range(rng.choice([0, 1, 1, 5, 50])):
        if data:
            # Half of the faults are in the header, where most decoders fail.
            end = len(data) if rng.random() < 0.5 else min(len(data), 200)
            data[rng.randrange(end)] ^= 1 << rng.randrange(8)
    message.data = array.array('B', bytes(data))
    message.format = rng.choice([
        message.format, message.format, 'jpeg', 'png', '', '16UC1; compressedDepth png'])
    return message


class PixelPipeline(PipelineStandIn):
    """A pipeline that reads every pixel and detects nothing."""

    def __init__(self, stats):
        super().__init__()
        self.stats = stats

    def to_result(self, frame):
        """Count the frame."""
        assert frame.image.sum() >= 0
        self.stats.count_processed({'total': 1.0})


@pytest.mark.parametrize('transport, build', [
    ('raw', damaged_image), ('compressed', damaged_picture)])
def test_a_damaged_message_is_processed_or_counted_and_does_not_end_the_worker(
        make_bench, transport, build):
    count = round(500 * FUZZ_FACTOR)
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
    rng = random.Random(2026)
    for _ in range(count):
        before = stats.offered
        camera.publish(build(rng))
        bench.wait_until(lambda: stats.offered > before, period_s=0.0005)
    assert source.stop() and worker.stop(30.0)
    now = stats.snapshot()
    assert now.offered == now.processed + sum(now.dropped.values()) >= count
    assert now.processed > count // 20
    cause = 'bad_message' if transport == 'raw' else 'decode_error'
    assert now.dropped[cause] > count // 20 and now.dropped['inference_error'] == 0
    assert now.last_error.startswith('frame dropped: ')
