# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The contract of the messages and of the datagrams, rule by rule.

Many rules are there because a well-known package violates them; the docstring names it.
"""

import json
import math

from helpers import write_clip, write_model, yolo_table
import numpy as np
import pytest
from ros_helpers import Bench, gray_image, make_image

pytestmark = pytest.mark.timeout(60)
NAMES = {'names': "{0: 'helmet', 1: 'vest', 2: 'gloves'}", 'task': 'detect'}
# In input pixels; a 128 x 64 image is half as large there, 16 pixels from the top. The box of the
# vest exceeds the image at the right; the score of the gloves is too low to start a track.
BOXES = [(10.25, 20.5, 30.75, 40.25, 0.9, 1), (50, 20, 70, 44, 0.6, 0), (0, 20, 10, 30, 0.45, 2)]
EXPECTED = [('vest', 20.5, 9.0, 61.5, 48.5), ('helmet', 100.0, 8.0, 128.0, 56.0),
            ('gloves', 0.0, 8.0, 20.0, 28.0)]


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    model = write_model(
        tmp_path_factory.mktemp('model') / 'site.onnx', yolo_table(BOXES, 3), metadata=NAMES,
        dark=True)
    made = Bench({'model.id': str(model), 'model.threads': 1, 'track.new_threshold': 0.5})
    made.camera_topic = made.camera()
    made.connect(made.camera_topic, gray_image())
    yield made
    made.close()


@pytest.fixture
def send(bench):
    """Publish an image, light or dark, with stamps that increase from test to test."""
    def publish(light=True, frame_id='front_camera'):
        bench.now_ns = getattr(bench, 'now_ns', 10_000_000_000) + 50_000_000
        pixels = np.full((64, 128, 3), 127 if light else 10, dtype=np.uint8)
        message = make_image(
            pixels, stamp=divmod(bench.now_ns, 1_000_000_000), frame_id=frame_id)
        return message, *bench.publish(bench.camera_topic, message)
    return publish


def corners(detection):
    """Return x1, y1, x2, y2 of a detection."""
    box = detection.bbox
    return (
        box.center.position.x - box.size_x / 2, box.center.position.y - box.size_y / 2,
        box.center.position.x + box.size_x / 2, box.center.position.y + box.size_y / 2)


def class_ids(message):
    """Return the class ids of all detections."""
    return [item.results[0].hypothesis.class_id for item in message.detections]


# --- the message ---------------------------------------------------------------------------------


def test_the_frame_id_is_that_of_the_image(send):
    """Isaac ROS leaves it empty."""
    image, message, _ = send(frame_id='rear_camera')
    assert message.header.frame_id == image.header.frame_id == 'rear_camera'


def test_the_stamp_is_that_of_the_image(send):
    """ros_deep_learning writes the time of publishing."""
    image, message, _ = send()
    assert message.header.stamp == image.header.stamp


def test_each_detection_has_the_header_of_the_image(send):
    """In DepthAI these headers are empty."""
    image, message, _ = send()
    assert len(message.detections) == 3
    assert all(item.header == image.header for item in message.detections)


def test_boxes_are_in_pixels_of_the_image_with_fractions(send):
    """Isaac ROS publishes pixels of the network's input, rounded to whole ones."""
    _, message, _ = send()
    assert len(message.detections) == len(EXPECTED)
    for item, (_, *expected) in zip(message.detections, EXPECTED):
        assert corners(item) == pytest.approx(expected, abs=0.011)


def test_boxes_are_clipped_to_the_image(send):
    """Most packages publish boxes that exceed it."""
    _, message, _ = send()
    for item in message.detections:
        x1, y1, x2, y2 = corners(item)
        assert 0 <= x1 < x2 <= 128 and 0 <= y1 < y2 <= 64


def test_an_image_without_objects_gives_an_empty_array_with_its_header(send):
    """ros_deep_learning publishes nothing then."""
    image, message, datagram = send(light=False)
    assert message.detections == [] and datagram['predictions'] == []
    assert message.header == image.header


