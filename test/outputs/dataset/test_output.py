# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The dataset as other programs read it, and its limits."""

from dataclasses import replace
import hashlib
import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import cv2
from dataset_helpers import (
    at, collect, DAY_S, make_output, make_settings, MODEL, NAMES, NOON_S, picture, read)
from helpers import wait_until
import numpy as np
from PIL import Image
import pytest
import supervision as sv
from udp_infer_ros.errors import SettingError
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.health import Level
from udp_infer_ros.outputs.dataset.store import Store
from udp_infer_ros.outputs.dataset.writer import QUEUE_SIZE, Writer
from udp_infer_ros.outputs.payload import to_json

DAY = '2025-11-26'


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the day."""
    return tmp_path / DAY


def test_every_box_is_where_the_node_published_it_in_supervision_and_pycocotools(folder):
    results = [at(NOON_S + i, count) for i, count in enumerate((5, 0, 20))]
    output = make_output(make_settings(folder.parent, annotations='yolo'))
    collect(output, results)
    output.close()
    published = [json.loads(to_json(result))['predictions'] for result in results]
    content = read(folder)
    for image, boxes in zip(content['images'], published):
        stored = [item for item in content['annotations'] if item['image_id'] == image['id']]
        assert [(round(x + w / 2, 3), round(y + h / 2, 3), w, h, item['score'],
                 item.get('track_id'), item['category_id'] - 1)
                for item in stored for x, y, w, h in [item['bbox']]] == [
            (box['x'], box['y'], box['width'], box['height'], box['confidence'],
             box.get('tracker_id'), box['class_id']) for box in boxes]
    coco = sv.DetectionDataset.from_coco(
        str(folder / 'images'), str(folder / 'annotations.json'))
    yolo = sv.DetectionDataset.from_yolo(
        str(folder / 'images'), str(folder / 'labels'), str(folder / 'data.yaml'))
    assert coco.classes == yolo.classes == list(NAMES) and len(coco) == len(yolo) == 3
    for dataset in coco, yolo:
        by_name = {Path(path).name: found for path, _, found in dataset}
        for image, result in zip(content['images'], results):
            found = by_name[image['file_name']]
            np.testing.assert_allclose(
                found.xyxy.reshape(-1, 4), result.detections.xyxy, atol=0.01)
            assert found.class_id.tolist() == result.detections.class_id.tolist()


def test_pycocotools_reads_a_dataset(folder, capsys):
    coco = pytest.importorskip('pycocotools.coco')
    output = make_output(make_settings(folder.parent))
    collect(output, [at(NOON_S, 4), at(NOON_S + 1, 0)])
    output.close()
    index = coco.COCO(str(folder / 'annotations.json'))
    assert [cat['name'] for cat in index.loadCats(index.getCatIds())] == list(NAMES)
    first, second = index.getImgIds()
    assert len(index.getAnnIds([first])) == 4 and not index.getAnnIds([second])


def test_an_image_has_its_origin_and_its_rule(folder, tmp_path):
    weights = tmp_path / 'weights'
    weights.write_bytes(b'abc')
    output = make_output(
        make_settings(folder.parent, all__tags=['route 7', 'rain']),
        model=replace(MODEL, path=str(weights)))
    collect(output, [at(NOON_S + 0.000000034)])
    output.close()
    [image] = read(folder)['images']
    assert image == {
        'id': 1, 'file_name': '20251126_120000_000000000.jpg', 'width': 640, 'height': 480,
        'date_captured': '2025-11-26 12:00:00', 'stamp': {'sec': NOON_S, 'nanosec': 0},
        'frame_id': 'camera', 'source': 'test', 'model': 'model',
        'model_sha256': hashlib.sha256(b'abc').hexdigest(), 'rule': 'all',
        'tags': ['route 7', 'rain']}


def test_a_jpeg_that_arrives_is_stored_byte_for_byte(folder):
    encoded = cv2.imencode('.jpg', picture())[1].tobytes()
    output = make_output(make_settings(folder.parent, image_format='png'))
    collect(output, [at(NOON_S, encoded=encoded)])
    output.close()
    [path] = (folder / 'images').iterdir()
    assert path.suffix == '.jpg' and path.read_bytes() == encoded


def test_a_jpeg_that_viewers_rotate_is_stored_as_the_node_processed_it(folder, tmp_path):
    rotated = Image.fromarray(picture(480, 640)[..., ::-1])
    exif = Image.Exif()
    exif[0x0112] = 6
    rotated.save(tmp_path / 'rotated.jpg', exif=exif)
    encoded = (tmp_path / 'rotated.jpg').read_bytes()
    output = make_output(make_settings(folder.parent, image_format='png'))
    collect(output, [at(NOON_S, encoded=encoded)])
    output.close()
    [path] = (folder / 'images').iterdir()
    np.testing.assert_array_equal(cv2.imread(str(path)), picture())


def test_an_image_without_jpeg_is_encoded_and_may_be_reduced_with_its_boxes(folder):
    output = make_output(make_settings(folder.parent, image_format='png', max_image_px=320))
    result = at(NOON_S)
    collect(output, [result])
    output.close()
    content = read(folder)
    [path] = (folder / 'images').iterdir()
    assert cv2.imread(str(path)).shape == (240, 320, 3)
    assert (content['images'][0]['width'], content['images'][0]['height']) == (320, 240)
    corners = np.array([item['bbox'][:2] for item in content['annotations']])
    np.testing.assert_allclose(corners, result.detections.xyxy[:, :2] / 2, atol=0.006)


def test_boxes_of_a_class_are_blurred_also_below_the_confidence(folder):
    result = at(NOON_S, 12)
    hidden = result.detections
    published = hidden[np.arange(12) < 3]
    encoded = cv2.imencode('.jpg', picture())[1].tobytes()
    output = make_output(
        make_settings(folder.parent, image_format='png', blur_classes=['person']))
    collect(output, [replace(result, detections=published, candidates=hidden, encoded=encoded)])
    output.close()
    [path] = (folder / 'images').iterdir()
    assert path.suffix == '.png'
    stored, original = cv2.imread(str(path)).astype(int), picture().astype(int)
    mask = np.zeros(stored.shape[:2], dtype=bool)
    for name, (x1, y1, x2, y2) in zip(hidden.class_name, hidden.xyxy):
        area = np.s_[int(y1):int(np.ceil(y2)), int(x1):int(np.ceil(x2))]
        mask[area] |= name == 'person'
    assert (stored[~mask] == original[~mask]).all()
    assert (stored[mask] != original[mask]).any(axis=1).mean() > 0.5


def test_a_blurred_box_does_not_depend_on_its_details(folder):
    from udp_infer_ros.outputs.dataset.sample import blurred, BLUR_CELLS
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    face = blurred(noise, [[100, 100, 220, 220]])[100:220, 100:220].astype(float)
    cells = cv2.resize(face, (BLUR_CELLS, BLUR_CELLS), interpolation=cv2.INTER_AREA)
    again = cv2.resize(cells, (120, 120), interpolation=cv2.INTER_LINEAR)
    assert np.abs(face - again).mean() < 3 and noise.std() > 10 * face.std()


def test_a_day_continues_after_a_restart_and_the_rest_of_a_killed_process_is_removed(folder):
    for i in range(2):
        output = make_output(make_settings(folder.parent, annotations='yolo'))
        collect(output, [at(NOON_S), at(NOON_S + i)])
        output.close()
        (folder / 'images' / '20251126_130000_000000000.jpg').write_bytes(b'')
        (folder / 'labels' / '20251126_130000_000000000.txt').write_bytes(b'')
        (folder / 'annotations.json.part').write_bytes(b'{')
    Store(folder.parent).close()
    output = make_output(make_settings(folder.parent, annotations='yolo'))
    collect(output, [at(NOON_S + 9)])
    output.close()
    content = read(folder)
    names = [image['file_name'] for image in content['images']]
    assert len(set(names)) == 5 and {path.name for path in (folder / 'images').iterdir()} == set(
        names)
    assert len(list((folder / 'labels').iterdir())) == 5
    for key in 'images', 'annotations':
        ids = [item['id'] for item in content[key]]
        assert ids == list(range(1, len(ids) + 1))
    assert not list(folder.glob('*.part'))


def test_pictures_that_others_added_or_removed_from_the_annotations_stay(folder):
    output = make_output(make_settings(folder.parent))
    collect(output, [at(NOON_S), at(NOON_S + 1)])
    output.close()
    file, content = folder / 'annotations.json', read(folder)
    # As a labeling tool, which writes the file again without an image.
    removed = content['images'].pop()
    content['annotations'] = [
        item for item in content['annotations'] if item['image_id'] != removed['id']]
    file.write_text(json.dumps(content))
    added = folder / 'images' / 'holiday.jpg'
    added.write_bytes(b'')
    output = make_output(make_settings(folder.parent))
    collect(output, [at(NOON_S + 2)])
    output.close()
    assert added.exists() and (folder / 'images' / removed['file_name']).exists()
    assert len(read(folder)['images']) == 2


def test_24_hours_fill_two_days_within_the_limits_of_a_rule(tmp_path):
    now_s = 0.0
    output = make_output(make_settings(tmp_path, ('slow', 'rare'), slow__type='interval',
                                       slow__interval_s=600.0, rare__type='class_seen',
                                       rare__classes=['car'], rare__per_hour=2),
                         clock_s=lambda: now_s)
    image = picture(64, 48)
    for now_s in range(0, DAY_S, 300):
        collect(output, [at(NOON_S + now_s, 5 if now_s % 600 else 0)], image)
    assert output.health().level == Level.OK
    output.close()
    days = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert days == ['2025-11-26', '2025-11-27']
    images = [image for day in days for image in read(tmp_path / day)['images']]
    rules = [image['rule'] for image in images]
    assert rules.count('slow') == 144 and rules.count('rare') == 48
    assert {image['file_name'][:8] for image in read(tmp_path / days[0])['images']} == {'20251126'}


def test_a_long_day_continues_in_a_second_folder(tmp_path, monkeypatch):
    monkeypatch.setattr('udp_infer_ros.outputs.dataset.store.MAX_ANNOTATIONS_BYTES', 3000)
    output = make_output(make_settings(tmp_path))
    collect(output, [at(NOON_S + i, 5) for i in range(6)], picture(64, 48))
    output.close()
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert len(folders) > 1
    assert [path.name for path in folders] == [DAY] + [
        f'{DAY}-{i}' for i in range(2, len(folders) + 1)]
    assert sum(len(read(path)['images']) for path in folders) == 6
    output = make_output(make_settings(tmp_path))
    collect(output, [at(NOON_S + 10)], picture(64, 48))
    output.close()
    assert sum(len(read(path)['images']) for path in tmp_path.glob(f'{DAY}*')) == 7


def test_the_next_frame_is_collected_on_request_without_using_the_limits(folder):
    output = make_output(make_settings(
        folder.parent, ('rare',), rare__type='class_seen', rare__per_day=1))
    output.collect_next()
    collect(output, [at(NOON_S, 0), at(NOON_S + 1, 0), at(NOON_S + 2), at(NOON_S + 3)])
    assert output.health().values['images rare'] == 1
    assert output.health().values['images collect'] == 1
    output.close()
    assert [image['rule'] for image in read(folder)['images']] == ['collect', 'rare']


@pytest.mark.parametrize('when_full, level', [
    ('stop', Level.WARN), ('drop_oldest', Level.OK)])
def test_a_full_dataset_stops_or_drops_the_oldest_day(tmp_path, when_full, level):
    image = cv2.imencode('.jpg', picture())[1].tobytes()
    output = make_output(make_settings(
        tmp_path, max_bytes=round(1.5 * len(image)), when_full=when_full))
    for day in range(4):
        collect(output, [at(NOON_S + DAY_S * day, encoded=image)])
    report = output.health()
    output.close()
    days = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert len(days) == 2 and report.level == level
    assert days[0] == ('2025-11-26' if when_full == 'stop' else '2025-11-28')
    assert all(len(read(tmp_path / day)['images']) == 1 for day in days)
    assert report.values['not_stored'] == (2 if when_full == 'stop' else 0)
    assert abs(report.values['bytes'] - sum(
        path.stat().st_size for path in tmp_path.rglob('*') if path.is_file())) < 10


def test_a_directory_that_cannot_be_written_or_is_in_use_is_refused(tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    output = make_output(make_settings(tmp_path / 'used'))
    collect(output, [at(NOON_S)])
    for name, text in (
            ('file', 'is not a folder that can be written'),
            ('used', 'is used by another node')):
        with pytest.raises(SettingError, match=text):
            make_output(make_settings(tmp_path / name))
    output.close()
    make_output(make_settings(tmp_path / 'used')).close()


@pytest.mark.parametrize('values, text', [
    ({'blur_classes': ['persn']}, "the model has no class 'persn'; did you mean 'person'?"),
    ({'other__type': 'class_seen', 'other__classes': ['bike']}, "the model has no class 'bike'")])
def test_an_unknown_class_is_refused(tmp_path, values, text):
    settings = make_settings(tmp_path, **values)
    with pytest.raises(SettingError, match=text):
        make_output(settings)


def test_a_class_that_is_not_detected_cannot_be_blurred(tmp_path):
    settings = make_settings(tmp_path, blur_classes=['person'])
    settings = settings.with_values({'detect.classes': ['car']})
    with pytest.raises(SettingError, match='is not in detect.classes'):
        make_output(settings)


class SlowStore(Store):
    """A store on a disk that does not return."""

    released = threading.Event()

    def add(self, sample, settings):
        """Wait, then append the image."""
        self.released.wait(30.0)
        super().add(sample, settings)


def test_a_disk_that_does_not_return_drops_images_and_delays_no_frame(folder):
    output = make_output(make_settings(folder.parent), writer=Writer(SlowStore))
    SlowStore.released.clear()
    for i in range(30):
        output.write(at(NOON_S + i), picture())
    report = output.health()
    assert report.level == Level.WARN and 'the disk is too slow' in report.message
    assert report.values['dropped'] in (30 - QUEUE_SIZE, 30 - QUEUE_SIZE - 1)
    SlowStore.released.set()
    wait_until(output.is_idle)
    output.close()
    assert len(read(folder)['images']) == 30 - report.values['dropped']


def test_the_end_of_the_node_does_not_wait_for_a_disk_that_does_not_return(folder):
    writer = Writer(SlowStore)
    SlowStore.released.clear()
    output = make_output(make_settings(folder.parent), writer=writer)
    for i in range(QUEUE_SIZE + 2):
        output.write(at(NOON_S + i), picture())
    assert not writer.close(timeout_s=0.1)
    SlowStore.released.set()
    wait_until(lambda: 'udp_infer dataset' not in {
        thread.name for thread in threading.enumerate()})


def test_an_image_that_cannot_be_encoded_is_counted_and_the_next_one_is_stored(
        folder, monkeypatch):
    encode, failures = cv2.imencode, [cv2.error('unknown format')]

    def failing(*arguments):
        if failures:
            raise failures.pop()
        return encode(*arguments)
    output = make_output(make_settings(folder.parent))
    monkeypatch.setattr(cv2, 'imencode', failing)
    collect(output, [at(NOON_S), at(NOON_S + 1)])
    assert output.health().values['failed'] == 1
    output.close()
    assert len(read(folder)['images']) == 1


def test_an_error_of_the_disk_is_counted_and_the_next_image_is_stored(folder, monkeypatch):
    output = make_output(make_settings(folder.parent))
    collect(output, [at(NOON_S)])
    fsync, failures = os.fsync, [OSError(28, 'No space left on device')]

    def full(descriptor):
        if failures:
            raise failures.pop()
        fsync(descriptor)
    monkeypatch.setattr(os, 'fsync', full)
    collect(output, [at(NOON_S + 1)])
    report = output.health()
    assert report.level == Level.WARN and 'No space left on device' in report.message
    assert report.values['failed'] == 1
    collect(output, [at(NOON_S + 2)])
    output.close()
    assert [image['stamp']['sec'] - NOON_S for image in read(folder)['images']] == [0, 2]
    assert len(list((folder / 'images').iterdir())) == 2


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 1 MiB."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mounted = os.geteuid() == 0 and not subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'dataset', disk],
        stderr=subprocess.DEVNULL).returncode
    if not mounted:
        pytest.skip('mounting a disk needs root')
    yield disk
    subprocess.run(['umount', disk], check=True)


def test_a_full_disk_leaves_a_complete_dataset_and_no_other_file(small_disk):
    output = make_output(make_settings(small_disk, image_format='png'))
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    collect(output, [at(NOON_S + i) for i in range(12)], noise)
    report = output.health()
    output.close()
    folder = small_disk / DAY
    names = {image['file_name'] for image in read(folder)['images']}
    assert 0 < len(names) < 12 and report.values['failed'] == 12 - len(names)
    assert {path.name for path in (folder / 'images').iterdir()} == names


def test_a_disk_that_becomes_read_only_is_reported(small_disk):
    output = make_output(make_settings(small_disk))
    collect(output, [at(NOON_S)], picture(64, 48))
    remount = ['mount', '-o', 'remount,ro', str(small_disk)]
    lazy = subprocess.run(remount, capture_output=True).returncode
    if lazy:  # The lock is open for writing.
        subprocess.run(['mount', '--bind', small_disk, small_disk], check=True)
        subprocess.run(['mount', '-o', 'remount,bind,ro', small_disk], check=True)
    try:
        collect(output, [at(NOON_S + 1)], picture(64, 48))
        assert 'Read-only file system' in output.health().message
        output.close()
        with pytest.raises(SettingError, match='is not a folder that can'):
            make_output(make_settings(small_disk))
    finally:
        if lazy:
            subprocess.run(['umount', small_disk], check=True)
    assert len(read(small_disk / DAY)['images']) == 1


COLLECT = textwrap.dedent("""
    import sys
    sys.path.insert(0, 'test')
    from dataset_helpers import at, make_output, make_settings, NOON_S, picture
    output = make_output(make_settings(sys.argv[1], annotations='yolo'))
    image = picture(160, 120)
    for i in range(int(sys.argv[2]), 10**6):
        while not output.is_idle():
            pass
        output.write(at(NOON_S + i * 0.01), image)
        while not output.is_idle():
            pass
        print(i, flush=True)
