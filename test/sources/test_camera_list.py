# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A list of cameras is checked before any node is started."""

import ast
import importlib.util
from pathlib import Path

import pytest
from udp_infer_ros.errors import SettingError
from udp_infer_ros.sources.cameras import Camera, read_cameras

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / 'config' / 'udp_infer_multi.yaml'
LAUNCH_FILE = ROOT / 'launch' / 'udp_infer_multi.launch.py'


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / 'cameras.yaml'
        path.write_text(text)
        return read_cameras(path)
    return read_text


def test_the_example_is_what_it_says():
    front, rear, door, bench = read_cameras(EXAMPLE)
    assert front == Camera('front', '/front/image_raw', {})
    assert rear.parameters == {'source.transport': 'compressed', 'source.max_fps': 10.0}
    assert door.topic == '' and door.parameters == {
        'source.uri': 'rtsp://viewer:${DOOR_PASSWORD}@192.168.1.20/stream1',
        'source.frame_id': 'door_optical_frame', 'source.wait_for_source': True,
        'source.stall_timeout_s': 3.0, 'detect.confidence': 0.5,
        'detect.classes': ('person',), 'udp.targets': ('127.0.0.1:37021',)}
    assert bench.parameters['source.fourcc'] == 'MJPG'


def test_a_device_may_be_a_number_and_a_whole_number_is_a_number(read):
    [camera] = read(
        'cameras: [{name: a, uri: 0, parameters: {source.frame_id: lens, detect.iou: 1}}]')
    assert camera.parameters == {
        'source.uri': '0', 'source.frame_id': 'lens', 'detect.iou': 1.0}


@pytest.mark.parametrize('text, fault', [
    ('', 'must have a list named cameras'),
    ('cameras: []', 'must have a list named cameras'),
    ('cameras: [', 'cannot be read'),
    ('cameras: [front]', r'cameras\[0\] = .front.: must have the keys name, topic'),
    ('cameras: [{name: 1a, topic: /a}]', r'cameras\[0\].name = .1a.: must be letters'),
    ('cameras: [{name: a}]', 'must have either a topic or a uri'),
    ('cameras: [{name: a, topic: /a, uri: 0}]', 'must have either a topic or a uri'),
    ('cameras: [{name: a, topic: /a, params: {}}]', r'cameras\[0\].params = .*must be one of'),
    ('cameras: [{name: a, topic: /a}, {name: a, topic: /b}]', 'must not be that of another'),
    ('cameras: [{name: a, topic: /a, parameters: {detect.confidnce: 1}}]',
     r'cameras\[0\].detect.confidnce = 1: no such parameter; did you mean detect.confidence'),
    ('cameras: [{name: a, topic: /a, parameters: {detect: {iou: 2}}}]',
     r'cameras\[0\].detect.iou = 2: must be a number from 0 to 1'),
])
def test_a_mistake_is_named_with_its_place(read, text, fault):
    with pytest.raises(SettingError, match=fault):
        read(text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingError, match='cameras_file = .*none.yaml.: cannot be read'):
        read_cameras(tmp_path / 'none.yaml')


def test_the_launch_file_declares_its_arguments_and_starts_a_node_a_camera():
    tree = ast.parse(LAUNCH_FILE.read_text())
    functions = {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}
    assert functions == {'generate_launch_description', 'start_nodes', 'make_node'}
    launch = pytest.importorskip('launch', reason='launch is not installed here')
    pytest.importorskip('launch_ros')
    spec = importlib.util.spec_from_file_location('udp_infer_multi_launch', LAUNCH_FILE)
    launch_file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(launch_file)
    context = launch.LaunchContext()
    context.launch_configurations.update(
        cameras_file=str(EXAMPLE), params_file=str(EXAMPLE.parent / 'udp_infer.yaml'),
        namespace='robot', use_sim_time='false', log_level='info')
    nodes = launch_file.start_nodes(context)
    for node in nodes:
        node._perform_substitutions(context)
    assert [node.node_name for node in nodes] == [
        f'/robot/{name}/udp_infer' for name in ('front', 'rear', 'door', 'bench')]
    assert ('image_raw', '/front/image_raw') in nodes[0].expanded_remapping_rules
