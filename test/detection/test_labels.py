# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Class names come from the parameter, a file, or the model."""

import pytest
from udp_infer_ros.detection.labels import configured_labels, label_classes
from udp_infer_ros.errors import ModelError


@pytest.mark.parametrize('name, text', [
    ('a.txt', 'person\n\n car \n'),
    ('a.names', 'person\ncar'),
    ('a.yaml', 'names: [person, car]'),
    ('a.yml', '{0: person, 1: car}'),
    ('a.yaml', 'path: x\nnames:\n  0: person\n  1: car\n'),
    ('a.json', '["person", "car"]'),
    ('a.json', '{"names": {"0": "person", "1": "car"}}'),
])
def test_class_names_are_read_from_text_yaml_and_json_files(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert configured_labels([str(path)]) == ('person', 'car')


def test_class_names_can_be_listed_in_the_parameter():
    assert configured_labels(['person', 'car']) == ('person', 'car')
    assert configured_labels(['person']) == ('person',)
    assert configured_labels([]) == ()


@pytest.mark.parametrize('name, text, rule', [
    ('a.txt', None, 'cannot be read: '),
    ('a.txt', ' \n', 'must contain class names'),
    ('a.yaml', 'names: [', 'cannot be read: '),
    ('a.json', '{', 'cannot be read: '),
    ('a.yaml', 'nc: 3', 'must contain class names'),
    ('a.yaml', '!!python/object/apply:os.system [false]', 'cannot be read: '),
    ('a.json', '[' * 100_000, 'cannot be read: '),
    ('a.yaml', '[' * 3000, 'cannot be read: '),
    ('a.txt', 'x' * 4_000_001, 'cannot be read: larger than 4000000 bytes; '),
    ('a.yaml', 'a: &a [x, x]\nb: &b [*a, *a]\nnames: [*a, *b]', 'must contain class names'),
])
def test_a_file_without_class_names_is_refused(tmp_path, name, text, rule):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModelError) as caught:
        configured_labels([str(path)])
    assert str(caught.value).startswith(f'model.labels = {str(path)!r}: {rule}')
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize('path', [
    '~nosuchuser/a.txt', '/dev/null/a.txt', 'a\0.txt', 'x' * 300 + '.txt'])
def test_an_impossible_path_is_refused(path):
    with pytest.raises(ModelError, match='^model.labels = .*: cannot be read: '):
        configured_labels([path])


@pytest.mark.parametrize('configured, in_file, count, has_background, expected', [
    ((), ('a', 'b'), 2, False, ('a', 'b')),
    (('x', 'y'), ('a', 'b'), 2, False, ('x', 'y')),
    ((), (), 2, False, ('class_0', 'class_1')),
    ((), (), None, False, ()),
    (('x',), (), None, False, ('x',)),
    ((), ('a', 'b'), 3, True, ('a', 'b')),
    ((), ('a', 'b'), 2, True, ('a', 'b')),
    ((), (), 3, True, ('class_0', 'class_1')),
    ((), (), 91, True, tuple(f'class_{i}' for i in range(91))),
])
def test_every_class_gets_a_name(configured, in_file, count, has_background, expected):
    assert label_classes(
        'm', configured=configured, in_file=in_file, class_count=count,
        has_background=has_background) == expected


@pytest.mark.parametrize('arguments', [{'configured': (), 'in_file': None}, {
    'configured': None, 'in_file': ()}])
def test_class_names_are_made_printable(arguments):
    names = ('stop\nsign', '\x1b[31mred', '\u202etac', '\ud800', 'x' * 1000, ' \n', 'v\u00e9lo')
    labels = label_classes(
        'm', class_count=7, has_background=False,
        **{key: names if value is None else value for key, value in arguments.items()})
    assert labels == (
        'stop sign', '\ufffd[31mred', '\ufffdtac', '\ufffd', 'x' * 99 + '\u2026', 'class_5',
        'v\u00e9lo')


@pytest.mark.parametrize('count, names', [(65_536, ()), (None, ('x',) * 65_536)])
def test_more_classes_than_messages_can_number_are_refused(count, names):
    with pytest.raises(ModelError, match="^model.id = 'm': must have at most 65535 classes"):
        label_classes(
            'm', configured=(), in_file=names, class_count=count, has_background=False)


@pytest.mark.parametrize('configured, in_file, text', [
    (('a',), ('a', 'b'), "model.labels = ['a']: has 1 classes, but the network has 2"),
    ((), ('a', 'b', 'c'), "model.id = 'm': names 3 classes, but the network has 2"),
])
def test_a_wrong_number_of_class_names_is_refused(configured, in_file, text):
    with pytest.raises(ModelError) as caught:
        label_classes(
            'm', configured=configured, in_file=in_file, class_count=2, has_background=False)
    assert str(caught.value).startswith(text)
