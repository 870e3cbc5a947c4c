# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Annotated images, diagnostics, control services and the resources of many life cycles."""

import json
import os
from pathlib import Path
import subprocess
import sys
import threading

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from helpers import write_model, yolo_table
import numpy as np
import pytest
from ros_helpers import gray_image
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger
from udp_infer_ros.ros import image_output

pytestmark = pytest.mark.timeout(60)
BOXES = [(10, 20, 30, 40, 0.9, 1), (40, 20, 60, 44, 0.6, 0)]


@pytest.fixture
def model(tmp_path):
    return str(write_model(
        tmp_path / 'two.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"}))


def subscribe(bench, kind, topic):
    """Subscribe to a topic; return the list of the received messages."""
    received = []
    bench.peer.create_subscription(kind, topic, received.append, 10)
    return received


def test_an_annotated_image_has_the_header_of_its_image_and_shows_the_boxes(make_bench):
    bench = make_bench(annotate__max_fps=0.0)
    camera = bench.camera()
    raw = subscribe(bench, Image, '/udp_infer/image_annotated')
    compressed = subscribe(bench, CompressedImage, '/udp_infer/image_annotated/compressed')
    bench.connect(camera, gray_image())
    bench.wait_until(lambda: camera.publish(gray_image()) or (raw and compressed), period_s=0.1)
    image = gray_image(stamp=(8, 9), frame_id='left')
    camera.publish(image)
    bench.wait_until(lambda: raw[-1].header == compressed[-1].header == image.header)
    picture = np.array(raw[-1].data, dtype=np.uint8).reshape(64, 128, 3)
    assert (raw[-1].encoding, raw[-1].step) == ('bgr8', 384)
    assert (picture != 127).any(axis=2).sum() > 100
    decoded = cv2.imdecode(np.frombuffer(compressed[-1].data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded.astype(int) - picture).mean() < 20


def test_nothing_is_drawn_without_a_subscriber(make_bench, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        image_output.Annotator, 'draw', lambda *arguments, **keywords: drawn.append(arguments))
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bench.publish(camera, gray_image())
    assert drawn == []


def test_annotate_max_fps_limits_the_drawn_images(make_bench):
    bench = make_bench(annotate__max_fps=0.001)
    camera = bench.camera()
    received = subscribe(bench, Image, '/udp_infer/image_annotated')
    bench.connect(camera, gray_image())
    bench.wait_until(lambda: camera.publish(gray_image()) or received, period_s=0.1)
    for i in range(10):
        bench.publish(camera, gray_image(stamp=(8, i)))
    assert bench.set_parameters(annotate__max_fps=0.0).successful
    bench.wait_until(
        lambda: camera.publish(gray_image(stamp=(9, 0))) or len(received) > 1, period_s=0.1)
    assert received[1].header.stamp.sec == 9


def latest_reports(bench):
    """Subscribe to /diagnostics; return a function from a part to its latest status."""
    arrays = subscribe(bench, DiagnosticArray, '/diagnostics')

    def latest(part):
        for array in reversed(arrays):
            for status in array.status:
                if status.name == f'udp_infer: {part}':
                    return status
        return DiagnosticStatus(level=b'\x63')
    return latest


def test_the_parts_of_a_healthy_node_are_ok_and_report_figures(make_bench):
    bench = make_bench()
    latest = latest_reports(bench)
    camera = bench.camera()
    bench.connect(camera, gray_image())
    for i in range(30):
        bench.publish(camera, gray_image(stamp=(7, i)))
    bench.wait_until(lambda: 'Hz from topic /image_raw' in latest('source').message)
    bench.wait_until(lambda: 'total_p95_ms' in {item.key for item in latest('model').values})
    for part in ('source', 'model', 'tracker', 'udp'):
        assert latest(part).level == DiagnosticStatus.OK
        assert latest(part).hardware_id == '/udp_infer'
    values = {item.key: item.value for item in latest('model').values}
    assert values['provider'] == 'CPUExecutionProvider' and values['family'] == 'yolo'
    assert float(values['memory_mib']) > 10
    bench.wait_until(lambda: any(
        item.key.startswith('sent ') and int(item.value) >= 30 for item in latest('udp').values))


def test_a_fault_is_reported_with_a_remedy(make_bench):
    bench = make_bench(source__stall_timeout_s=0.5)
    latest = latest_reports(bench)
    bench.wait_until(lambda: latest('source').level == DiagnosticStatus.ERROR)
    assert 'has 0 publishers; check the name, or remap image_raw' in latest('source').message
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bad = gray_image()
    bad.encoding = 'nonsense'
    bench.wait_until(
        lambda: camera.publish(bad) or latest('source').level == DiagnosticStatus.WARN,
        period_s=0.1)
    assert 'bad_message; last: ' in latest('source').message


def test_a_disabled_node_processes_nothing_and_keeps_its_model(make_bench):
    bench = make_bench()
    latest = latest_reports(bench)
    camera = bench.camera()
    bench.connect(camera, gray_image())
    assert bench.call(SetBool, 'enable', data=False).success
    offered = bench.node.stats.offered
    bench.wait_until(lambda: camera.get_subscription_count() == 0)
    camera.publish(gray_image())
    bench.wait_until(lambda: latest('model').message.startswith('disabled: '))
    assert bench.call(SetBool, 'enable', data=False).message == 'already disabled'
    assert bench.node.stats.offered == offered
    assert bench.call(SetBool, 'enable', data=True).success
    bench.connect(camera, gray_image(stamp=(9, 0)))
    message, _ = bench.publish(camera, gray_image(stamp=(9, 1)))
    assert len(message.detections) == 2


def test_a_disabled_node_stays_disabled_through_a_transition(make_bench):
    bench = make_bench()
    assert bench.call(SetBool, 'enable', data=False).success
    assert bench.transition('deactivate', 'activate')
    assert not any('worker' in thread.name for thread in threading.enumerate())


def test_a_reset_tracker_gives_new_ids(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image(stamp=(5, 0)))
    assert bench.call(Trigger, 'reset_tracker').success
    message, _ = bench.publish(camera, gray_image(stamp=(5, 1)))
    assert [item.id for item in message.detections] == ['3', '4']


def test_reset_tracker_fails_before_the_node_is_configured(make_bench):
    response = make_bench(start=False).call(Trigger, 'reset_tracker')
    assert not response.success and 'not configured' in response.message


LIFECYCLE_WALK = """
import json, os, random, sys, threading
sys.path[:0] = sys.argv[1:3]
from ros_helpers import Bench
from udp_infer_ros.pipeline import resident_mib
bench = Bench({'model.id': sys.argv[3], 'model.threads': 1}, start=False)
rng = random.Random(6)
transitions = {
    'unconfigured': {'configure': 'inactive'},
    'inactive': {'activate': 'active', 'cleanup': 'unconfigured'},
    'active': {'deactivate': 'inactive'}}
done = set()


def walk(cycles):
    state = 'unconfigured'
    while cycles:
        label = rng.choice(sorted(transitions[state]))
        assert bench.transition(label)
        done.add((state, label))
        state = transitions[state][label]
        cycles -= state == 'unconfigured'


def resources():
    return [threading.active_count(), len(os.listdir('/proc/self/fd'))]


walk(20)
baseline, before_mib = resources(), resident_mib()
walk(80)
# The executor releases what it holds in its next cycles.
bench.wait_until(
    lambda: all(now <= before for now, before in zip(resources(), baseline)),
    because=f'threads and file descriptors as before, {baseline},')
print(json.dumps({'transitions': len(done), 'growth_mib': resident_mib() - before_mib}))
bench.close()
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_hundred_life_cycles_leave_no_threads_files_or_memory(tmp_path):
    model = write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 2))
    root = Path(__file__).resolve().parents[2]
    # A process and a ROS domain of its own: other participants open files in this process.
    done = subprocess.run(
        [sys.executable, '-c', LIFECYCLE_WALK, root, root / 'test', model], text=True,
        capture_output=True, timeout=150, env={**os.environ, 'ROS_DOMAIN_ID': str(
            (int(os.environ.get('ROS_DOMAIN_ID', 0)) + 50) % 101 + 1)})
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result['transitions'] == 4, 'every transition'
    assert result['growth_mib'] < 20.0
