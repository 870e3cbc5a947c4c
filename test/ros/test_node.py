# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The node on real topics and sockets: parameters, transitions, malformed images, resources."""

import gc
import os
import threading

from helpers import write_model, yolo_table
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter
from ros_helpers import gray_image, LATCHED
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
    """Return class id, score, x, y, width, height and id of each detection."""
    return [(
        item.results[0].hypothesis.class_id, round(item.results[0].hypothesis.score, 4),
        item.bbox.center.position.x, item.bbox.center.position.y, item.bbox.size_x,
        item.bbox.size_y, item.id) for item in message.detections]


def test_without_a_tracker_ids_are_empty(make_bench):
    bench = make_bench(track__type='none')
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, datagram = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert [item.id for item in message.detections] == ['', '', '']
    assert not any('tracker_id' in entry for entry in datagram['predictions'])


@pytest.mark.parametrize('damage', [
    lambda image: setattr(image, 'data', image.data[:100]),
    lambda image: setattr(image, 'step', 3),
    lambda image: setattr(image, 'height', 0),
    lambda image: setattr(image, 'encoding', 'nonsense'),
])
def test_a_malformed_image_is_counted_and_the_next_good_one_is_processed(
        make_bench, damage, capfd):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bad = gray_image()
    damage(bad)
    camera.publish(bad)
    bench.wait_until(lambda: bench.node.stats.dropped()['bad_message'] == 1)
    message, _ = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert len(message.detections) == 3
    assert 'frame dropped: image' in capfd.readouterr().err


def test_an_image_of_another_size_than_the_first_is_processed(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, datagram = bench.publish(camera, gray_image(64, 64, stamp=(6, 0)))
    assert datagram['image'] == {'width': 64, 'height': 64}
    assert rows_of(message)[0][2:6] == (20.0, 30.0, 20.0, 20.0)


def test_a_late_subscriber_receives_the_class_names_and_the_model(make_bench):
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


def test_a_new_threshold_applies_to_the_next_frame_and_to_the_label_info(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    bench.wait_until(lambda: bench.labels)
    assert bench.set_parameters(detect__confidence=0.55).successful
    message, _ = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert len(message.detections) == 2
    bench.wait_until(lambda: bench.labels[-1].threshold == pytest.approx(0.55))
    assert bench.set_parameters(detect__confidence=0).successful
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
def test_an_invalid_change_is_refused_with_a_reason_and_changes_nothing(
        make_bench, name, value, reason):
    bench = make_bench()
    before = bench.node.settings
    result = bench.set_parameters(**{name: value})
    assert not result.successful and reason in result.reason
    assert bench.node.settings == before


def test_a_parameter_has_a_description_a_range_and_a_rule(make_bench):
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


def test_a_parameter_keeps_its_type_when_set_to_an_integer_or_an_empty_list(make_bench):
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


def test_a_change_takes_effect_without_an_image(make_bench):
    bench = make_bench()
    bench.wait_until(lambda: bench.labels)
    assert bench.set_parameters(detect__confidence=0.7).successful
    bench.wait_until(lambda: bench.labels[-1].threshold == pytest.approx(0.7))


@pytest.mark.parametrize('number', [Transition.TRANSITION_CONFIGURE, 99])
def test_an_impossible_transition_is_refused_without_a_traceback(make_bench, number, capfd):
    bench = make_bench()
    response = bench.call(ChangeState, 'change_state', transition=Transition(id=number))
    assert not response.success
    assert 'Traceback' not in capfd.readouterr().err
    assert bench.transition('deactivate')


def test_a_misspelled_parameter_is_reported_with_the_closest_name(make_bench, capfd):
    make_bench(start=False, detect__confidnce=0.3)
    assert 'detect.confidnce is not a parameter; did you mean detect.confidence?' in (
        capfd.readouterr().err)


def test_no_image_is_processed_while_the_node_is_inactive(make_bench):
    bench = make_bench()
    camera = bench.camera()
    bench.connect(camera, gray_image())
    assert bench.transition('deactivate')
    bench.wait_until(lambda: camera.get_subscription_count() == 0)
    offered = bench.node.stats.offered
    camera.publish(gray_image(stamp=(6, 0)))
    assert bench.transition('activate')
    assert bench.node.stats.offered == offered and not bench.arrays
    bench.connect(camera, gray_image(stamp=(7, 0)))
    message, _ = bench.publish(camera, gray_image(stamp=(7, 1)))
    assert len(message.detections) == 3


def test_the_node_can_be_configured_again_after_cleanup(make_bench):
    bench = make_bench()
    assert bench.transition('deactivate', 'cleanup', 'configure', 'activate')
    camera = bench.camera()
    bench.connect(camera, gray_image())
    message, _ = bench.publish(camera, gray_image(stamp=(6, 0)))
    assert len(message.detections) == 3


def test_a_failed_configure_is_logged_and_can_be_repeated(make_bench, model, capfd):
    os.rename(model, model + '.moved')
    bench = make_bench(start=False)
    assert not bench.transition('configure')
    assert 'no such file' in capfd.readouterr().err
    os.rename(model + '.moved', model)
    assert bench.bring_up()


def test_an_unexpected_exception_in_a_transition_is_logged_with_a_traceback(
        make_bench, monkeypatch, capfd):
    bench = make_bench(start=False)
    monkeypatch.setattr('udp_infer_ros.engine.Detector', None)
    assert not bench.transition('configure')
    errors = capfd.readouterr().err
    assert 'on_configure failed:' in errors and "AttributeError: 'NoneType'" in errors
    monkeypatch.undo()
    assert bench.bring_up(), 'the node can be configured again'


def test_a_destroyed_node_leaves_no_threads_or_file_descriptors(make_bench):
    bench = make_bench(start=False)
    counts = []
    for i in range(4):  # Libraries open files on first use and keep them.
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
        gc.collect()  # Lifecycle nodes of rclpy are parts of reference cycles.
        counts.append((threading.active_count(), len(os.listdir('/proc/self/fd'))))
    assert counts[-1] == counts[1]
