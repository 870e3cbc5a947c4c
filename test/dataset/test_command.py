# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The command udp_infer_dataset."""

import cv2
from dataset_helpers import at, collect, DAY_S, make_output, make_settings, NAMES, NOON_S, read
import pytest
import supervision as sv
from udp_infer_ros.dataset.command import main
from udp_infer_ros.outputs.dataset.store import Store


@pytest.fixture
def directory(tmp_path):
    """Collect four images on two days, one of them empty and one by a rule of its own."""
    output = make_output(make_settings(
        tmp_path / 'data', ('none', 'all'), none__type='empty', annotations='yolo'))
    collect(output, [at(NOON_S, 2), at(NOON_S + 1, 0), at(NOON_S + 2, 5),
                     at(NOON_S + DAY_S, 3)])
    output.close()
    return tmp_path / 'data'


def words(text):
    """Return the words of each line."""
    return [line.split() for line in text.splitlines()]


def test_show_prints_counts_by_day_class_and_rule_and_writes_a_sheet(directory, tmp_path, capsys):
    sheet = tmp_path / 'sheet.png'
    assert main(['show', str(directory), '--sheet', str(sheet)]) == 0
    printed = words(capsys.readouterr().out)
    stored = [read(directory / day) for day in ('2025-11-26', '2025-11-27')]
    for name in NAMES:
        number = NAMES.index(name) + 1
        boxes = [item for content in stored for item in content['annotations']
                 if item['category_id'] == number]
        assert [line[2] for line in printed if line[:1] == [name]] == [str(len(boxes))]
    assert ['2025-11-26', '3', '7'] in printed and ['2025-11-27', '1', '3'] in printed
    assert ['none', '1'] in printed and ['all', '3'] in printed
    picture = cv2.imread(str(sheet))
    assert picture.shape[1] > 4 * 300 and picture.std() > 20


def test_merge_matches_classes_by_name_and_keeps_every_box(directory, tmp_path):
    output = make_output(make_settings(tmp_path / 'other'))
    collect(output, [at(NOON_S, 4)])
    output.close()
    other = tmp_path / 'other' / '2025-11-26'
    text = (other / 'annotations.json').read_text(encoding='utf-8')
    (other / 'annotations.json').write_text(
        text.replace('"person"', '"x"').replace('"car"', '"person"').replace('"x"', '"car"'),
        encoding='utf-8')
    assert main(['merge', str(directory), str(other), str(tmp_path / 'out')]) == 0
    merged = read(tmp_path / 'out')
    assert len({image['file_name'] for image in merged['images']}) == 5
    assert [item['id'] for item in merged['annotations']] == list(range(1, 15))
    last = [item for item in merged['annotations'] if item['image_id'] == 5]
    original = read(other)['annotations']
    assert [item['category_id'] for item in last] == [3 - item['category_id'] for item in original]
    assert [item['bbox'] for item in last] == [item['bbox'] for item in original]
    dataset = sv.DetectionDataset.from_coco(
        str(tmp_path / 'out' / 'images'), str(tmp_path / 'out' / 'annotations.json'))
    assert len(dataset) == 5


def test_export_writes_every_day_as_one_dataset_of_yolo_or_coco(directory, tmp_path):
    for kind in 'coco', 'yolo':
        assert main(['export', str(directory), str(tmp_path / kind), '--format', kind]) == 0
    assert not (tmp_path / 'coco' / 'labels').exists()
    folder = tmp_path / 'yolo'
    yolo = sv.DetectionDataset.from_yolo(
        str(folder / 'images'), str(folder / 'labels'), str(folder / 'data.yaml'))
    assert len(yolo) == 4 and yolo.classes == list(NAMES)
    assert sum(len(found) for _, _, found in yolo) == 10


def test_prune_removes_days_and_the_images_of_rules(directory, capsys):
    assert main(['prune', str(directory), '--rule', 'none']) == 0
    folder = directory / '2025-11-26'
    names = {image['file_name'] for image in read(folder)['images']}
    assert len(names) == 2 and {path.name for path in (folder / 'images').iterdir()} == names
    assert len(list((folder / 'labels').iterdir())) == 2
    assert main(['prune', str(directory), '--before', '2025-11-27']) == 0
    assert [path.name for path in directory.iterdir() if path.is_dir()] == ['2025-11-27']
    printed = words(capsys.readouterr().out)
    assert printed == [['1', 'image', 'removed'], ['2', 'images', 'removed']]


def test_a_dataset_into_which_a_node_collects_is_not_pruned(directory, capsys):
    store = Store(directory)
    assert main(['prune', str(directory), '--before', '2026-01-01']) == 1
    store.close()
    assert 'a node collects into it' in capsys.readouterr().err
    assert (directory / '2025-11-26').is_dir()


def test_a_directory_that_is_no_dataset_or_is_damaged_is_named(directory, tmp_path, capsys):
    (tmp_path / 'taken').mkdir()
    file = directory / '2025-11-27' / 'annotations.json'
    for content in '[]', '{', file.read_text(encoding='utf-8').replace('20251127', '../20251127'):
        file.write_text(content, encoding='utf-8')
        assert main(['show', str(directory)]) == 1
        assert str(file) in capsys.readouterr().err
    for arguments, text in (
            (['show', str(tmp_path / 'missing')], 'has no annotations.json'),
            (['merge', str(directory), str(tmp_path / 'taken')], 'exists already'),
            (['export', str(directory), str(tmp_path / 'new')], 'annotations.json'),
            (['prune', str(directory)], '--before or --rule')):
        assert main(arguments) == 1
        assert text in capsys.readouterr().err
    assert not list(tmp_path.glob('new*'))
