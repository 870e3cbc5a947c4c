# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The node can be watched, steered and lived with."""

import json
import os
from pathlib import Path
import subprocess
import sys
import threading
import time

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from helpers import make_result, write_model, yolo_table
import numpy as np
import pytest
from ros_helpers import gray_image
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger
from udp_infer_ros.ros import convert, image_output

pytestmark = pytest.mark.timeout(60)
BOXES = [(10, 20, 30, 40, 0.9, 1), (40, 20, 60, 44, 0.6, 0)]


@pytest.fixture
def model(tmp_path):
    return str(write_model(
        tmp_path / 'two.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"}))


def call(bench, kind, name, **request):
    """Call a service of the node."""
    client = bench.peer.create_client(kind, f'/udp_infer/{name}')
    assert client.wait_for_service(timeout_sec=10.0)
    answer = client.call_async(kind.Request(**request))
    bench.wait_until(answer.done)
    return answer.result()


def looks(bench, kind, topic):
    """Subscribe to a topic and wait until the node knows."""
    seen = []
    bench.peer.create_subscription(kind, topic, seen.append, 10)
    bench.wait_until(lambda: bench.node.count_subscribers(topic))
    time.sleep(0.3)
    return seen


def test_a_picture_has_the_header_of_its_image_and_shows_the_boxes(make_bench):
    bench = make_bench(annotate__max_fps=0.0)
    camera = bench.camera()
    raw = looks(bench, Image, '/udp_infer/image_annotated')
    compressed = looks(bench, CompressedImage, '/udp_infer/image_annotated/compressed')
    bench.connect(camera, gray_image())
    raw.clear()
    image = gray_image(stamp=(8, 9), frame_id='left')
    bench.publish(camera, image)
    bench.wait_until(lambda: raw and compressed)
    assert raw[0].header == image.header
    picture = np.array(raw[0].data, dtype=np.uint8).reshape(64, 128, 3)
    assert (raw[0].encoding, raw[0].step) == ('bgr8', 384)
    assert (picture != 127).any(axis=2).sum() > 100
    again = cv2.imdecode(np.frombuffer(compressed[-1].data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(again.astype(int) - picture).mean() < 20


def test_nothing_is_drawn_while_nobody_looks(make_bench, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        image_output.Annotator, 'draw', lambda *arguments, **keywords: drawn.append(arguments))
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bench.publish(camera, gray_image())
    assert drawn == []


def test_no_more_pictures_than_wanted_are_drawn(make_bench, monkeypatch):
    drawn = []
    draw = image_output.Annotator.draw
    monkeypatch.setattr(
        image_output.Annotator, 'draw',
        lambda *arguments, **keywords: drawn.append(1) or draw(*arguments, **keywords))
    bench = make_bench(annotate__max_fps=0.5)
    camera = bench.camera()
    looks(bench, Image, '/udp_infer/image_annotated')
    bench.connect(camera, gray_image())
    begin_s = time.monotonic()
    for i in range(30):
        bench.publish(camera, gray_image(stamp=(8, i)))
    assert 1 <= len(drawn) <= 2 + (time.monotonic() - begin_s)


def test_annotations_for_foxglove_outline_and_name_every_object(monkeypatch):
    class Message:

        LINE_LOOP = 2

        def __init__(self, **fields):
            self.points, self.texts = [], []
            self.__dict__.update(fields)
    for name in ('Color', 'ImageAnnotations', 'Point2', 'PointsAnnotation', 'TextAnnotation'):
        monkeypatch.setattr(convert, name, Message, raising=False)
    result = make_result(2)
    message = convert.annotations_to_foxglove(result)
    found = result.objects[0]
    xs = [point.x for point in message.points[0].points]
    assert max(xs) - min(xs) == pytest.approx(found.width)
    assert message.points[0].type == 2
    assert message.texts[0].text == f'#1 {found.class_name} {found.score:.2f}'
    assert len(message.points) == len(message.texts) == 2


def reports(bench):
    """Listen to the diagnostics; give a function that tells a part's latest report."""
    arrays = []
    bench.peer.create_subscription(DiagnosticArray, '/diagnostics', arrays.append, 10)

    def latest(part):
        for array in reversed(arrays):
            for status in array.status:
                if status.name == f'udp_infer: {part}':
                    return status
        return DiagnosticStatus(level=b'\x63')
    return latest


def test_a_healthy_node_says_so_with_figures(make_bench):
    bench = make_bench()
    latest = reports(bench)
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


def test_trouble_is_told_with_what_to_do(make_bench):
    bench = make_bench(source__stall_timeout_s=0.5)
    latest = reports(bench)
    bench.wait_until(lambda: latest('source').level == DiagnosticStatus.ERROR)
    assert 'has 0 publishers; check the name, or remap image_raw' in latest('source').message
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bad = gray_image()
    bad.encoding = 'nonsense'
    deadline_s = time.monotonic() + 10
    while latest('source').level != DiagnosticStatus.WARN and time.monotonic() < deadline_s:
        camera.publish(bad)
        time.sleep(0.1)
    assert 'bad_message; last: ' in latest('source').message


def test_disabled_it_looks_at_nothing_and_keeps_its_model(make_bench):
    bench = make_bench()
    latest = reports(bench)
    camera = bench.camera()
    bench.connect(camera, gray_image())
    assert call(bench, SetBool, 'enable', data=False).success
    offered = bench.node.stats.snapshot().offered
    for _ in range(5):
        camera.publish(gray_image())
        time.sleep(0.05)
    assert bench.node.stats.snapshot().offered == offered
    bench.wait_until(lambda: latest('model').message.startswith('disabled: '))
    assert call(bench, SetBool, 'enable', data=False).message == 'already disabled'
    assert call(bench, SetBool, 'enable', data=True).success
    bench.connect(camera, gray_image(stamp=(9, 0)))
    message, _ = bench.publish(camera, gray_image(stamp=(9, 1)))
    assert len(message.detections) == 2


def test_disabled_it_stays_so_through_a_transition(make_bench):
    bench = make_bench()
    assert call(bench, SetBool, 'enable', data=False).success
    bench.transition('deactivate')
    assert bench.transition('activate')
    assert not any('worker' in thread.name for thread in threading.enumerate())


def test_a_reset_tracker_gives_new_ids(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image(stamp=(5, 0)))
    assert call(bench, Trigger, 'reset_tracker').success
    message, _ = bench.publish(camera, gray_image(stamp=(5, 1)))
    assert [item.id for item in message.detections] == ['3', '4']


def test_there_is_no_tracker_to_reset_before_the_node_is_configured(make_bench):
    answer = call(make_bench(start=False), Trigger, 'reset_tracker')
    assert not answer.success and 'not configured' in answer.message


A_HUNDRED_LIVES = """
import json, os, random, sys, threading, time
sys.path[:0] = sys.argv[1:3]
from ros_helpers import Bench
from udp_infer_ros.pipeline import resident_mib
bench = Bench({'model.id': sys.argv[3], 'model.threads': 1}, start=False)
chance = random.Random(6)
legal = {
    'unconfigured': {'configure': 'inactive'},
    'inactive': {'activate': 'active', 'cleanup': 'unconfigured'},
    'active': {'deactivate': 'inactive'}}
state, counts, lives, walked = 'unconfigured', [], 0, set()
while lives < 100:
    name = chance.choice(sorted(legal[state]))
    assert bench.transition(name)
    walked.add((state, name))
    state = legal[state][name]
    lives += state == 'unconfigured'
    if state == 'unconfigured' and lives in (20, 100):
        # What an executor has in hand is freed when it has put it down.
        time.sleep(1.0)
        counts.append((
            threading.active_count(), len(os.listdir('/proc/self/fd')), resident_mib()))
bench.close()
print(json.dumps({'counts': counts, 'walked': len(walked)}))
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_hundred_walks_through_the_life_cycle_leave_nothing_behind(tmp_path):
    model = write_model(tmp_path / 'm.onnx', yolo_table(BOXES, 2))
    root = Path(__file__).resolve().parents[2]
    # In a process and a domain of its own: other participants open files in this one.
    done = subprocess.run(
        [sys.executable, '-c', A_HUNDRED_LIVES, root, root / 'test', model], text=True,
        capture_output=True, timeout=150, env={**os.environ, 'ROS_DOMAIN_ID': str(
            (int(os.environ.get('ROS_DOMAIN_ID', 0)) + 50) % 101 + 1)})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    (threads, files, memory), last = told['counts']
    assert told['walked'] == 4, 'every transition'
    assert last[:2] == [threads, files], 'threads and file descriptors'
    assert last[2] - memory < 20.0, f'{memory:.0f} became {last[2]:.0f} MiB'