def test_the_class_id_is_the_name_that_the_model_file_gives(send):
    """YOLOX-ROS writes the names of COCO for every model."""
    _, message, _ = send()
    assert class_ids(message) == ['vest', 'helmet', 'gloves']


def test_the_class_id_can_be_the_index_in_decimal(bench, send):
    """ros_deep_learning writes the index as one raw byte."""
    try:
        assert bench.set_parameters(publish__class_id='index').successful
        _, message, _ = send()
        assert class_ids(message) == ['1', '0', '2']
    finally:
        bench.set_parameters(publish__class_id='name')


def test_each_detection_has_one_hypothesis_with_a_score_from_0_to_1(send):
    _, message, _ = send()
    assert all(len(item.results) == 1 for item in message.detections)
    assert [item.results[0].hypothesis.score for item in message.detections] == pytest.approx(
        [0.9, 0.6, 0.45], abs=1e-4)


def test_ids_are_decimal_numbers_that_stay_with_their_objects(send):
    """In DepthAI the id is the label; ultralytics_ros tracks, and publishes no ids."""
    _, first, _ = send()
    ids = [item.id for item in first.detections[:2]]
    assert all(item.isdigit() for item in ids) and len(set(ids)) == 2
    for _ in range(5):
        _, message, _ = send()
        assert [item.id for item in message.detections[:2]] == ids


def test_a_detection_without_a_track_is_published_with_an_empty_id(send):
    """The reference ByteTrack discards it."""
    _, message, datagram = send()
    assert message.detections[2].id == ''
    assert 'tracker_id' not in datagram['predictions'][2]


def test_ids_stay_with_their_objects_while_a_class_is_filtered_out(bench, send):
    """Roboflow's inference assigns them to the wrong boxes."""
    _, message, _ = send()
    ids = dict(zip(class_ids(message), [item.id for item in message.detections]))
    try:
        assert bench.set_parameters(detect__classes=['gloves', 'helmet']).successful
        for _ in range(3):
            _, message, _ = send()
            assert class_ids(message) == ['helmet', 'gloves']
            assert [item.id for item in message.detections] == [ids['helmet'], '']
    finally:
        bench.set_parameters(detect__classes=[])


def test_tracks_age_on_frames_without_objects(send):
    """yolo_ros ages them only on frames with objects."""
    _, before, _ = send()
    for _ in range(25):  # 1.25 s at 20 Hz, longer than track.lost_s
        send(light=False)
    send()
    _, after, _ = send()
    assert not {item.id for item in before.detections} - {''} & {
        item.id for item in after.detections}


def test_ids_of_new_tracks_are_consecutive(send):
    """Supervision's ByteTrack leaves gaps."""
    send()
    _, message, _ = send()
    ids = sorted(int(item.id) for item in message.detections if item.id)
    assert ids[1] == ids[0] + 1


def test_the_topic_and_the_datagram_have_the_same_detections(send):
    for light in (True, False, True, True):
        _, message, datagram = send(light)
        assert [(
            item.results[0].hypothesis.class_id, item.results[0].hypothesis.score,
            item.bbox.center.position.x, item.bbox.center.position.y, item.bbox.size_x,
            item.bbox.size_y, item.id) for item in message.detections] == [(
                entry['class'], entry['confidence'], entry['x'], entry['y'], entry['width'],
                entry['height'], str(entry.get('tracker_id', '')))
            for entry in datagram['predictions']]


# --- the datagram --------------------------------------------------------------------------------


def test_a_datagram_has_the_stamp_and_the_number_of_its_image(bench, send):
    """Roboflow's UdpStream numbers results by a frame that was captured later."""
    for _ in range(5):
        image, _, datagram = send()
        stamp = datagram['udp_infer']['stamp']
        assert (stamp['sec'], stamp['nanosec']) == (
            image.header.stamp.sec, image.header.stamp.nanosec)
        assert datagram['frame_id'] == bench.node.stats.snapshot().offered - 1


