# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The log of a run: why images are processed or not, and each decision once at level debug."""

import array
import re

import cv2
from helpers import write_clip, write_model, yolo_table
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
from rclpy.logging import get_logger, LoggingSeverity
from ros_helpers import gray_image
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger

pytestmark = pytest.mark.timeout(60)
BOXES = [(10, 20, 30, 40, 0.9, 1)]


@pytest.fixture
def model(tmp_path):
    return str(write_model(
        tmp_path / 'two.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"}))


@pytest.fixture
def make_logged(make_bench):
    """Return a function that starts a node with a list of what it logs, and brings it up."""
    def make(start=True, debug=False, **values):
        bench = make_bench(start=False, **values)
        if debug:
            bench.node.get_logger().set_level(LoggingSeverity.DEBUG)
        logged = bench.subscribe_to_log()
        if start:
            assert bench.bring_up()
        return bench, logged
    yield make
    get_logger('udp_infer').set_level(LoggingSeverity.UNSET)


def wait_for(bench, logged, text):
    """Wait for a line that contains a text; return the lines that do."""
    bench.wait_until(lambda: any(text in line for line in logged), because=text)
    return [line for line in logged if text in line]


# Transitions and stops


def test_each_transition_of_a_service_logs_one_line_with_its_cause(make_logged):
    bench, logged = make_logged(start=False)
    for label in ('configure', 'activate', 'deactivate', 'cleanup', 'shutdown'):
        assert bench.transition(label)
    wait_for(bench, logged, 'shutdown: ')
    assert [line for line in logged if ' -> ' in line and 'udp' not in line] == [
        'configure: unconfigured -> inactive (service change_state)',
        'activate: inactive -> active (service change_state)',
        'deactivate: active -> inactive (service change_state)',
        'cleanup: inactive -> unconfigured (service change_state)',
        'shutdown: unconfigured -> finalized (service change_state)']


def test_the_transitions_of_autostart_name_it(make_logged):
    bench, logged = make_logged()
    assert wait_for(bench, logged, '(autostart)') and wait_for(bench, logged, 'activate: ')
    assert [line for line in logged if 'autostart' in line] == [
        'configure: unconfigured -> inactive (autostart)',
        'activate: inactive -> active (autostart)']


def test_a_shutdown_of_an_active_node_logs_one_line(make_logged):
    bench, logged = make_logged()
    assert bench.call(ChangeState, 'change_state', transition=Transition(
        id=Transition.TRANSITION_ACTIVE_SHUTDOWN)).success
    assert wait_for(bench, logged, 'finalized') == [
        'shutdown: active -> finalized (service change_state)']


@pytest.mark.parametrize('transition, text', [
    (Transition(label='configure'), 'configure did not succeed, the node is active'),
    (Transition(id=Transition.TRANSITION_CLEANUP), 'cleanup did not succeed, the node is active'),
    (Transition(id=99), 'transition 99 did not succeed, the node is active'),
    (Transition(label='\x1b[2J\n'), r"transition '\x1b[2J\n' did not succeed, the node is active"),
])
def test_a_transition_that_is_not_possible_logs_the_state_of_the_node(
        make_logged, transition, text):
    bench, logged = make_logged()
    assert not bench.call(ChangeState, 'change_state', transition=transition).success
    assert wait_for(bench, logged, 'did not succeed') == [f'{text} (service change_state)']


def test_a_failed_activation_logs_its_reason_and_the_state(make_logged):
    bench, logged = make_logged(start=False, source__uri='/dev/video63')
    assert bench.transition('configure') and not bench.transition('activate')
    wait_for(bench, logged, 'activate did not succeed, the node is inactive')
    wait_for(bench, logged, 'no such device; ')


def test_disabling_and_enabling_log_a_line_each(make_logged):
    bench, logged = make_logged()
    for data in (False, False, True, True):
        assert bench.call(SetBool, 'enable', data=data).success
    bench.wait_until(lambda: len([line for line in logged if '~/enable' in line]) == 4)
    assert [line for line in logged if '~/enable' in line] == [
        '~/enable false: disabled; the model stays loaded (service)',
        '~/enable false: already disabled (service)', '~/enable true: enabled (service)',
        '~/enable true: already enabled (service)']


def test_the_end_of_a_file_is_logged_with_what_opens_it_again(make_logged, tmp_path):
    clip = write_clip(tmp_path / 'clip.avi', frames=5, fps=20.0, step=5)
    bench, logged = make_logged(source__uri=str(clip))
    assert wait_for(bench, logged, 'end of source, idle') == [
        'end of source, idle; to open it again, call ~/enable with false and true']
    response = bench.call(SetBool, 'enable', data=True)
    assert not response.success and 'the source has ended' in response.message
    assert bench.call(SetBool, 'enable', data=False).success
    assert bench.call(SetBool, 'enable', data=True).success
    bench.wait_until(lambda: bench.node.stats.snapshot().processed == 10)


# The first frame


def test_the_first_image_of_a_topic_is_logged_once_with_size_encoding_and_qos(make_logged):
    bench, logged = make_logged()
    camera = bench.camera(reliable=False)
    bench.connect(camera, gray_image())
    for i in range(3):
        bench.publish(camera, gray_image(stamp=(6, i)))
    assert wait_for(bench, logged, 'first image') == [
        'first image of topic /image_raw: 128 x 64, bgr8; subscription best effort volatile; '
        'publishers: /peer best effort volatile']


def test_the_first_image_is_logged_with_the_qos_after_the_subscription_is_adapted(make_logged):
    bench, logged = make_logged()
    camera = bench.camera()

    def is_logged():
        camera.publish(gray_image())
        return any('first image' in line for line in logged)
    bench.wait_until(is_logged, period_s=0.005)
    [line] = [line for line in logged if 'first image' in line]
    assert line.endswith('; subscription reliable volatile; publishers: /peer reliable volatile')


def test_the_first_image_of_a_compressed_topic_is_logged_with_size_and_format(make_logged):
    bench, logged = make_logged(source__transport='compressed')
    camera = bench.camera('/image_raw/compressed', kind=CompressedImage)
    jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), 127, dtype=np.uint8))[1]
    message = CompressedImage(format='bgr8; jpeg compressed bgr8')
    message.data = array.array('B', jpeg.tobytes())
    bench.connect(camera, message)
    assert wait_for(bench, logged, 'first image') == [
        'first image of topic /image_raw/compressed: 64 x 48, bgr8; jpeg compressed bgr8; '
        'subscription reliable volatile; publishers: /peer reliable volatile']