""")


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.timeout(400)
def test_kill_9_at_100_random_moments_loses_at_most_the_frame_in_flight(folder):
    random.seed(4)
    stored = 0
    for _ in range(100):
        process = subprocess.Popen(
            [sys.executable, '-c', COLLECT, folder.parent, str(stored)],
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
        assert process.stdout.readline()
        time.sleep(random.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        acknowledged = 1 + process.stdout.read().count(b'\n')
        process.wait()
        content = read(folder)
        for image in content['images']:
            path = folder / 'images' / image['file_name']
            assert cv2.imread(str(path)).shape == (image['height'], image['width'], 3)
            assert (folder / 'labels' / f'{path.stem}.txt').is_file()
        stamps = [image['stamp']['sec'] * 100 + round(image['stamp']['nanosec'] / 10**7)
                  for image in content['images']]
        stored += acknowledged
        assert len(stamps) - stored in (0, 1) and len(set(stamps)) == len(stamps)
        assert len(content['annotations']) == 3 * len(stamps)
        assert {item['track_id'] for item in content['annotations'] if 'track_id' in item} != {
            NO_TRACK}
        stored = len(stamps)
    dataset = sv.DetectionDataset.from_coco(
        str(folder / 'images'), str(folder / 'annotations.json'))
    assert len(dataset) == stored
