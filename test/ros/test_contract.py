# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The contract of the messages and of the datagrams, line by line.

Each test is named after what a well-known peer gets wrong there, and would fail on that fault.
"""

import json
import time

from helpers import write_clip, write_model, yolo_table
import numpy as np
import pytest
from ros_helpers import Bench, gray_image, make_image
from sensor_msgs.msg import Image

pytestmark = pytest.mark.timeout(60)
NAMES = {'names': "{0: 'helmet', 1: 'vest', 2: 'gloves'}", 'task': 'detect'}
# In input pixels; a 128 x 64 image is half as large there, 16 pixels from the top. The box of the
# vest leaves the image at the right; the gloves are too uncertain to start a track.
BOXES = [(10.25, 20.5, 30.75, 40.25, 0.9, 1), (50, 20, 70, 44, 0.6, 0), (0, 20, 10, 30, 0.45, 2)]
EXPECTED = [('vest', 20.5, 9.0, 61.5, 48.5), ('helmet', 100.0, 8.0, 128.0, 56.0),
            ('gloves', 0.0, 8.0, 20.0, 28.0)]


@pytest.fixture(scope='module')
def bench(tmp_path_factory):
    model = write_model(
        tmp_path_factory.mktemp('model') / 'site.onnx', yolo_table(BOXES, 3), metadata=NAMES,
        dark=True)
    made = Bench({
        'model.id': str(model), 'model.threads': 1, 'track.new_threshold': 0.5,
        'annotate.max_fps': 0.0})
    made.camera_topic = made.camera()
    made.connect(made.camera_topic, gray_image())
    yield made
    made.close()


@pytest.fixture
def show(bench):
    """Show an image, light or dark, on a time line that goes on from test to test."""
    def shown(light=True, frame_id='front_camera'):
        bench.now_ns = getattr(bench, 'now_ns', 10_000_000_000) + 50_000_000
        pixels = np.full((64, 128, 3), 127 if light else 10, dtype=np.uint8)
        message = make_image(
            pixels, stamp=divmod(bench.now_ns, 1_000_000_000), frame_id=frame_id)
        return message, *bench.publish(bench.camera_topic, message)
    return shown


def corners(detection):
    """Give the corners of a detection's box."""
    box = detection.bbox
    return (
        box.center.position.x - box.size_x / 2, box.center.position.y - box.size_y / 2,
        box.center.position.x + box.size_x / 2, box.center.position.y + box.size_y / 2)


# --- the message ---------------------------------------------------------------------------------


def test_isaac_ros_leaves_the_frame_id_empty(show):
    image, message, _ = show(frame_id='rear_camera')
    assert message.header.frame_id == image.header.frame_id == 'rear_camera'


def test_ros_deep_learning_stamps_with_the_time_of_publishing(show):
    image, message, _ = show()
    assert message.header.stamp == image.header.stamp


def test_depthai_leaves_the_headers_of_the_detections_empty(show):
    image, message, _ = show()
    assert len(message.detections) == 3
    assert all(item.header == image.header for item in message.detections)


def test_isaac_ros_gives_boxes_in_pixels_of_the_network(show):
    _, message, _ = show()
    for item, (_, *expected) in zip(message.detections, EXPECTED):
        assert corners(item) == pytest.approx(expected, abs=0.011)


def test_isaac_ros_cuts_boxes_to_whole_pixels(show):
    _, message, _ = show()
    assert message.detections[0].bbox.size_x == pytest.approx(41.0)
    assert message.detections[0].bbox.center.position.y == pytest.approx(28.75)


def test_peers_let_boxes_leave_the_image(show):
    _, message, _ = show()
    for item in message.detections:
        x1, y1, x2, y2 = corners(item)
        assert 0 <= x1 < x2 <= 128 and 0 <= y1 < y2 <= 64


def test_ros_deep_learning_is_silent_when_nothing_is_seen(show):
    image, message, datagram = show(light=False)
    assert message.detections == [] and datagram['predictions'] == []
    assert message.header == image.header


def test_ros_deep_learning_writes_the_class_as_one_raw_byte(bench, show):
    try:
        assert bench.set_parameters(publish__class_id='index').successful
        _, message, _ = show()
        assert [item.results[0].hypothesis.class_id for item in message.detections] == [
            '1', '0', '2']
    finally:
        bench.set_parameters(publish__class_id='name')


def test_yolox_ros_takes_the_names_of_coco_whatever_the_model_says(show):
    _, message, _ = show()
    assert [item.results[0].hypothesis.class_id for item in message.detections] == [
        'vest', 'helmet', 'gloves']


def test_scores_are_from_0_to_1_and_one_hypothesis_each(show):
    _, message, _ = show()
    assert [round(item.results[0].hypothesis.score, 4) for item in message.detections] == [
        0.9, 0.6, 0.45]
    assert all(len(item.results) == 1 for item in message.detections)


def test_depthai_writes_the_label_into_the_id(show):
    show()
    _, message, _ = show()
    assert all(item.id.isdigit() for item in message.detections[:2])


def test_ultralytics_ros_tracks_and_never_tells_the_ids(show):
    _, first, _ = show()
    _, second, _ = show()
    ids = [item.id for item in second.detections[:2]]
    assert ids == [item.id for item in first.detections[:2]] and len(set(ids)) == 2


def test_byte_track_swallows_what_it_does_not_track(show):
    _, message, datagram = show()
    assert message.detections[2].id == ''
    assert 'tracker_id' not in datagram['predictions'][2]