def test_images_arrive_again_only_after_images_were_lost(make_logged):
    bench, logged = make_logged(source__stall_timeout_s=0.5)
    wait_for(bench, logged, 'no image for')
    camera = bench.camera()
    bench.connect(camera, gray_image())
    wait_for(bench, logged, 'first image')
    bench.wait_until(lambda: len([line for line in logged if 'no image for' in line]) == 2)
    assert not [line for line in logged if 'again' in line]
    bench.publish(camera, gray_image(stamp=(6, 0)))
    assert wait_for(bench, logged, 'again') == ['topic /image_raw: images arrive again']
    assert len([line for line in logged if 'first image' in line]) == 1


def test_the_first_frame_of_a_file_is_logged_with_size_format_and_rate(make_logged, tmp_path):
    clip = write_clip(tmp_path / 'clip.avi', frames=5, fps=20.0, step=5)
    bench, logged = make_logged(source__uri=str(clip), source__loop=True)
    wait_for(bench, logged, 'first frame')
    bench.wait_until(lambda: bench.node.stats.snapshot().processed > 12)
    assert [line for line in logged if 'first frame' in line] == [
        f'first frame of {clip}, MJPG, 64 x 48, 20 fps ({backend(logged)})']


def backend(logged):
    """Return the name of the backend in the log."""
    return next(
        match[1] for line in logged if (match := re.search(r'20 fps \((\w+)\)$', line)))


# Services in every state

STATES = {
    'unconfigured': (), 'inactive': ('configure',), 'active': ('configure', 'activate'),
    'finalized': ('configure', 'activate', 'deactivate', 'shutdown')}
REMEDIES = {
    'unconfigured': 'configure and activate it first', 'inactive': 'activate it first',
    'finalized': 'start a new process'}


@pytest.mark.parametrize('state', REMEDIES)
@pytest.mark.parametrize('data', [True, False])
def test_enable_is_refused_where_no_images_are_processed_and_changes_nothing(
        make_logged, state, data):
    bench, logged = make_logged(start=False)
    assert bench.transition(*STATES[state])
    response = bench.call(SetBool, 'enable', data=data)
    assert not response.success
    assert response.message == (
        f'the node is {state}: it processes no images, and ~/enable changes nothing; '
        f'{REMEDIES[state]}')
    wait_for(bench, logged, f'~/enable {str(data).lower()} refused: the node is {state}')
    if state == 'inactive':
        assert bench.transition('activate')
        assert bench.call(SetBool, 'enable', data=True).message == 'already enabled'


