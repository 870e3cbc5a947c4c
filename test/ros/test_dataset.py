# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The dataset of a node: images of topics, the service, and rules that change while it runs."""

import array

import cv2
from dataset_helpers import picture, read
from diagnostic_msgs.msg import DiagnosticArray
import pytest
from ros_helpers import Bench
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import Trigger
from udp_infer_ros.errors import SettingError

RULES = {
    'dataset.rules': ['rare'], 'dataset.min_free_bytes': 0, 'dataset.rare.type': 'count',
    'dataset.rare.less_than': 1, 'dataset.rare.fraction': 1.0}


def make_message():
    """Build a compressed image with a stamp of 2025."""
    message = CompressedImage(format='bgr8; jpeg compressed bgr8')
    message.header.stamp.sec = 1_764_158_400
    message.data = array.array('B', cv2.imencode('.jpg', picture(320, 240))[1].tobytes())
    return message


@pytest.fixture
def bench(tmp_path):
    given = {key: value for key, value in RULES.items() if not key.endswith('fraction')}
    bench = Bench({
        'dataset.directory': str(tmp_path / 'data'), 'detect.confidence': 0.99,
        'dataset.rules': [], **{k: v for k, v in given.items() if k != 'dataset.rules'}})
    yield bench
    bench.close()


def test_collect_stores_the_jpeg_of_the_next_image_byte_for_byte(bench, tmp_path):
    camera, message = bench.compressed_camera(), make_message()
    bench.connect(camera, message)
    assert bench.call(Trigger, 'collect').success
    bench.publish(camera, message)
    folder = tmp_path / 'data' / '2025-11-26'
    bench.wait_until(lambda: (folder / 'annotations.json').exists() and read(folder)['images'])
    [image] = read(folder)['images']
    assert image['rule'] == 'collect' and image['source'] == '/image_raw/compressed'
    assert (folder / 'images' / image['file_name']).read_bytes() == bytes(message.data)


def test_rules_are_added_and_changed_while_the_node_runs(bench, tmp_path):
    camera, message = bench.compressed_camera(), make_message()
    bench.connect(camera, message)
    assert bench.set_parameters(dataset__rules=['rare']).successful
    assert bench.set_parameters(dataset__rare__per_day=2).successful
    for _ in range(4):
        bench.publish(camera, message)
    folder = tmp_path / 'data' / '2025-11-26'
    bench.wait_until(lambda: (folder / 'annotations.json').exists() and len(
        read(folder)['images']) == 2)
    assert bench.set_parameters(dataset__all__type='random', dataset__all__fraction=1).successful
    assert bench.set_parameters(dataset__rules=['rare', 'all']).successful
    bench.publish(camera, message)
    bench.wait_until(lambda: len(read(folder)['images']) == 3)
    assert [image['rule'] for image in read(folder)['images']] == ['rare', 'rare', 'all']
    assert bench.set_parameters(dataset__all__type='empty').successful
    assert not bench.node.has_parameter('dataset.all.fraction')
    assert bench.node.describe_parameter('dataset.rare.per_day').integer_range[0].from_value == 0


def test_an_unknown_type_or_key_or_rule_is_refused_with_the_nearest(bench):
    for values, text in (
            ({'dataset__rare__type': 'cuont'}, 'did you mean count?'),
            ({'dataset__rare__more_then': 1}, 'did you mean dataset.rare.more_than?'),
            ({'dataset__rules': ['rar']}, 'did you mean rare?')):
        result = bench.set_parameters(**values)
        assert not result.successful and text in result.reason
        assert bench.node.settings.dataset.rules == ()
    assert not bench.node.has_parameter('dataset.rare.more_then')


def test_a_parameter_of_another_type_of_rule_is_refused_at_the_start(tmp_path):
    with pytest.raises(SettingError, match='is not a parameter of a rule of type count'):
        Bench({'dataset.directory': str(tmp_path), **RULES}, start=False)


@pytest.fixture
def recorder(bench):
    """Collect every frame with a snapshot; return the requests that the service has received."""
    snapshot = pytest.importorskip('rosbag2_interfaces.srv').Snapshot
    requests = []

    def answer(request, response):
        requests.append(request)
        response.success = len(requests) == 1
        return response
    bench.peer.create_service(snapshot, '/recorder/snapshot', answer)
    assert bench.set_parameters(
        dataset__rare__type='random', dataset__rare__snapshot=True,
        dataset__snapshot_service='/recorder/snapshot', dataset__snapshot_delay_s=0.3,
        dataset__snapshot_period_s=3600.0).successful
    assert bench.set_parameters(dataset__rare__fraction=1.0).successful
    assert bench.set_parameters(dataset__rules=['rare']).successful
    return requests


@pytest.fixture
def counters(bench):
    """Return a function that returns the numbers of written and failed snapshots."""
    arrays = []
    bench.peer.create_subscription(DiagnosticArray, '/diagnostics', arrays.append, 10)

    def latest():
        found = {item.key: item.value for array in arrays[-3:] for status in array.status
                 for item in status.values}
        return found.get('snapshots_written'), found.get('snapshots_failed')
    return latest


def test_a_recorder_is_requested_once_per_period_and_its_refusals_are_counted(
        bench, recorder, counters, tmp_path):
    camera, message = bench.compressed_camera(), make_message()
    bench.connect(camera, message)
    bench.wait_until(lambda: counters() == ('1', '0'))
    count = len(read(tmp_path / 'data' / '2025-11-26')['images'])
    for _ in range(3):
        bench.publish(camera, message)
    bench.wait_until(
        lambda: len(read(tmp_path / 'data' / '2025-11-26')['images']) == count + 3)
    assert len(recorder) == 1 and counters() == ('1', '0')
    assert bench.set_parameters(dataset__snapshot_period_s=0.0).successful
    bench.publish(camera, message)
    bench.wait_until(lambda: counters() == ('1', '1'))
    assert len(recorder) == 2


def test_an_absent_recorder_is_counted_and_images_are_stored(bench, recorder, counters, tmp_path):
    camera, message = bench.compressed_camera(), make_message()
    assert bench.set_parameters(dataset__snapshot_service='/absent/snapshot').successful
    bench.connect(camera, message)
    bench.publish(camera, message)
    bench.wait_until(lambda: counters() == ('0', '1'))
    assert not recorder
    bench.wait_until(lambda: read(tmp_path / 'data' / '2025-11-26')['images'])
