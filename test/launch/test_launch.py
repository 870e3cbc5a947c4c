# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The launch files, run by launch itself.

There is no wheel of launch, so these tests run only in a ROS installation. What the launch files
compute is tested everywhere, in test/ros/test_launch_common.py.
"""

import json
from pathlib import Path

from helpers import target_of, write_clip, write_model, yolo_table
import pytest

pytest.importorskip('launch_ros', reason='launch has no wheel; it needs a ROS installation')

from launch import LaunchDescription, LaunchService  # noqa: E402, I100
from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / 'launch'
ONE, MULTI = FOLDER / 'udp_infer.launch.py', FOLDER / 'udp_infer_multi.launch.py'
FRAMES = 3


@pytest.fixture
def files(tmp_path):
    """Write a clip, a model, and parameters with which the node exits at the end of the clip."""
    clip = write_clip(tmp_path / 'clip.avi', frames=FRAMES, fps=20.0, step=40)
    model = write_model(tmp_path / 'model.onnx', yolo_table([(8, 8, 40, 40, 0.9, 0)], 2))
    params = tmp_path / 'params.yaml'
    params.write_text('/**: {ros__parameters: {source.exit_at_end: true, detect.confidence: 0.5}}')
    return str(clip), str(model), str(params)


def run(path, **arguments):
    """Launch a file until all its nodes have exited; return the exit code of launch."""
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(path)), launch_arguments=list(arguments.items()))]))
    return service.run()


def frames_from(receiver):
    """Return the numbers of the frames and the ROS frame that arrived."""
    messages = [json.loads(receiver.recv(65535)) for _ in range(FRAMES)]
    [ros_frame] = {message['udp_infer']['ros_frame'] for message in messages}
    return [message['frame_id'] for message in messages], ros_frame


@pytest.mark.parametrize('path, names', [
    (ONE, {'params_file', 'namespace', 'name', 'image', 'source', 'model', 'udp_targets',
           'autostart', 'use_sim_time', 'log_level'}),
    (MULTI, {'cameras_file', 'params_file', 'namespace', 'use_sim_time', 'log_level'}),
], ids=['one', 'multi'])
def test_show_args_lists_every_argument_with_a_description(path, names):
    source = PythonLaunchDescriptionSource(str(path))
    declared = source.try_get_launch_description_without_context().get_launch_arguments()
    assert {action.name for action in declared} == names
    assert all('.' in action.description for action in declared)


def test_arguments_take_precedence_over_the_params_file(files, receiver):
    clip, model, params = files
    assert run(ONE, params_file=params, source=clip, model=model,
               udp_targets=target_of(receiver)) == 0
    assert frames_from(receiver) == ([0, 1, 2], 'camera_optical_frame')


def test_each_camera_of_a_list_gets_a_node_with_its_parameters(files, receiver, tmp_path):
    clip, model, params = files
    cameras = tmp_path / 'cameras.yaml'
    cameras.write_text(json.dumps({'cameras': [{
        'name': 'front', 'uri': clip,
        'parameters': {'model.id': model, 'udp.targets': [target_of(receiver)]}}]}))
    assert run(MULTI, params_file=params, cameras_file=str(cameras)) == 0
    assert frames_from(receiver) == ([0, 1, 2], 'front_optical_frame')


@pytest.mark.parametrize('path', [ONE, MULTI], ids=['one', 'multi'])
def test_a_params_file_that_does_not_exist_ends_the_launch(path):
    assert run(path, params_file='/no/such.yaml') == 1