def test_enable_waits_for_a_transition_and_answers_for_the_state_after_it(make_logged):
    bench, _ = make_logged()
    deactivated = bench.call_async(
        ChangeState, 'change_state', transition=Transition(label='deactivate'))
    response = bench.call(SetBool, 'enable', data=True)
    assert bench.wait_for(deactivated).success
    assert not response.success and 'the node is inactive' in response.message


@pytest.mark.parametrize('state, success, text', [
    ('unconfigured', False, 'there is no tracker: the node is not configured'),
    ('inactive', True, 'all tracks are removed; no images are processed, the node is inactive'),
    ('active', True, 'all tracks are removed'),
    ('finalized', False, 'there is no tracker: the node is not configured')])
def test_reset_tracker_answers_for_the_state(make_logged, state, success, text):
    bench, logged = make_logged(start=False)
    assert bench.transition(*STATES[state])
    response = bench.call(Trigger, 'reset_tracker')
    assert (response.success, response.message) == (success, text)
    wait_for(bench, logged, f'~/reset_tracker{"" if success else " refused"}: {text}')


def test_reset_tracker_of_a_disabled_node_says_that_it_is_disabled(make_logged):
    bench, _ = make_logged()
    assert bench.call(SetBool, 'enable', data=False).success
    assert bench.call(Trigger, 'reset_tracker').message == (
        'all tracks are removed; no images are processed, the node is disabled')


def test_reset_tracker_is_refused_without_a_tracker(make_logged):
    bench, _ = make_logged(track__type='none')
    response = bench.call(Trigger, 'reset_tracker')
    assert (response.success, response.message) == (
        False, 'there is no tracker: track.type is none')


# Decisions, at level debug


def test_the_decisions_about_the_model_are_logged(make_logged, model):
    bench, logged = make_logged(debug=True)
    wait_for(bench, logged, f'model.id = {model} is the file {model}')
    wait_for(bench, logged, 'CPUExecutionProvider')
    wait_for(bench, logged, f'{model}: outputs output0 (1, 6, 84); families that match: yolo')
    wait_for(bench, logged, f'{model}: 2 class names, from the model file')
    wait_for(bench, logged, 'the family yolo was trained with RGB 0..1, letterbox')


def test_each_subscription_is_logged_with_the_qos_of_the_publishers_but_no_frame(make_logged):
    bench, logged = make_logged(debug=True)
    wait_for(bench, logged, 'subscribing to /image_raw: reliability BEST_EFFORT; '
             'publishers: none')
    camera = bench.camera()
    bench.connect(camera, gray_image())
    wait_for(bench, logged, 'subscribing to /image_raw: reliability RELIABLE; '
             'publishers: /peer reliable volatile')
    wait_for(bench, logged, 'first image')
    count = len(logged)
    for i in range(20):
        bench.publish(camera, gray_image(stamp=(6, i)))
    bench.call(Trigger, 'reset_tracker')
    wait_for(bench, logged, 'reset_tracker')
    assert len(logged) <= count + 3, logged[count:]


def test_a_change_of_a_parameter_and_its_refusal_are_logged(make_logged):
    bench, logged = make_logged(debug=True)
    assert bench.set_parameters(detect__confidence=0.7, detect__iou=0.45).successful
    assert not bench.set_parameters(detect__confidence=7.0).successful
    assert wait_for(bench, logged, 'detect.confidence: ') == ['detect.confidence: 0.4 -> 0.7']
    wait_for(bench, logged, 'change refused: detect.confidence = 7.0: must be a number from 0')
    assert not [line for line in logged if 'detect.iou' in line], 'it did not change'


def test_the_addresses_of_the_receivers_are_logged(make_logged):
    bench, logged = make_logged(debug=True)
    assert bench.set_parameters(udp__targets=['localhost:5', '127.0.0.1:6']).successful
    assert wait_for(bench, logged, 'localhost:5 has') == [
        'udp.targets: localhost:5 has the address 127.0.0.1']


def test_without_level_debug_no_decision_is_logged(make_logged, tmp_path):
    bench, logged = make_logged()
    assert bench.set_parameters(detect__confidence=0.7).successful
    bench.call(Trigger, 'reset_tracker')
    wait_for(bench, logged, 'reset_tracker')
    assert not [line for line in logged if re.search('subscribing|families|-> 0.7', line)]