def test_roboflow_gives_ids_to_the_wrong_boxes(bench, show):
    _, message, _ = show()
    ids = {item.results[0].hypothesis.class_id: item.id for item in message.detections}
    try:
        bench.set_parameters(detect__classes=['gloves', 'helmet'])
        for _ in range(3):
            _, message, _ = show()
            assert [(item.results[0].hypothesis.class_id, item.id)
                    for item in message.detections] == [
                        ('helmet', ids['helmet']), ('gloves', '')]
    finally:
        bench.set_parameters(detect__classes=[])


def test_yolo_ros_does_not_age_its_tracks_on_empty_frames(show):
    _, before, _ = show()
    for _ in range(25):  # 1.25 s at 20 Hz, longer than track.lost_s
        show(light=False)
    show()
    _, after, _ = show()
    assert not {item.id for item in before.detections} - {''} & {
        item.id for item in after.detections}


def test_supervision_skips_ids(bench, show):
    show()
    _, message, _ = show()
    ids = sorted(int(item.id) for item in message.detections if item.id)
    assert ids[1] == ids[0] + 1


def test_nobody_tells_what_the_classes_are_called(bench):
    bench.wait_until(lambda: bench.labels and bench.infos)
    assert [item.class_name for item in bench.labels[-1].class_map] == [
        'helmet', 'vest', 'gloves']


def test_ultralytics_ros_publishes_pictures_without_a_header(bench, show):
    pictures = []
    subscription = bench.peer.create_subscription(
        Image, '/udp_infer/image_annotated', pictures.append, 10)
    bench.wait_until(lambda: bench.node.count_subscribers('/udp_infer/image_annotated'))
    time.sleep(0.3)
    image, *_ = show()
    bench.wait_until(lambda: pictures)
    bench.peer.destroy_subscription(subscription)
    assert pictures[-1].header == image.header


def test_the_topic_and_the_datagram_say_the_same(show):
    for light in (True, False, True, True):
        _, message, datagram = show(light)
        assert [(
            item.results[0].hypothesis.class_id, item.results[0].hypothesis.score,
            item.bbox.center.position.x, item.bbox.center.position.y, item.bbox.size_x,
            item.bbox.size_y, item.id) for item in message.detections] == [(
                told['class'], told['confidence'], told['x'], told['y'], told['width'],
                told['height'], str(told.get('tracker_id', '')))
            for told in datagram['predictions']]


# --- the datagram --------------------------------------------------------------------------------


def test_udp_stream_labels_results_with_the_number_of_another_frame(bench, show):
    for _ in range(5):
        image, _, datagram = show()
        stamp = datagram['udp_infer']['stamp']
        assert (stamp['sec'], stamp['nanosec']) == (
            image.header.stamp.sec, image.header.stamp.nanosec)
        assert datagram['frame_id'] == bench.node.stats.snapshot().offered - 1


def test_udp_stream_has_no_time_stamps_no_sequence_and_no_source(show):
    _, _, first = show()
    _, _, second = show()
    about = second['udp_infer']
    assert about['seq'] == first['udp_infer']['seq'] + 1
    assert (about['schema'], about['source'], about['ros_frame'], about['model']) == (
        1, '/image_raw', 'front_camera', 'site')
    assert about['latency_ms']['total'] > 0


def test_udp_stream_loses_frames_in_silence(bench, show):
    _, _, before = show()
    bad = gray_image()
    bad.encoding = 'nonsense'
    bench.camera_topic.publish(bad)
    count = before['udp_infer']['dropped']['bad_message']
    bench.wait_until(lambda: bench.node.stats.dropped()['bad_message'] == count + 1)
    _, _, after = show()
    assert after['udp_infer']['dropped']['bad_message'] == count + 1
    assert after['frame_id'] == before['frame_id'] + 2


def test_udp_stream_sends_one_object_a_datagram_and_our_keys_can_be_left_out(bench, show):
    try:
        assert bench.set_parameters(udp__payload='roboflow').successful
        _, _, datagram = show()
        assert list(datagram) == ['frame_id', 'image', 'predictions']
        assert {*datagram['predictions'][0]} == {
            'x', 'y', 'width', 'height', 'confidence', 'class', 'class_id', 'tracker_id',
            'detection_id'}
    finally:
        bench.set_parameters(udp__payload='full')


def test_udp_stream_dies_of_a_send_error_and_of_a_receiver_that_is_gone(bench, show):
    port = bench.receiver.getsockname()[1]
    try:
        assert bench.set_parameters(
            udp__targets=['127.0.0.1:9', f'127.0.0.1:{port}']).successful
        for _ in range(5):
            _, message, datagram = show()
            assert len(message.detections) == len(datagram['predictions']) == 3
    finally:
        bench.set_parameters(udp__targets=[f'127.0.0.1:{port}'])


def test_udp_stream_gives_15_results_a_second_of_a_30_hz_source(tmp_path):
    path = write_clip(tmp_path / 'clip.avi', frames=60, fps=30.0, step=4)
    model = write_model(tmp_path / 'm.onnx', yolo_table([], 3), metadata=NAMES)
    made = Bench({
        'model.id': str(model), 'model.threads': 1, 'source.uri': str(path),
        'source.realtime': True})
    try:
        # Counted, not timed: of the frames that were due, all but a few were looked at.
        made.wait_until(lambda: made.node.stats.snapshot().offered == 60)
        made.settle()
        assert made.node.stats.snapshot().processed >= 45
    finally:
        made.close()


def test_old_encoders_write_nan_which_is_not_json(show):
    _, _, datagram = show()
    json.dumps(datagram, allow_nan=False)