def test_a_datagram_states_its_sequence_number_source_frame_model_and_latency(send):
    """Roboflow's UdpStream states none of them."""
    _, _, first = send()
    _, _, second = send(frame_id='left')
    about = second['udp_infer']
    assert about['seq'] == first['udp_infer']['seq'] + 1
    assert (about['schema'], about['source'], about['ros_frame'], about['model']) == (
        1, '/image_raw', 'left', 'site')
    assert about['latency_ms']['total'] > 0
    assert second['image'] == {'width': 128, 'height': 64}


def test_a_dropped_frame_is_counted_in_the_next_datagram(bench, send):
    """Roboflow's UdpStream loses frames without a count."""
    _, _, before = send()
    bad = gray_image()
    bad.encoding = 'nonsense'
    bench.camera_topic.publish(bad)
    count = before['udp_infer']['dropped']['bad_message']
    bench.wait_until(lambda: bench.node.stats.dropped()['bad_message'] == count + 1)
    _, _, after = send()
    assert after['udp_infer']['dropped']['bad_message'] == count + 1
    assert after['frame_id'] == before['frame_id'] + 2
    assert after['udp_infer']['seq'] == before['udp_infer']['seq'] + 1


def test_payload_roboflow_has_exactly_the_keys_of_udp_stream(bench, send):
    try:
        assert bench.set_parameters(udp__payload='roboflow').successful
        _, _, datagram = send()
        assert list(datagram) == ['frame_id', 'image', 'predictions']
        assert {*datagram['predictions'][0]} == {
            'x', 'y', 'width', 'height', 'confidence', 'class', 'class_id', 'tracker_id',
            'detection_id'}
    finally:
        bench.set_parameters(udp__payload='full')


def test_a_receiver_that_is_gone_does_not_affect_the_others(bench, send):
    """Roboflow's UdpStream ends at the first error of a socket."""
    port = bench.receiver.getsockname()[1]
    try:
        assert bench.set_parameters(
            udp__targets=['127.0.0.1:9', f'127.0.0.1:{port}']).successful
        for _ in range(5):
            _, message, datagram = send()
            assert len(message.detections) == len(datagram['predictions']) == 3
    finally:
        bench.set_parameters(udp__targets=[f'127.0.0.1:{port}'])


@pytest.fixture
def make_own_bench():
    """Return a function that starts a node with other parameters."""
    benches = []

    def make(**values):
        benches.append(Bench({
            'model.threads': 1, **{name.replace('__', '.'): values[name] for name in values}}))
        return benches[-1]
    yield make
    for bench in benches:
        bench.close()


def test_frames_are_not_dropped_by_a_rate_unless_max_fps_is_set(make_own_bench, tmp_path):
    """Roboflow's UdpStream limits itself to 15 results per second of a 30 Hz source."""
    clip = write_clip(tmp_path / 'clip.avi', frames=60, fps=30.0, step=4)
    model = write_model(tmp_path / 'm.onnx', yolo_table([], 3), metadata=NAMES)
    bench = make_own_bench(model__id=str(model), source__uri=str(clip), source__realtime=True)
    bench.wait_until(lambda: bench.node.stats.snapshot().offered == 60)
    bench.settle()
    now = bench.node.stats.snapshot()
    # A frame that the model had no time for is counted as `replaced`.
    assert now.processed + now.dropped['replaced'] == 60


def test_every_number_is_finite_though_the_model_returns_nan_and_infinity(
        make_own_bench, tmp_path):
    """Several encoders write NaN, which is not JSON."""
    table = yolo_table(BOXES, 3)
    for column, (row, value) in enumerate(
            [(0, np.nan), (1, np.inf), (2, np.inf), (3, np.nan), (4, np.nan), (5, np.inf)], 10):
        table[0, :, column] = (30, 30, 8, 8, 0.8, 0.1, 0.1)
        table[0, row, column] = value
    model = write_model(tmp_path / 'm.onnx', table, metadata=NAMES)
    bench = make_own_bench(model__id=str(model))
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, datagram = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert class_ids(message) == ['vest', 'helmet', 'gloves']
    assert all(math.isfinite(value) for item in message.detections for value in (
        *corners(item), item.results[0].hypothesis.score))
    json.dumps(datagram, allow_nan=False)
    assert len(datagram['predictions']) == 3
