# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Images that the middleware loses are counted and reported, with the remedy."""

import os
from pathlib import Path
import re
import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

from diagnostic_msgs.msg import DiagnosticArray
from helpers import write_clip, write_model, yolo_table
import pytest
from ros_helpers import gray_image
from udp_infer_ros.ros import adaptive, transport_loss
from udp_infer_ros.ros.transport_loss import remedy, TransportLoss
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(120)
PROFILE = Path(__file__).parents[2] / 'config' / 'fastdds.xml'
PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
CAMERA = """
import array, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('camera')
publisher = node.create_publisher(
    Image, '/image_raw', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
message = Image(height=720, width=1280, encoding='bgr8', step=3840)
message.header.frame_id = 'front_camera'
message.data = array.array('B', bytes(720 * 3840))
while True:
    if publisher.get_subscription_count():
        publisher.publish(message)
    time.sleep(1 / 15)
"""


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / 'm.onnx', yolo_table([(10, 20, 30, 40, 0.9, 1)], 3)))


@pytest.fixture
def start_camera():
    """Return a function that starts a process that publishes 720p images without reliability."""
    cameras = []

    def start(profile=None):
        env = {key: value for key, value in os.environ.items() if key not in PROFILE_VARIABLES}
        if profile is not None:
            env.update(dict.fromkeys(PROFILE_VARIABLES, str(profile)))
        cameras.append(subprocess.Popen([sys.executable, '-c', CAMERA], env=env))
        return cameras[-1]
    yield start
    for camera in cameras:
        camera.terminate()
        camera.wait(20.0)


def subscribe_to_source(bench):
    """Return a list to which (level, message, values) of the status `source` are appended."""
    reports = []

    def receive(array):
        for status in array.status:
            if status.name.endswith('source'):
                values = {item.key: item.value for item in status.values}
                reports.append((int.from_bytes(status.level, 'little'), status.message, values))
    bench.peer.create_subscription(DiagnosticArray, '/diagnostics', receive, 10)
    return reports


def test_images_that_stock_fast_dds_loses_are_counted_and_reported_with_the_remedy(
        make_bench, start_camera):
    bench = make_bench(source__stall_timeout_s=60.0)
    logged, reports = bench.subscribe_to_log(), subscribe_to_source(bench)
    camera = start_camera()

    def is_reported():
        return any(level == 1 and 'the middleware lost' in text for level, text, _ in reports)
    bench.wait_until(is_reported, 40.0)
    text, values = next(
        (text, values) for _, text, values in reports if 'the middleware lost' in text)
    # `ros2 topic echo` prints the first 128 characters of each text.
    assert 'images on /image_raw in' in text and len(text) < 128
    assert 'not of this one' in values['remedy']
    assert Path(re.search(r'DEFAULT_PROFILES_FILE=(\S+)', values['remedy'])[1]).is_file()
    assert int(values['dropped_transport']) >= 3
    bench.wait_until(lambda: bench.node.stats.transport_lost > 40, 30.0)
    lines = [line for line in logged if 'the middleware lost' in line]
    assert len(lines) == 1 and 'docs/middleware.md' in lines[0]
    camera.terminate()
    # Then the subscription becomes reliable, as the next publisher.
    bench.wait_until(lambda: bench.node.count_publishers('/image_raw') == 0, 30.0)
    small = bench.camera()
    bench.connect(small, gray_image())
    before = bench.node.stats.snapshot()
    _, datagram = bench.publish(small, gray_image(stamp=(6, 0)))
    assert datagram['udp_infer']['dropped']['transport'] == before.transport_lost > 40
    assert datagram['frame_id'] == before.offered, 'lost images have no number'


def test_a_topic_that_is_silent_because_all_images_are_lost_is_an_error_with_the_remedy(
        make_bench, start_camera):
    bench = make_bench(source__stall_timeout_s=0.5)
    reports = subscribe_to_source(bench)
    start_camera()
    bench.wait_until(lambda: any(
        level == 2 and text.startswith('no image for')
        and 'config/fastdds.xml' in values.get('remedy', '') for level, text, values in reports),
        40.0)


def test_with_the_shipped_profile_in_the_publisher_alone_its_images_arrive(
        make_bench, start_camera, monkeypatch):
    for name in PROFILE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    bench = make_bench()
    start_camera(PROFILE)
    bench.wait_until(lambda: bench.node.stats.offered >= 40, 40.0)
    assert bench.node.stats.transport_lost <= 2


def test_images_without_loss_are_reported_as_0_across_new_subscriptions(make_bench):
    bench = make_bench()
    reports = subscribe_to_source(bench)
    for i, reliable in enumerate((True, False, True)):
        camera = bench.camera(reliable=reliable)
        bench.connect(camera, gray_image(stamp=(6 + i, 0)))
        _, datagram = bench.publish(camera, gray_image(stamp=(6 + i, 1)))
        bench.peer.destroy_publisher(camera)
        assert datagram['udp_infer']['dropped']['transport'] == 0
    bench.wait_until(lambda: any(
        values.get('dropped_transport') == '0' for _, _, values in reports))


