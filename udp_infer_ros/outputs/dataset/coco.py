# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The annotations of a folder in the format of COCO, and of YOLO.

The fields beyond those of COCO (score, track_id, stamp, source, model, rule, ...) are ignored by
the programs that do not know them. The libraries that write COCO have no place for them, and write
only complete datasets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
import json
from pathlib import Path
import re
from typing import Any

from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.outputs.dataset.sample import Picture, Sample

Record = dict[str, Any]
ANNOTATIONS = 'annotations.json'
IMAGES, LABELS = 'images', 'labels'
"""Folders of the pictures, and of the text files of YOLO."""
STEM = re.compile(r'\d{8}_\d{6}_\d{9}(_\d+)?')
"""What `file_name` returns, without the suffix."""


class Annotations:
    """
    The content of one annotations.json.

    Every record is encoded once, so that writing a file with one more image only joins texts.
    """

    def __init__(self) -> None:
        self.categories: dict[str, int] = {}
        """The id of each class, from 1, by its name."""
        self.names: set[str] = set()
        """The names of the pictures."""
        self._images: list[str] = []
        self._annotations: list[str] = []
        self.next_image = 1
        self.next_annotation = 1
        self.bytes = 0

    @classmethod
    def load(cls, path: Path) -> Annotations:
        """
        Read a file.

        :raises OSError: if it cannot be read.
        :raises ValueError: if it is not a dataset in the format of COCO.
        """
        found = cls()
        try:
            content = json.loads(path.read_bytes())
            found.categories = {item['name']: item['id'] for item in content['categories']}
            found._add(content['images'], content['annotations'])
        except (KeyError, TypeError) as error:
            raise ValueError(f'{path} is not a dataset in the format of COCO') from error
        return found

    def __len__(self) -> int:
        return len(self._images)

    def add_classes(self, names: Iterable[str]) -> None:
        """Add an id for each name that has none."""
        for name in names:
            if name not in self.categories:
                self.categories[name] = max(self.categories.values(), default=0) + 1

    def records(self, sample: Sample, picture: Picture, name: str) -> tuple[Record, list[Record]]:
        """
        Return the records of an image and of its detections.

        :param name: of the file of the picture.
        """
        self.add_classes(sample.labels)
        self.add_classes(item.class_name for item in sample.result.objects)
        image = _image(sample, picture, name, self.next_image)
        return image, [
            {'id': self.next_annotation + i, 'image_id': self.next_image,
             'category_id': self.categories[item.pop('name')], **item}
            for i, item in enumerate(_boxes(sample, picture))]

    def add(self, image: Record, annotations: list[Record]) -> None:
        """Append the records of an image."""
        self._add([image], annotations)

    def without(self, name: str) -> None:
        """Remove the image that was appended last, and its annotations."""
        image = json.loads(self._images.pop())
        assert image['file_name'] == name
        while self._annotations and (
                json.loads(self._annotations[-1])['image_id'] == image['id']):
            self._annotations.pop()
        self.names.discard(name)

    def encode(self) -> bytes:
        """Return the content of the file."""
        categories = [_text({'id': number, 'name': name, 'supercategory': ''})
                      for name, number in self.categories.items()]
        info = _text({'description': 'collected by udp_infer_ros', 'version': '1'})
        data = (
            f'{{"info":{info},\n"licenses":[],\n"categories":{_array(categories)},\n'
            f'"images":{_array(self._images)},\n"annotations":{_array(self._annotations)}}}\n'
        ).encode()
        self.bytes = len(data)
        return data

    def yolo_names(self) -> bytes:
        """Return the content of data.yaml of YOLO."""
        names = {number - 1: name for name, number in self.categories.items()}
        lines = [f'  {number}: {_text(name)}' for number, name in sorted(names.items())]
        return '\n'.join(
            ['path: .', f'train: {IMAGES}', f'val: {IMAGES}', f'nc: {len(lines)}', 'names:',
             *lines, '']).encode()

    def _add(self, images: list[Record], annotations: list[Record]) -> None:
        for image in images:
            self._images.append(_text(image))
            self.names.add(image['file_name'])
            self.next_image = max(self.next_image, image['id'] + 1)
        for annotation in annotations:
            self._annotations.append(_text(annotation))
            self.next_annotation = max(self.next_annotation, annotation['id'] + 1)


def yolo_text(image: Mapping[str, Any], annotations: Iterable[Record]) -> bytes:
    """Return the text file of YOLO: class, center and size divided by those of the image."""
    lines = []
    for item in annotations:
        x, y, width, height = item['bbox']
        values = ((x + width / 2) / image['width'], (y + height / 2) / image['height'],
                  width / image['width'], height / image['height'])
        lines.append(' '.join([str(item['category_id'] - 1), *(f'{v:.9f}' for v in values)]))
    return ''.join(f'{line}\n' for line in lines).encode()


def file_name(time_ns: int, suffix: str, taken: Iterable[str]) -> str:
    """Return a name that sorts by time and is not taken."""
    seconds, nanosec = divmod(time_ns, 1_000_000_000)
    stem = f'{datetime.fromtimestamp(seconds, timezone.utc):%Y%m%d_%H%M%S}_{nanosec:09d}'
    name, count = f'{stem}{suffix}', 1
    while name in taken:
        count += 1
        name = f'{stem}_{count}{suffix}'
    return name


def _image(sample: Sample, picture: Picture, name: str, number: int) -> Record:
    frame = sample.result.frame
    sec, nanosec = divmod(frame.stamp_ns, 1_000_000_000)
    date = datetime.fromtimestamp(sample.time_ns // 1_000_000_000, timezone.utc)
    return {
        'id': number, 'file_name': name, 'width': picture.width, 'height': picture.height,
        'date_captured': f'{date:%Y-%m-%d %H:%M:%S}', 'stamp': {'sec': sec, 'nanosec': nanosec},
        'frame_id': frame.frame_id, 'source': frame.source, 'model': sample.result.model,
        'model_sha256': sample.model_sha256, 'rule': sample.rule, 'tags': list(sample.tags)}


def _boxes(sample: Sample, picture: Picture) -> Iterable[Record]:
    """Yield the fields of an annotation for each published detection, with its numbers."""
    for item, corner in zip(
            sample.result.objects, sample.result.detections.xyxy.astype(float).tolist()):
        box = [corner[0], corner[1], item.width, item.height]
        x, y, width, height = (round(value * picture.scale, 2) for value in box)
        record: Record = {
            'name': item.class_name, 'bbox': [x, y, width, height],
            'area': round(width * height, 4), 'iscrowd': 0, 'segmentation': [],
            'score': item.score}
        if item.track_id != NO_TRACK:
            record['track_id'] = item.track_id
        yield record


def _text(value: object) -> str:
    return json.dumps(value, separators=(',', ':'), allow_nan=False)


def _array(texts: list[str]) -> str:
    return '[' + ',\n'.join(texts) + ']'
