# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Folders of collected datasets: reading, merging, exporting and pruning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import shutil
from typing import Any, Literal

from udp_infer_ros.outputs.dataset.coco import (
    ANNOTATIONS, Annotations, IMAGES, LABELS, Record, yolo_text)
from udp_infer_ros.outputs.dataset.files import TEMPORARY, write_file
from udp_infer_ros.outputs.dataset.store import day_of, days, lock, remove

Format = Literal['coco', 'yolo']


@dataclass(frozen=True)
class Item:
    """An image of a dataset with its annotations, which have the key `name` for the class."""

    folder: Path
    image: Record
    annotations: list[Record]

    @property
    def path(self) -> Path:
        """Return the path of the picture."""
        return self.folder / IMAGES / str(self.image['file_name'])


@dataclass(frozen=True)
class Content:
    """What a folder contains."""

    folder: Path
    classes: tuple[str, ...]
    """In the order of their ids."""
    items: list[Item]


def folders_of(directory: Path) -> list[Path]:
    """
    Return the folders of a dataset: those of its days, or the directory itself.

    :raises ValueError: if there is none.
    """
    if (directory / ANNOTATIONS).is_file():
        return [directory]
    found = days(directory) if directory.is_dir() else []
    if not found:
        raise ValueError(f'{directory} has no {ANNOTATIONS} and no folder of a day with one')
    return found


def read_folder(folder: Path) -> Content:
    """
    Read the annotations of a folder.

    :raises OSError: if they cannot be read.
    :raises ValueError: if they are damaged.
    """
    path = folder / ANNOTATIONS
    try:
        content = json.loads(path.read_bytes())
        names = {item['id']: str(item['name']) for item in content['categories']}
        by_image: dict[Any, list[Record]] = {image['id']: [] for image in content['images']}
        for item in content['annotations']:
            by_image[item['image_id']].append({**item, 'name': names[item['category_id']]})
        items = [Item(folder, image, by_image[image['id']]) for image in content['images']]
        outside = [item for item in items if Path(item.image['file_name']).name != item.path.name
                   or item.path.parent != folder / IMAGES]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{path} is not a dataset in the format of COCO') from error
    if outside:
        raise ValueError(f'{path} names a picture outside of {IMAGES}/')
    return Content(folder, tuple(names[number] for number in sorted(names)), items)


def combine(directories: Sequence[Path], out: Path, kind: Format) -> int:
    """
    Write one dataset with the images of several; classes are matched by their names.

    :param out: a new folder; it appears when it is complete.
    :param kind: `yolo` also writes text files and data.yaml.
    :return: the number of images.
    :raises FileExistsError: if `out` exists.
    :raises OSError: if a file cannot be read or written.
    :raises ValueError: if a dataset is damaged.
    """
    if out.exists():
        raise FileExistsError(f'{out} exists already; name a new folder')
    contents = [read_folder(folder) for item in directories for folder in folders_of(item)]
    part = out.with_name(out.name + TEMPORARY)
    shutil.rmtree(part, ignore_errors=True)
    (part / IMAGES).mkdir(parents=True)
    try:
        _write(part, contents, kind)
        part.rename(out)
    except (OSError, ValueError):
        shutil.rmtree(part, ignore_errors=True)
        raise
    return sum(len(content.items) for content in contents)


def prune(directory: Path, *, before: str = '', rules: Sequence[str] = ()) -> int:
    """
    Remove images from a dataset; it is complete at any moment.

    :param before: remove the days before this one, e.g. 2026-11-26; empty: none.
    :param rules: remove the images that these rules collected.
    :return: the number of removed images.
    :raises OSError: if a file cannot be read or written.
    :raises ValueError: if a dataset is damaged.
    :raises InUseError: if a node collects into it.
    """
    folders = [folder for folder in folders_of(directory) if folder != directory]
    if not folders:
        raise ValueError(f'{directory} is the folder of one day; name the one above it')
    removed = 0
    with lock(directory):
        for folder in folders:
            content = read_folder(folder)
            if day_of(folder) < before:
                removed += len(content.items)
                remove(folder)
            else:
                removed += _remove_images(content, rules)
    return removed


def _remove_images(content: Content, rules: Sequence[str]) -> int:
    gone = [item for item in content.items if item.image.get('rule') in rules]
    if gone:
        kept = [item for item in content.items if item not in gone]
        annotations = Annotations()
        annotations.add_classes(content.classes)
        for item in kept:
            _append(annotations, item, str(item.image['file_name']))
        write_file(content.folder / ANNOTATIONS, annotations.encode())
    for item in gone:
        item.path.unlink(missing_ok=True)
        (content.folder / LABELS / f'{item.path.stem}.txt').unlink(missing_ok=True)
    return len(gone)


def _write(part: Path, contents: Iterable[Content], kind: Format) -> None:
    annotations = Annotations()
    if kind == 'yolo':
        (part / LABELS).mkdir()
    for content in contents:
        annotations.add_classes(content.classes)
        for item in content.items:
            name = _free_name(str(item.image['file_name']), annotations.names)
            image, records = _append(annotations, item, name)
            shutil.copyfile(item.path, part / IMAGES / name)
            if kind == 'yolo':
                write_file(part / LABELS / f'{Path(name).stem}.txt', yolo_text(image, records))
    if kind == 'yolo':
        write_file(part / 'data.yaml', annotations.yolo_names())
    write_file(part / ANNOTATIONS, annotations.encode())


def _append(annotations: Annotations, item: Item, name: str) -> tuple[Record, list[Record]]:
    """Append an image under another name, with new ids; return its records."""
    image: Record = {**item.image, 'id': annotations.next_image, 'file_name': name}
    records = [
        {**{key: value for key, value in record.items() if key != 'name'},
         'id': annotations.next_annotation + i, 'image_id': image['id'],
         'category_id': annotations.categories[record['name']]}
        for i, record in enumerate(item.annotations)]
    annotations.add(image, records)
    return image, records


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name whose stem is not taken, because files of YOLO have the stem only."""
    stems = {Path(item).stem for item in taken}
    return next(item for item in _names(name) if Path(item).stem not in stems)


def _names(name: str) -> Iterator[str]:
    yield name
    path, count = Path(name), 2
    while True:
        yield f'{path.stem}_{count}{path.suffix}'
        count += 1
