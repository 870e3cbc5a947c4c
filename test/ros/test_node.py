# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The node keeps the contract of its messages, on real topics and sockets."""

import array
import os
import threading
import time

import cv2
from helpers import write_model, yolo_table
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter
from ros_helpers import gray_image, LATCHED
from sensor_msgs.msg import CompressedImage
from udp_infer_ros.ros.node import UdpInferNode
from vision_msgs.msg import LabelInfo

pytestmark = pytest.mark.timeout(60)
NAMES = {'names': "{0: 'person', 1: 'car', 2: 'dog'}", 'task': 'detect'}
# A 128 x 64 image fits into 64 x 64 at half size, 16 pixels from the top.
BOXES = [(10, 20, 30, 40, 0.9, 1), (40, 20, 60, 44, 0.6, 0), (0, 20, 10, 30, 0.5, 2)]


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / 'three.onnx', yolo_table(BOXES, 3), metadata=NAMES))


def rows_of(message):
    """Give what a message says in plain numbers."""
    return [(
        item.results[0].hypothesis.class_id, round(item.results[0].hypothesis.score, 4),
        item.bbox.center.position.x, item.bbox.center.position.y, item.bbox.size_x,
        item.bbox.size_y, item.id) for item in message.detections]


def test_what_is_seen_is_told_on_the_topic_and_by_udp_alike(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image(stamp=(8, 0)))
    message, datagram = bench.publish(camera, gray_image(stamp=(8, 9), frame_id='left'))
    assert rows_of(message) == [
        ('car', 0.9, 40.0, 28.0, 40.0, 40.0, '1'),
        ('person', 0.6, 100.0, 32.0, 40.0, 48.0, '2'),
        ('dog', 0.5, 10.0, 18.0, 20.0, 20.0, '3')]
    assert rows_of(message) == [(
        told['class'], told['confidence'], told['x'], told['y'], told['width'], told['height'],
        str(told['tracker_id'])) for told in datagram['predictions']]
    assert datagram['udp_infer']['stamp'] == {'sec': 8, 'nanosec': 9}
    assert datagram['udp_infer']['ros_frame'] == 'left'
    assert datagram['udp_infer']['source'] == '/image_raw'
    assert datagram['image'] == {'width': 128, 'height': 64}


