# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Every parameter is declared once: bad values are refused, and all lists of parameters agree."""

from dataclasses import replace
import importlib.util
from pathlib import Path

import pytest
from udp_infer_ros.errors import SettingError
from udp_infer_ros.positions.settings import PositionSettings
from udp_infer_ros.settings import PARAMETERS, Settings
import yaml

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize('name, value, text', [
    ('detect.confidence', 1.5, 'must be a number from 0 to 1; the default is 0.4'),
    ('detect.confidence', -0.1, 'must be a number from 0 to 1; the default is 0.4'),
    ('detect.confidence', float('nan'), 'must be a number from 0 to 1; the default is 0.4'),
    ('detect.confidence', 'high', 'must be a number from 0 to 1; the default is 0.4'),
    ('detect.confidence', True, 'must be a number from 0 to 1; the default is 0.4'),
    ('model.threads', 2.5, 'must be a whole number from 0 to 1024; the default is 0'),
    ('model.threads', True, 'must be a whole number from 0 to 1024; the default is 0'),
    ('source.loop', 1, 'must be true or false; the default is False'),
    ('source.loop', 'yes', 'must be true or false; the default is False'),
    ('udp.payload', 'ful', 'must be one of full, roboflow; did you mean full?'),
    ('udp.targets', '10.0.0.1:5', "must be a list of text; write ['10.0.0.1:5'], "
     'in a shell -p "udp.targets:=[\'10.0.0.1:5\']"'),
    ('udp.targets', [1.5], "must be a list of text; the default is ['127.0.0.1:37020']"),
    ('model.id', None, "must be text; the default is 'nanodet_g_416'"),
    ('track.low_threshold', 0.5,
     'must not be above track.high_threshold, which is 0.4; set both'),
    ('source.policy', 'every',
     'needs source.uri, because a topic does not wait; use latest or auto, or open the file or '
     'device with source.uri'),
    ('source.fourcc', 'MJPEG', 'must be four letters, e.g. MJPG or YUYV'),
    ('source.width', 640,
     'must be set together with source.height, which is 0; set both or neither'),
    ('model.mean', [1.0, 2.0],
     'must be three numbers, for model.std above 0; give one for each channel, for pixels from '
     '0 to 255'),
    ('model.std', [1.0, 0.0, 1.0],
     'must be three numbers, for model.std above 0; give one for each channel, for pixels from '
     '0 to 255'),
    ('track.type', 'bytetracker', 'must be one of bytetrack, none; did you mean bytetrack?'),
    ('detect.confidnce', 0.5, 'is not a parameter; did you mean detect.confidence?'),
])
def test_an_invalid_value_is_refused_with_its_name_the_rule_and_what_to_do(name, value, text):
    with pytest.raises(SettingError) as caught:
        Settings().with_values({name: value})
    assert str(caught.value) == f'{name} = {value!r}: {text}'


@pytest.mark.parametrize('name, family', [
    ('yolov8', 'yolo'), ('YOLOv9c', 'yolo'), ('yolo11n', 'yolo'), ('yolo12', 'yolo'),
    ('yolov10', 'end2end'), ('yolo26', 'end2end'), ('yolov7', 'yolov5'), ('yolov5s', 'yolov5'),
    ('yolov6', None), ('rt-detr', 'rtdetr'), ('yolo99', 'yolo')])
def test_the_name_of_a_yolo_is_refused_with_the_family_of_its_exports(name, family):
    if family is None:
        assert Settings().with_values({'model.family': name}).model.family == name
        return
    with pytest.raises(SettingError) as caught:
        Settings().with_values({'model.family': name})
    assert caught.value.remedy == f'did you mean {family}?'


@pytest.mark.parametrize('name, value, accepted', [
    ('detect.confidence', 1, 1.0),
    ('detect.confidence', 0.0, 0.0),
    ('source.uri', 0, '0'),
    ('detect.classes', [0, 'car'], ('0', 'car')),
    ('detect.classes', [], ()),
    ('detect.classes', [''], ()),
])
def test_a_value_of_another_yaml_type_is_accepted_if_its_meaning_is_clear(name, value, accepted):
    flat = Settings().with_values({name: value}).flat()
    assert flat[name] == accepted and type(flat[name]) is type(accepted)


def test_a_refused_change_changes_nothing():
    settings = Settings()
    with pytest.raises(SettingError):
        settings.with_values({'detect.iou': 0.9, 'detect.confidence': 7})
    assert settings == Settings()


def test_values_that_depend_on_each_other_can_be_changed_together():
    changed = Settings().with_values({'track.low_threshold': 0.5, 'track.high_threshold': 0.6})
    assert changed.track == replace(
        Settings().track, low_threshold=0.5, high_threshold=0.6)


def test_types_and_choices_are_those_of_the_annotations():
    payload, mean, targets = (
        PARAMETERS[name] for name in ('udp.payload', 'model.mean', 'udp.targets'))
    assert (payload.kind, payload.choices) == (str, ('full', 'roboflow'))
    assert (mean.kind, mean.items) == (tuple, float)
    assert (targets.kind, targets.items) == (tuple, str)
    assert PARAMETERS['model.resize'].choices == (
        'auto', 'letterbox', 'letterbox_top_left', 'stretch')


def test_thresholds_and_outputs_change_live_and_source_and_model_when_configured():
    by_change = {}
    for name, parameter in PARAMETERS.items():
        by_change.setdefault(parameter.change, set()).add(name.partition('.')[0])
    assert by_change == {
        'live': {'detect', 'track', 'publish', 'annotate', 'udp', 'dataset'},
        'configure': {'source', 'model', 'track'}, 'start': {'autostart'}}


def test_flat_values_make_the_same_settings_again():
    settings = Settings().with_values({'udp.targets': ['a:1', 'b:2'], 'autostart': False})
    assert Settings().with_values(settings.flat()) == settings


def test_every_default_is_valid():
    for parameter in PARAMETERS.values():
        assert parameter.check(parameter.default) == parameter.default


def test_every_parameter_is_described_in_sentences():
    for name, parameter in PARAMETERS.items():
        assert parameter.meaning.endswith('.'), name


@pytest.mark.parametrize('name, defaults', [
    ('udp_infer', Settings()), ('udp_infer_3d', PositionSettings())], ids=['2d', '3d'])
def test_the_yaml_file_lists_every_parameter_with_its_default(name, defaults):
    text = (ROOT / 'config' / f'{name}.yaml').read_text(encoding='utf-8')
    tree = yaml.safe_load(text)['/**']['ros__parameters']
    listed = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            listed.update({f'{key}.{leaf}': item for leaf, item in value.items()})
        else:
            listed[key] = value
    assert defaults.with_values(listed) == defaults
    assert list(listed) == list(defaults.parameters())


def test_the_yaml_file_and_the_tables_of_the_pages_are_generated():
    spec = importlib.util.spec_from_file_location('write_docs', ROOT / 'dev' / 'write_docs.py')
    docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docs)
    for path, text in docs.pages().items():
        assert path.read_text(encoding='utf-8') == text, f'{path.name}: run dev/write_docs.py'
        assert path.suffix == '.yaml' or docs.BEGIN in text and docs.END in text
