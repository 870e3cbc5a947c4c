# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Without ROS: the example program runs the engine on a file; what the executable can do."""

from importlib.resources import files
import json
import os
from pathlib import Path
import signal
import subprocess
import sys

import cv2
from helpers import write_clip, write_model, yolo_table
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_ROS = """
import runpy, sys
sys.modules.update(dict.fromkeys(('rclpy', 'cv_bridge')))
sys.path.insert(0, sys.argv.pop(1))
"""
EXAMPLE = f'{WITHOUT_ROS}sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name="__main__")'
EXECUTABLE = f'{WITHOUT_ROS}from udp_infer_ros.ros.main import main; sys.exit(main())'
BOXES = [(0, 0, 20, 20, 0.9, 0), (30, 30, 60, 60, 0.6, 1)]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def model(tmp_path):
    path = write_model(
        tmp_path / 'model.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"})
    return f'model.id={path}'


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / 'clip.avi', frames=8, fps=25, step=20)


def start(*arguments, example='detect_video.py'):
    """Start an example where rclpy cannot be imported."""
    return subprocess.Popen(
        [sys.executable, '-c', EXAMPLE, ROOT, ROOT / 'examples' / example, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments, **options):
    """Run an example; return its exit code, lines and errors."""
    process = start(*arguments, **options)
    out, errors = process.communicate(timeout=50)
    return process.returncode, out.splitlines(), errors


def test_every_frame_of_a_video_is_a_line_like_a_datagram(model, clip):
    jsonschema = pytest.importorskip('jsonschema')
    code, lines, errors = run(clip, model)
    assert (code, errors) == (0, '')
    messages = [json.loads(line) for line in lines]
    assert [message['frame_id'] for message in messages] == list(range(8))
    schema = files('udp_infer_ros').joinpath('payload.v1.schema.json')
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding='utf-8')))
    for message in messages:
        validator.validate(message)
        assert [item['class'] for item in message['predictions']] == ['person', 'car']
        assert [item['tracker_id'] for item in message['predictions']] == [1, 2]
        assert message['udp_infer']['source'].endswith('clip.avi')


def test_two_videos_share_a_model_and_have_the_detections_of_each_alone(model, tmp_path):
    clips = [
        write_clip(tmp_path / f'{frames}.avi', frames=frames, fps=25, step=20)
        for frames in (8, 12)]
    path = model.partition('=')[2]
    code, lines, errors = run(path, *clips, example='detect_videos.py')
    assert (code, errors) == (0, '')
    together = {clip.name: [] for clip in clips}
    for message in map(json.loads, lines):
        together[Path(message['udp_infer']['source']).name].append(message)
    for clip in clips:
        alone = list(map(json.loads, run(clip, model)[1]))
        for key in ('frame_id', 'predictions'):
            assert [found[key] for found in together[clip.name]] == [
                found[key] for found in alone]


def test_parameters_are_yaml_values(model, clip):
    code, lines, _ = run(
        clip, model, 'detect.confidence=0.3', 'detect.classes=[car]', 'track.type=none')
    assert code == 0 and len(lines) == 8
    for line in lines:
        [item] = json.loads(line)['predictions']
        assert item['class'] == 'car' and 'tracker_id' not in item


@pytest.mark.parametrize('argument, text', [
    ('detect.confidence=2',
     'detect.confidence = 2: must be a number from 0 to 1; the default is 0.4'),
    ('detect.confidnce=0.5',
     'detect.confidnce = 0.5: is not a parameter; did you mean detect.confidence?'),
    ('detect.confidence',
     'detect.confidence = None: must be a number from 0 to 1; the default is 0.4'),
    ('detect.classes=2026-13-45',
     "detect.classes = '2026-13-45': must be a YAML value; e.g. 0.5 or [car]"),
    ('detect.classes=[car',
     "detect.classes = '[car': must be a YAML value; e.g. 0.5 or [car]"),
    ('detect.classes=[cow]', "detect.classes = ['cow']: the model has no class 'cow'"),
    ('source.uri=no.mp4', 'source.uri = '),
])
def test_a_wrong_parameter_is_one_line_and_exit_code_1(model, clip, argument, text):
    code, lines, errors = run(clip, model, argument)
    assert code == 1 and lines == []
    assert errors.count('\n') == 1 and text in errors and 'Traceback' not in errors


def test_only_the_video_is_required():
    code, lines, errors = run()
    assert (code, lines) == (2, [])
    assert errors.endswith('error: the following arguments are required: video\n')


def test_its_output_can_be_replayed(model, clip, tmp_path):
    path = tmp_path / 'out.jsonl'
    path.write_text('\n'.join(run(clip, model)[1]) + '\n')
    done = subprocess.run(
        [sys.executable, '-m', 'udp_infer_ros.listen', '--replay', path], capture_output=True,
        text=True, timeout=50)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 8
    assert 'out.jsonl' in done.stderr and '8 frames, 0 lost' in done.stderr


def test_ctrl_c_and_a_closed_pipe_end_the_program_quietly(model, clip):
    for end in (lambda process: process.send_signal(signal.SIGINT),
                lambda process: process.stdout.close()):
        process = start(clip, model, 'source.loop=true')
        assert json.loads(process.stdout.readline())['frame_id'] == 0
        end(process)
        assert process.wait(timeout=30) in (-signal.SIGINT, -signal.SIGPIPE)
        assert process.stderr.read() == ''
        process.stdout.close()
        process.stderr.close()


def run_executable(*arguments, code=EXECUTABLE):
    """Run `udp_infer` where rclpy cannot be imported; return exit code, output and errors."""
    done = subprocess.run(
        [sys.executable, '-c', code, ROOT, *arguments], capture_output=True, text=True,
        timeout=50, env={**os.environ, 'PYTHONPATH': ''})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize('arguments', [
    (), ('--ros-args', '-p', 'source.uri:=a.mp4'),
    ('--describe-model', '--ros-args', '-p', 'model.family:=yolo')])
def test_the_executable_without_ros_ends_with_one_sentence(arguments):
    code, out, errors = run_executable(*arguments)
    assert (code, out) == (1, '')
    assert errors.startswith('udp_infer needs ROS 2 (') and errors.count('\n') == 1


def test_models_are_listed_and_described_without_ros(tmp_path):
    code, out, errors = run_executable('--list-models')
    assert (code, errors) == (0, '') and 'nanodet_g_416' in out
    picture = tmp_path / 'gray.png'
    cv2.imwrite(str(picture), np.full((48, 64, 3), 127, dtype=np.uint8))
    code, out, errors = run_executable(
        '--describe-model', 'nanodet_g_416', '--image', picture)
    assert (code, errors) == (0, '') and 'family   yolo' in out and 'found    0' in out
    code, out, errors = run_executable('--describe-model', '/no/such.onnx')
    assert (code, out, errors) == (
        1, '', "model.id = '/no/such.onnx': no such file; check the path\n")


def test_without_ros_and_without_the_engine_the_extra_is_named():
    code, out, errors = run_executable(
        '--list-models', code=f'{EXECUTABLE}'.replace("'cv_bridge'", "'cv_bridge', 'cv2'"))
    assert (code, out) == (1, '') and errors.count('\n') == 1
    assert errors.endswith("install what the engine needs: pip install '.[engine]'\n")