def test_every_header_is_that_of_the_image(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    for stamp in ((10, 1), (10, 2), (11, 999_999_999)):
        image = gray_image(stamp=stamp, frame_id=f'camera_{stamp[1]}')
        message, _ = bench.publish(camera, image)
        assert message.header == image.header
        assert all(item.header == image.header for item in message.detections)


def test_a_frame_in_which_nothing_is_seen_is_told_as_an_empty_array(make_bench):
    bench = make_bench(detect__confidence=0.95)
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, datagram = bench.publish(camera, gray_image(stamp=(20, 0)))
    assert message.detections == [] and message.header.stamp.sec == 20
    assert datagram['predictions'] == []


def test_results_are_numbered_without_gaps_and_ids_stay(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image(stamp=(30, 0)))
    told = [bench.publish(camera, gray_image(stamp=(30, 10_000_000 * i))) for i in range(1, 11)]
    numbers = [datagram['udp_infer']['seq'] for _, datagram in told]
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    assert {tuple(item.id for item in message.detections) for message, _ in told} == {
        ('1', '2', '3')}


def test_a_looped_bag_gets_new_ids_and_never_one_again(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image(stamp=(30, 0)))
    message, _ = bench.publish(camera, gray_image(stamp=(29, 0)))
    assert [item.id for item in message.detections] == ['4', '5', '6']


def test_without_a_tracker_ids_are_empty(make_bench):
    bench = make_bench(track__type='none')
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, datagram = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert [item.id for item in message.detections] == ['', '', '']
    assert not any('tracker_id' in told for told in datagram['predictions'])


@pytest.mark.parametrize('spoil', [
    lambda image: setattr(image, 'data', image.data[:100]),
    lambda image: setattr(image, 'step', 3),
    lambda image: setattr(image, 'height', 0),
    lambda image: setattr(image, 'encoding', 'nonsense'),
])
def test_a_malformed_image_is_counted_and_the_next_good_one_is_processed(make_bench, spoil, capfd):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bad = gray_image()
    spoil(bad)
    camera.publish(bad)
    bench.wait_until(lambda: bench.node.stats.dropped()['bad_message'] == 1)
    message, datagram = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert len(message.detections) == 3
    assert datagram['udp_infer']['dropped']['bad_message'] == 1
    assert 'frame dropped: image' in capfd.readouterr().err


def test_an_image_that_changes_its_size_is_processed_at_its_size(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, datagram = bench.publish(camera, gray_image(64, 64, stamp=(6, 0)))
    assert datagram['image'] == {'width': 64, 'height': 64}
    assert rows_of(message)[0][2:6] == (20.0, 30.0, 20.0, 20.0)


def test_compressed_images_are_read_where_asked_for(make_bench):
    bench = make_bench(source__transport='compressed')
    camera = bench.compressed_camera()
    image = CompressedImage(format='bgr8; jpeg compressed bgr8')
    image.header.frame_id = 'jpeg_camera'
    image.data = array.array('B', cv2.imencode(
        '.jpg', np.full((64, 128, 3), 90, dtype=np.uint8))[1].tobytes())
    bench.connect(camera, image)
    message, datagram = bench.publish(camera, image)
    assert message.header.frame_id == 'jpeg_camera' and len(message.detections) == 3
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
    time.sleep(1.2)
    for i, camera in enumerate(cameras):
        bench.connect(camera, gray_image(stamp=(6 + i, 0)))


def test_a_reliability_that_the_user_sets_is_kept_and_a_mismatch_is_said_once(make_bench, capfd):
    bench = make_bench(**{'qos_overrides./image_raw.subscription.reliability': 'reliable'})
    camera = bench.camera(reliable=False)
    text = 'a publisher of /image_raw offers a QoS that is incompatible with this subscription'
    errors = ''
    deadline_s = time.monotonic() + 10
    while text not in errors and time.monotonic() < deadline_s:
        camera.publish(gray_image())
        time.sleep(0.1)
        errors += capfd.readouterr().err
    assert errors.count(text) == 1
    assert bench.node.stats.snapshot().offered == 0


def test_silence_is_said_once_with_the_topic_and_its_publishers(make_bench, capfd):
    bench = make_bench(source__stall_timeout_s=0.5)
    bench.camera()
    time.sleep(2.5)
    errors = capfd.readouterr().err
    assert errors.count('no image for') == 1
    assert 'on topic /image_raw, which has 1 publishers; check their QoS' in errors


def test_labels_and_model_are_told_to_whoever_comes_late(make_bench):
    bench = make_bench()
    late = []
    bench.peer.create_subscription(LabelInfo, '/udp_infer/label_info', late.append, LATCHED)
    bench.wait_until(lambda: late and bench.infos)
    assert [(item.class_id, item.class_name) for item in late[0].class_map] == [
        (0, 'person'), (1, 'car'), (2, 'dog')]
    assert late[0].threshold == pytest.approx(0.4)
    assert bench.infos[0].method.startswith('three: yolo (')
    assert '3 classes, input 64 x 64 RGB 0..1, letterbox, CPUExecutionP' in bench.infos[0].method
    assert bench.infos[0].database_location == '/udp_infer/label_info'


def test_a_new_threshold_holds_for_the_next_frame_and_is_told_with_the_labels(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bench.wait_until(lambda: bench.labels)
    assert bench.set_parameters(detect__confidence=0.55).successful
    message, _ = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert len(message.detections) == 2
    bench.wait_until(lambda: bench.labels[-1].threshold == pytest.approx(0.55))
    assert bench.set_parameters(publish__class_id='index', detect__classes=['person']).successful
    message, _ = bench.publish(camera, gray_image(stamp=(7, 0)))
    assert [row[0] for row in rows_of(message)] == ['0']
    assert bench.set_parameters(detect__classes=[], detect__confidence=0).successful
    message, _ = bench.publish(camera, gray_image(stamp=(8, 0)))
    assert len(message.detections) >= 3


@pytest.mark.parametrize('name, value, reason', [
    ('detect.confidence', 'high', "detect.confidence = 'high': must be a number from 0 to 1"),
    ('detect.classes', ['persn'], "the model has no class 'persn'; did you mean 'person'?"),
    ('udp.targets', ['127.0.0.1:0'], 'must be host:port with a port from 1 to 65535'),
    ('udp.payload', 'xml', 'must be one of full, roboflow'),
    ('track.low_threshold', 0.9, 'must not be above track.high_threshold'),
    ('model.id', 'other', 'can be changed only while the node is unconfigured'),
    ('autostart', False, 'is read at the start of the process; restart it'),
    ('detect.iou', 1.5, 'must be a number from 0 to 1'),
])
def test_a_bad_change_is_rejected_with_a_reason_and_changes_nothing(
        make_bench, name, value, reason):
    bench = make_bench()
    before = bench.node.settings
    result = bench.set_parameters(**{name: value})
    assert not result.successful and reason in result.reason
    assert bench.node.settings == before


def test_parameters_describe_themselves(make_bench):
    bench = make_bench()
    described = bench.node.describe_parameter('detect.confidence')
    assert described.description == 'Lowest score of a detection.'
    assert described.floating_point_range[0].to_value == 1.0
    assert not described.read_only
    assert described.additional_constraints == 'must be a number from 0 to 1'
    described = bench.node.describe_parameter('model.id')
    assert not described.read_only
    assert described.description.endswith('Changes only while the node is unconfigured.')
    assert bench.node.describe_parameter('autostart').read_only


def test_a_parameter_keeps_its_type_whatever_is_written(make_bench):
    bench = make_bench(source__uri='', track__lost_s=2)
    if not hasattr(bench.node, 'add_pre_set_parameters_callback'):
        pytest.skip('Humble has no callback before parameters are set')
    assert bench.set_parameters(detect__confidence=1, detect__classes=[]).successful
    types = {
        name: bench.node.describe_parameter(name).type for name in (
            'detect.confidence', 'track.lost_s', 'detect.classes', 'model.labels', 'model.mean')}
    assert types == {
        'detect.confidence': ParameterType.PARAMETER_DOUBLE,
        'track.lost_s': ParameterType.PARAMETER_DOUBLE,
        'detect.classes': ParameterType.PARAMETER_STRING_ARRAY,
        'model.labels': ParameterType.PARAMETER_STRING_ARRAY,
        'model.mean': ParameterType.PARAMETER_DOUBLE_ARRAY}
    assert bench.node.get_parameter('detect.confidence').value == 1.0


def test_a_change_takes_effect_though_no_image_comes(make_bench):
    bench = make_bench()
    bench.wait_until(lambda: bench.labels)
    assert bench.set_parameters(detect__confidence=0.7).successful
    bench.wait_until(lambda: bench.labels[-1].threshold == pytest.approx(0.7))


@pytest.mark.parametrize('number', [
    Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_CLEANUP, 99])
def test_a_transition_that_is_not_possible_now_is_answered_no(make_bench, number, capfd):
    bench = make_bench()
    client = bench.peer.create_client(ChangeState, '/udp_infer/change_state')
    assert client.wait_for_service(timeout_sec=10.0)
    answer = client.call_async(ChangeState.Request(transition=Transition(id=number)))
    bench.wait_until(answer.done)
    assert not answer.result().success
    assert 'Traceback' not in capfd.readouterr().err
    assert bench.transition('deactivate')


def test_a_misspelled_parameter_is_named_with_the_nearest_that_exists(make_bench, capfd):
    make_bench(start=False, detect__confidnce=0.3)
    assert 'detect.confidnce is not a parameter; did you mean detect.confidence?' in (
        capfd.readouterr().err)


def test_inactive_it_says_nothing_and_active_again_it_goes_on(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    assert bench.transition('deactivate')
    offered = bench.node.stats.snapshot().offered
    for _ in range(3):
        camera.publish(gray_image(stamp=(6, 0)))
        time.sleep(0.05)
    assert bench.node.stats.snapshot().offered == offered and not bench.arrays
    assert bench.transition('activate')
    bench.connect(camera, gray_image(stamp=(7, 0)))
    message, _ = bench.publish(camera, gray_image(stamp=(7, 1)))
    assert len(message.detections) == 3


def test_a_second_life_after_cleanup_is_like_the_first(make_bench):
    bench = make_bench()
    assert bench.transition('deactivate', 'cleanup', 'configure', 'activate')
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, _ = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert len(message.detections) == 3


def test_a_transition_that_fails_says_why_and_can_be_tried_again(make_bench, model, capfd):
    os.rename(model, model + '.away')
    bench = make_bench(start=False)
    assert not bench.transition('configure')
    assert 'must be a bundled model or the path of an ONNX file' in capfd.readouterr().err
    os.rename(model + '.away', model)
    assert bench.bring_up()


def test_an_unexpected_exception_in_a_transition_is_logged_with_its_traceback(
        make_bench, monkeypatch, capfd):
    bench = make_bench(start=False)
    monkeypatch.setattr('udp_infer_ros.engine.Detector', None)
    assert not bench.transition('configure')
    errors = capfd.readouterr().err
    assert 'on_configure failed:' in errors and "AttributeError: 'NoneType'" in errors
    monkeypatch.undo()
    assert bench.bring_up(), 'it can be configured again'


def test_a_destroyed_node_leaves_no_threads_or_file_descriptors(make_bench):
    bench = make_bench(start=False)
    counts = []
    for i in range(4):  # The first one opens what libraries keep open.
        node = UdpInferNode(context=bench.context, namespace=f'n{i}', parameter_overrides=[
            Parameter('model.id', value=bench.node.settings.model.id)])
        bench.executor.add_node(node)
        task = bench.executor.create_task(node.bring_up)
        bench.wait_until(task.done)
        assert task.result()
        workers = [thread.name for thread in threading.enumerate() if 'worker' in thread.name]
        assert workers == ['udp_infer worker']
        bench.executor.remove_node(node)
        node.destroy_node()
        assert not any('udp_infer' in thread.name for thread in threading.enumerate())
        counts.append((threading.active_count(), len(os.listdir('/proc/self/fd'))))
    assert counts[-1] == counts[1]
