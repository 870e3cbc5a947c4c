# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A list of cameras is checked before any node starts."""

from pathlib import Path

import pytest
from udp_infer_ros.errors import SettingError
from udp_infer_ros.sources.camera_list import Camera, read_cameras

EXAMPLE = Path(__file__).resolve().parents[2] / 'config' / 'udp_infer_multi.yaml'


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / 'cameras.yaml'
        path.write_text(text)
        return read_cameras(path)
    return read_text


def test_the_example_lists_four_cameras():
    front, rear, door, bench = read_cameras(EXAMPLE)
    assert front == Camera(name='front', topic='/front/image_raw', parameters={})
    assert rear.parameters == {'source.transport': 'compressed', 'source.max_fps': 10.0}
    assert door.topic == '' and door.parameters == {
        'source.uri': 'rtsp://viewer:${DOOR_PASSWORD}@192.168.1.20/stream1',
        'source.frame_id': 'door_optical_frame', 'source.wait_for_source': True,
        'source.stall_timeout_s': 3.0, 'detect.confidence': 0.5,
        'detect.classes': ('person',), 'udp.targets': ('127.0.0.1:37021',)}
    assert bench.parameters['source.fourcc'] == 'MJPG'


def test_a_device_index_becomes_text_and_a_whole_number_a_float(read):
    [camera] = read(
        'cameras: [{name: a, uri: 0, parameters: {source.frame_id: lens, detect.iou: 1}}]')
    assert camera.parameters == {
        'source.uri': '0', 'source.frame_id': 'lens', 'detect.iou': 1.0}


@pytest.mark.parametrize('text, fault', [
    ('', 'must have a list named cameras'),
    ('cameras: []', 'must have a list named cameras'),
    ('cameras: [', 'cannot be read'),
    ('cameras: 2026-13-45', 'cannot be read: month must be in 1..12'),
    ('cameras: =', 'cannot be read: could not determine a constructor'),
    ('[' * 5000, 'cannot be read'),
    ('cameras: [front]', r'cameras\[0\] = .front.: must have the keys name, topic'),
    ('cameras: [{name: 1a, topic: /a}]', r'cameras\[0\].name = .1a.: must be letters'),
    ('cameras: [{name: fröhlich, topic: /a}]',
     r'cameras\[0\].name = .fröhlich.: must be letters'),
    ('cameras: [{name: a, topic: a b}]',
     r'cameras\[0\].topic = .a b.: must be the name of a topic'),
    ('cameras: [{name: a, topic: ""}]', r'cameras\[0\].topic = ..: must be the name of a topic'),
    ('cameras: [{name: a, topic: /a, parameters: {source.uri: "0"}}]',
     'must have either a topic or source.uri; remove one of them'),
    ('cameras: [{name: a}]', 'must have either a topic or a uri'),
    ('cameras: [{name: a, topic: /a, uri: 0}]', 'must have either a topic or a uri'),
    ('cameras: [{name: a, topic: /a, params: {}}]',
     r'cameras\[0\].params = .*no such key; the keys are name, topic, uri, param'),
    ('cameras: [{name: a, topic: /a}, {name: a, topic: /b}]', 'must be unique'),
    ('cameras: [{name: a, topic: /a, parameters: {detect.confidnce: 1}}]',
     r'cameras\[0\].detect.confidnce = 1: is not a parameter; did you mean detect.confidence'),
    ('cameras: [{name: a, topic: /a, parameters: {detect: {iou: 2}}}]',
     r'cameras\[0\].detect.iou = 2: must be a number from 0 to 1'),
])
def test_an_error_names_the_place(read, text, fault):
    with pytest.raises(SettingError, match=fault):
        read(text)


def test_an_error_names_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(SettingError, match='cameras_file = .*none.yaml.: cannot be read'):
        read_cameras(tmp_path / 'none.yaml')


def test_an_empty_path_is_an_error_that_names_the_example():
    with pytest.raises(SettingError, match="cameras_file = '': .*; copy .*udp_infer_multi.yaml"):
        read_cameras('')
