# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The launch files, run by launch itself with real nodes.

What they compute is tested without launch too, in test/ros/test_launch_common.py.
"""

from pathlib import Path
import shutil

from launch_helpers import (
    lines_of_the_node, LOCATED, MULTI, ONE, read_until, run, running, show_arguments,
    write_parent)
import pytest
from udp_infer_ros.settings import PARAMETERS

BOTH = pytest.mark.parametrize('path', [ONE, MULTI], ids=['one', 'multi'])


@pytest.mark.parametrize('path, names', [
    (ONE, {'params_file', 'namespace', 'name', 'image', 'source', 'loop', 'realtime', 'model',
           'udp_targets', 'autostart', 'use_sim_time', 'log_level', 'required', 'respawn'}),
    (MULTI, {'cameras_file', 'one_process', 'params_file', 'namespace', 'use_sim_time',
             'log_level', 'required', 'respawn'}),
    (LOCATED, {'params_file', 'params_file_3d', 'namespace', 'image', 'depth', 'camera_info',
               'depth_camera_info', 'detections', 'model', 'udp_targets', 'autostart',
               'use_sim_time', 'log_level', 'required', 'respawn'}),
], ids=['one', 'multi', '3d'])
def test_show_args_lists_every_argument_with_a_description(path, names):
    declared = show_arguments(path)
    assert declared.keys() == names
    assert all('.' in description for description in declared.values())


def test_the_model_argument_has_the_description_of_the_parameter():
    description = show_arguments(ONE)['model']
    assert description.startswith(PARAMETERS['model.id'].meaning) and 'Empty: ' in description


def test_arguments_take_precedence_over_the_params_file(params, frames, tmp_path):
    other = shutil.copy(tmp_path / 'clip.avi', tmp_path / 'other.avi')
    assert run(ONE, params_file=params, source=other)[0] == 0
    messages = frames()
    assert [message['frame_id'] for message in messages] == [0, 1, 2]
    assert {message['udp_infer']['source'] for message in messages} == {str(other)}


@pytest.mark.parametrize('one_process', ['true', 'false'])
def test_each_camera_of_a_list_gets_a_node_with_its_parameters(cameras, frames, one_process):
    code, output = run(MULTI, cameras_file=cameras, one_process=one_process)
    assert code == 0
    assert ('[udp_infer_multi-1]' in output) == (one_process == 'true')
    assert [message['udp_infer']['ros_frame'] for message in frames()] == [
        'front_optical_frame'] * 3


@pytest.mark.parametrize('path, argument', [
    (ONE, 'params_file'), (MULTI, 'params_file'), (MULTI, 'cameras_file')])
def test_a_file_that_does_not_exist_ends_the_launch_before_a_process_starts(
        path, argument, cameras):
    arguments = {'cameras_file': cameras} if path == MULTI else {}
    code, output = run(path, **{**arguments, argument: '/no/such.yaml'})
    assert code == 1
    assert f"{argument} = '/no/such.yaml': " in output
    assert 'process started' not in output


def test_a_launch_without_a_list_of_cameras_names_the_file_to_copy():
    code, output = run(MULTI)
    assert code == 1
    assert "cameras_file = '': must be the path of a YAML file with a list of cameras; " in output
    assert 'udp_infer_multi.yaml' in output
    assert 'process started' not in output


def test_a_tilde_in_a_path_is_the_home_folder(params, cameras, frames, tmp_path):
    home = {'HOME': str(tmp_path)}
    assert run(ONE, env=home, params_file=f'~/{Path(params).name}')[0] == 0
    assert {message['udp_infer']['ros_frame'] for message in frames()} == {'file'}
    assert run(MULTI, env=home, cameras_file='~/cameras.yaml', params_file='~/params.yaml')[0] == 0
    assert {message['udp_infer']['ros_frame'] for message in frames()} == {'front_optical_frame'}


@BOTH
def test_a_parameter_that_a_parent_sets_takes_precedence_over_the_defaults(
        path, params, cameras, frames, tmp_path):
    files = {'cameras_file': cameras} if path == MULTI else {}
    parent = write_parent(
        tmp_path, path, f'SetParametersFromFile({params!r})',
        "SetParameter('udp.payload', 'roboflow')", **files)
    assert run(parent)[0] == 0
    assert not any('udp_infer' in message for message in frames())


@BOTH
def test_an_argument_of_an_include_takes_precedence_over_a_parameter_of_the_parent(
        path, params, cameras, frames, tmp_path):
    files = {'cameras_file': cameras} if path == MULTI else {}
    parent = write_parent(
        tmp_path, path, "SetParameter('source.frame_id', 'parent')",
        "SetParameter('source.uri', '/no/such.mp4')", params_file=params, **files)
    assert run(parent)[0] == 0
    assert {message['udp_infer']['ros_frame'] for message in frames()} == {
        'front_optical_frame' if path == MULTI else 'file'}


@BOTH
@pytest.mark.parametrize('argument, expected', [({}, True), ({'use_sim_time': 'false'}, False)],
                         ids=['parent', 'argument'])
def test_sim_time_is_that_of_the_parent_unless_it_is_an_argument(
        path, argument, expected, params, cameras, tmp_path, parameter_of):
    files = {'cameras_file': cameras} if path == MULTI else {}
    parent = write_parent(
        tmp_path, path, "SetParameter('use_sim_time', True)",
        "SetParameter('autostart', False)", **argument, **files)
    node = '/front/udp_infer' if path == MULTI else '/udp_infer'
    with running(parent):
        assert parameter_of(node, 'use_sim_time').bool_value is expected


@BOTH
@pytest.mark.parametrize('namespace', ['', 'inner', '/absolute'])
def test_the_log_level_applies_in_a_pushed_namespace(
        path, namespace, params, cameras, frames, tmp_path):
    files = {'cameras_file': cameras} if path == MULTI else {'params_file': params}
    parent = write_parent(tmp_path, path, "PushRosNamespace('outer')", namespace=namespace,
                          log_level='warn', **files)
    code, output = run(parent)
    assert code == 0 and len(frames()) == 3
    assert lines_of_the_node(output) == []


def test_a_launch_continues_after_a_node_that_is_not_required(params, tmp_path):
    go = tmp_path / 'go'
    script = f'until [ -e {go} ]; do sleep 0.1; done; echo continued'
    parent = write_parent(
        tmp_path, ONE, before=f'ExecuteProcess(cmd=["sh", "-c", {script!r}], output="screen"), ',
        params_file=params)
    with running(parent) as process:
        read_until(process, r'\[udp_infer-2\]: process has finished cleanly')
        go.touch()
        read_until(process, r'\[sh-1\] continued')
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize('model, code, text', [
    ('', 0, 'process has finished cleanly'),
    ('/no/such.onnx', 1, 'required udp_infer-2 exited with code 1')], ids=['ends', 'fails'])
def test_a_launch_ends_with_its_required_node_and_fails_with_it(
        model, code, text, params, tmp_path):
    parent = write_parent(
        tmp_path, ONE, before="ExecuteProcess(cmd=['sleep', '1000']), ", params_file=params,
        model=model, required='true')
    returned, output = run(parent)
    assert returned == code
    assert text in output


def test_a_node_is_restarted_after_it_exits(params, frames):
    with running(ONE, params_file=params, respawn='true'):
        assert [message['frame_id'] for message in frames() + frames()] == [0, 1, 2] * 2


def test_a_file_is_played_again_from_its_start(params, frames):
    with running(ONE, params_file=params, loop='true', realtime='true'):
        assert len(frames() + frames()) == 6


@pytest.mark.parametrize('arguments, text', [
    ({'source': '0', 'image': '/a'}, "image = '/a': must be empty if source is set"),
    ({'required': 'true', 'respawn': 'true'}, 'respawn = True: excludes required'),
], ids=['image and source', 'required and respawn'])
def test_arguments_that_exclude_each_other_end_the_launch(arguments, text):
    code, output = run(ONE, **arguments)
    assert code == 1
    assert text in output and 'process started' not in output


def test_the_node_for_positions_starts_with_a_detector_and_its_topics_and_parameters(
        tmp_path, parameter_of):
    params = tmp_path / '3d.yaml'
    params.write_text('/**: {ros__parameters: {max_depth_m: 7.5}}')
    with running(LOCATED, namespace='front', params_file_3d=params, depth='/cam/depth',
                 udp_targets='127.0.0.1:9') as process:
        read_until(process, 'udp_infer_3d]: the node is active')
        assert parameter_of('/front/udp_infer_3d', 'max_depth_m').double_value == 7.5
        assert parameter_of('/front/udp_infer', 'udp.targets').string_array_value == [
            '127.0.0.1:9']


def test_the_node_for_positions_starts_alone_behind_another_detector():
    with running(LOCATED, detections='/other/detections') as process:
        lines = []
        while not lines or 'the node is active' not in lines[-1]:
            lines.append(next(process.stdout))
        assert sum('process started' in line for line in lines) == 1
