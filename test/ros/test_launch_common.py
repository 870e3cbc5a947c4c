# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Launch arguments become parameters, remappings and logger names. Needs no launch."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from udp_infer_ros.errors import SettingError
from udp_infer_ros.ros.launch_common import (
    ARGUMENTS, camera_namespace, node_keywords, overrides_of)
from udp_infer_ros.settings import Settings

PARAMS_FILE = str(Path(__file__).resolve().parents[2] / 'config' / 'udp_infer.yaml')


def make_keywords(**changed):
    """Return the keywords of a node for these arguments."""
    return node_keywords(**{
        'pushed_namespace': '', 'namespace': '', 'name': 'udp_infer', 'params_file': '',
        'overrides': {}, 'image_topic': '', 'log_level': 'info', 'required': False,
        'respawn': False, **changed})


def test_empty_arguments_set_no_parameter():
    assert overrides_of(dict.fromkeys(ARGUMENTS, '')) == {}


def test_without_arguments_no_parameter_is_passed():
    assert make_keywords()['parameters'] == []


def test_an_argument_sets_its_parameter_with_the_right_type():
    assert overrides_of({
        'source': '0', 'loop': 'true', 'realtime': 'false', 'model': '/m.onnx',
        'udp_targets': 'a:1, b:2', 'autostart': 'false', 'use_sim_time': 'true',
    }) == {
        'source.uri': '0', 'source.loop': True, 'source.realtime': False, 'model.id': '/m.onnx',
        'udp.targets': ('a:1', 'b:2'), 'autostart': False, 'use_sim_time': True}


def test_every_argument_sets_a_parameter_of_the_node():
    assert set(ARGUMENTS.values()) - {'autostart', 'use_sim_time'} <= Settings().flat().keys()


def test_overrides_follow_the_params_file_so_that_they_take_precedence():
    keywords = make_keywords(params_file=PARAMS_FILE, overrides={'source.uri': '0'})
    assert keywords['parameters'] == [PARAMS_FILE, {'source.uri': '0'}]


@pytest.mark.parametrize('value, passed', [((), ['']), (('a', 'b'), ['a', 'b'])])
def test_a_list_is_passed_as_launch_ros_accepts_it(value, passed):
    [overrides] = make_keywords(overrides={'detect.classes': value})['parameters']
    assert overrides == {'detect.classes': passed}


def test_a_params_file_that_does_not_exist_is_an_error():
    with pytest.raises(SettingError, match="params_file = '/no/such.yaml': must be the path"):
        make_keywords(params_file='/no/such.yaml')


def test_a_tilde_in_params_file_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'my.yaml').touch()
    assert make_keywords(params_file='~/my.yaml')['parameters'] == [str(tmp_path / 'my.yaml')]


@pytest.mark.parametrize('arguments, text', [
    ({'image_topic': '/a', 'overrides': {'source.uri': '0'}},
     "image = '/a': must be empty if source is set; remove image"),
    ({'required': True, 'respawn': True}, 'respawn = True: excludes required'),
], ids=['image and source', 'required and respawn'])
def test_arguments_that_exclude_each_other_are_an_error(arguments, text):
    with pytest.raises(SettingError, match=text):
        make_keywords(**arguments)


def test_an_image_topic_remaps_image_raw():
    assert make_keywords(image_topic='/cam/image')['remappings'] == [('image_raw', '/cam/image')]
    assert make_keywords()['remappings'] == []


def test_only_a_required_node_ends_the_launch_and_fails_it_if_the_node_failed():
    assert 'on_exit' not in make_keywords()
    end = make_keywords(required=True)['on_exit']
    with pytest.raises(RuntimeError, match='required udp_infer-1 exited with code 2'):
        end(SimpleNamespace(process_name='udp_infer-1', returncode=2), None)


@pytest.mark.parametrize('pushed, namespace, logger', [
    ('', '', 'udp_infer'), ('', '/', 'udp_infer'), ('', 'front', 'front.udp_infer'),
    ('', '/robot/front/', 'robot.front.udp_infer'), ('/robot', '', 'robot.udp_infer'),
    ('robot', 'front', 'robot.front.udp_infer'), ('/robot', '/front', 'front.udp_infer')])
def test_the_log_level_is_for_the_logger_of_the_node_alone(pushed, namespace, logger):
    arguments = make_keywords(
        pushed_namespace=pushed, namespace=namespace, log_level='debug')['arguments']
    assert arguments == ['--ros-args', '--log-level', f'{logger}:=debug']


@pytest.mark.parametrize('outer, namespace', [
    ('', 'front'), ('/', '/front'), ('robot', 'robot/front'), ('/robot/', '/robot/front')])
def test_the_namespace_of_a_camera_is_its_name_within_the_outer_one(outer, namespace):
    assert camera_namespace(outer, 'front') == namespace
