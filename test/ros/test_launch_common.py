# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Launch arguments become parameters, remappings and logger names. Needs no launch."""

from pathlib import Path

import pytest
from udp_infer_ros.errors import SettingError
from udp_infer_ros.ros.launch_common import camera_namespace, node_keywords, overrides_of

PARAMS_FILE = str(Path(__file__).resolve().parents[2] / 'config' / 'udp_infer.yaml')
NO_ARGUMENTS = dict.fromkeys(('source', 'model', 'udp_targets', 'autostart', 'use_sim_time'), '')


def make_keywords(**changed):
    """Return the keywords of a node for these arguments."""
    return node_keywords(**{
        'namespace': '', 'name': 'udp_infer', 'params_file': PARAMS_FILE, 'overrides': {},
        'image_topic': '', 'log_level': 'info', **changed})


def test_empty_arguments_set_no_parameter():
    assert overrides_of(NO_ARGUMENTS) == {}


def test_an_argument_sets_its_parameter_with_the_right_type():
    assert overrides_of({
        'source': '0', 'model': '/m.onnx', 'udp_targets': 'a:1, b:2', 'autostart': 'false',
        'use_sim_time': 'true',
    }) == {
        'source.uri': '0', 'model.id': '/m.onnx', 'udp.targets': ('a:1', 'b:2'),
        'autostart': False, 'use_sim_time': True}


def test_overrides_follow_the_params_file_so_that_they_take_precedence():
    assert make_keywords(overrides={'source.uri': '0'})['parameters'] == [
        PARAMS_FILE, {'source.uri': '0'}]


@pytest.mark.parametrize('value, passed', [((), ['']), (('a', 'b'), ['a', 'b'])])
def test_a_list_is_passed_as_launch_ros_accepts_it(value, passed):
    _, overrides = make_keywords(overrides={'detect.classes': value})['parameters']
    assert overrides == {'detect.classes': passed}


def test_a_params_file_that_does_not_exist_is_an_error():
    with pytest.raises(SettingError, match="params_file = '/no/such.yaml': must be the path"):
        make_keywords(params_file='/no/such.yaml')


def test_an_image_topic_remaps_image_raw():
    assert make_keywords(image_topic='/cam/image')['remappings'] == [('image_raw', '/cam/image')]
    assert make_keywords()['remappings'] == []


@pytest.mark.parametrize('namespace, logger', [
    ('', 'udp_infer'), ('/', 'udp_infer'), ('front', 'front.udp_infer'),
    ('/robot/front/', 'robot.front.udp_infer')])
def test_the_log_level_is_for_the_logger_of_the_node_alone(namespace, logger):
    arguments = make_keywords(namespace=namespace, log_level='debug')['arguments']
    assert arguments == ['--ros-args', '--log-level', f'{logger}:=debug']


@pytest.mark.parametrize('outer, namespace', [
    ('', 'front'), ('/', 'front'), ('robot', 'robot/front'), ('/robot/', 'robot/front')])
def test_the_namespace_of_a_camera_is_its_name_within_the_outer_one(outer, namespace):
    assert camera_namespace(outer, 'front') == namespace