def test_a_middleware_that_does_not_report_losses_is_unknown_not_0(make_bench, monkeypatch):
    class WithoutEvent(adaptive.SubscriptionEventCallbacks):
        """The callbacks as with an RMW that does not support the event."""

        def create_event_handlers(self, *arguments):
            if self.message_lost:
                raise adaptive.UnsupportedEventTypeError('unsupported')
            return super().create_event_handlers(*arguments)
    monkeypatch.setattr(adaptive, 'SubscriptionEventCallbacks', WithoutEvent)
    bench = make_bench()
    reports = subscribe_to_source(bench)
    camera = bench.camera()
    bench.connect(camera, gray_image())
    _, datagram = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert 'transport' not in datagram['udp_infer']['dropped']
    bench.wait_until(lambda: len(reports) >= 2)
    assert {values['dropped_transport'] for _, _, values in reports} == {'unknown'}


def test_a_source_that_is_not_a_topic_has_no_count_of_lost_images(make_bench, tmp_path):
    clip = tmp_path / 'clip.avi'
    write_clip(clip, frames=3, fps=10, step=10)
    bench = make_bench(source__uri=str(clip))
    reports = subscribe_to_source(bench)
    bench.wait_until(lambda: len(bench.arrays) >= 1 and reports)
    assert 'dropped_transport' not in reports[-1][2]
    assert bench.node.stats.transport_lost is None


class Clock:
    """A clock that the test sets."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


class Window:
    """A TransportLoss that receives images at 10 Hz and is polled at 4 Hz."""

    def __init__(self):
        self.clock, self.stats = Clock(), Stats()
        self.loss = TransportLoss(self.stats, self.clock)
        self.lose = self.loss.make_callback()
        self.total = 0
        self.warnings = 0

    def run(self, seconds, *, lost_per_s=0):
        """Run for some seconds, with some of the ten images lost in each."""
        for _ in range(seconds):
            self.total += lost_per_s
            if lost_per_s:
                self.lose(SimpleNamespace(total_count=self.total, total_count_change=1))
            for _ in range(10 - lost_per_s):
                self.stats.count_offered()
            for _ in range(4):
                self.clock.now_s += 0.25
                self.warnings += self.loss.poll()


def test_more_than_a_few_percent_of_the_last_seconds_are_a_fault_and_one_warning():
    window = Window()
    window.run(60)
    assert not window.loss.is_excessive
    window.run(60, lost_per_s=1)
    assert window.loss.is_excessive and window.warnings == 1
    assert window.loss.describe('/image_raw') == (
        'the middleware lost 10 of 100 images on /image_raw in 10 s')
    window.run(11)
    assert not window.loss.is_excessive and window.warnings == 1


def test_a_loss_after_seconds_without_one_is_a_new_warning():
    window = Window()
    for _ in range(2):
        window.run(5, lost_per_s=5)
        window.run(20)
    assert window.warnings == 2


def test_a_loss_around_the_limit_is_one_warning():
    window = Window()
    for _ in range(10):
        window.run(1, lost_per_s=6)
        window.run(9)
    assert window.warnings == 1


def test_few_lost_images_are_no_fault():
    window = Window()
    window.run(1, lost_per_s=2)
    assert not window.loss.is_excessive and window.warnings == 0
    window.stats.set_transport_known(True)
    assert window.stats.transport_lost == 2


def test_the_count_continues_with_a_new_subscription_and_when_an_event_is_missed():
    stats = Stats()
    stats.set_transport_known(True)
    loss = TransportLoss(stats)
    first, second = loss.make_callback(), loss.make_callback()
    first(SimpleNamespace(total_count=3, total_count_change=3))
    first(SimpleNamespace(total_count=9, total_count_change=1))
    second(SimpleNamespace(total_count=2, total_count_change=2))
    assert stats.transport_lost == 11


@pytest.mark.parametrize('distribution, name', [
    ('humble', 'FASTRTPS'), ('jazzy', 'FASTRTPS'), ('kilted', 'FASTDDS'), ('rolling', 'FASTDDS')])
def test_the_remedy_names_the_variable_of_the_distribution(monkeypatch, distribution, name):
    monkeypatch.setenv('ROS_DISTRO', distribution)
    assert f'set {name}_DEFAULT_PROFILES_FILE=' in remedy()


def test_the_remedy_of_another_middleware_is_not_the_profile_of_fast_dds(monkeypatch):
    monkeypatch.setattr(
        transport_loss, 'get_rmw_implementation_identifier', lambda: 'rmw_cyclonedds_cpp')
    text = remedy()
    assert 'configure rmw_cyclonedds_cpp; see docs/middleware.md' in text
    assert 'PROFILES' not in text


def test_the_profile_has_a_segment_that_holds_a_4k_frame_and_only_that_differs_from_the_default():
    root = ElementTree.parse(PROFILE).getroot()
    settings = {
        element.tag.partition('}')[2]: element.text for element in root.iter()
        if not len(element) and not element.tag.endswith('transport_id')}
    assert settings.keys() == {'type', 'segment_size', 'useBuiltinTransports'}
    assert int(settings['segment_size']) >= 3840 * 2160 * 3
