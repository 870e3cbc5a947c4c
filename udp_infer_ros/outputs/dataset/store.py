# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The folders of a dataset: one per day, each a complete dataset by itself.

    DIRECTORY/2026-11-26/annotations.json
    DIRECTORY/2026-11-26/images/20261126_101512_123456789.jpg

An image is added in this order, each file complete before the next: the text file of YOLO, the
picture, annotations.json. So annotations.json is valid at any moment and names only pictures that
exist. A process that is killed leaves at most one picture that is not named, which is removed when
the folder is opened again. Because the file is written again for each image, a day continues in
2026-11-26-2 when it reaches MAX_ANNOTATIONS_BYTES, so the cost of an image does not grow.
"""

from __future__ import annotations

from datetime import datetime, timezone
import fcntl
import os
from pathlib import Path
import re
import shutil
from typing import BinaryIO

from udp_infer_ros.dataset_settings import DatasetSettings
from udp_infer_ros.outputs.dataset.coco import (
    ANNOTATIONS, Annotations, file_name, IMAGES, LABELS, STEM, yolo_text)
from udp_infer_ros.outputs.dataset.files import size_of, sync_folder, TEMPORARY, write_file
from udp_infer_ros.outputs.dataset.sample import picture_of, Sample

MAX_ANNOTATIONS_BYTES = 4 << 20
DAY = re.compile(r'\d{4}-\d\d-\d\d(-\d+)?')
LOCK = '.lock'
REMOVED = '.removed-'
"""Prefix of a folder that is being removed."""


class FullError(Exception):
    """A limit of the dataset is reached."""


class InUseError(Exception):
    """Another process writes to the directory."""


class Folder:
    """
    One dataset, to which images are appended.

    :param path: the folder; created if it does not exist.
    :raises OSError: if it cannot be read or written.
    :raises ValueError: if its annotations are damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / IMAGES).mkdir(parents=True, exist_ok=True)
        sync_folder(path)
        sync_folder(path.parent)
        file = path / ANNOTATIONS
        self.annotations = Annotations.load(file) if file.exists() else Annotations()
        self._names: bytes | None = None
        self._remove_rest()
        if not file.exists():
            write_file(file, self.annotations.encode())
        self.annotations.bytes = file.stat().st_size

    def add(self, sample: Sample, settings: DatasetSettings) -> int:
        """
        Append an image.

        :return: the growth of the folder, bytes.
        :raises OSError: if it cannot be written; then the folder is as before.
        """
        picture = picture_of(sample, settings)
        name = file_name(sample.time_ns, picture.suffix, self.annotations.names)
        before = self.annotations.bytes
        image, records = self.annotations.records(sample, picture, name)
        written = [self.path / IMAGES / name]
        text = b''
        try:
            if settings.annotations == 'yolo':
                text = yolo_text(image, records)
                written.append(self._write_yolo(name, text))
            write_file(written[0], picture.data)
            self.annotations.add(image, records)
            try:
                write_file(self.path / ANNOTATIONS, self.annotations.encode())
            except OSError:
                self.annotations.without(name)
                self.annotations.bytes = before
                raise
        except OSError:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        return len(picture.data) + len(text) + self.annotations.bytes - before

    def _write_yolo(self, name: str, text: bytes) -> Path:
        labels = self.path / LABELS
        labels.mkdir(exist_ok=True)
        names = self.annotations.yolo_names()
        if names != self._names:
            write_file(self.path / 'data.yaml', names)
            self._names = names
        path = labels / f'{Path(name).stem}.txt'
        write_file(path, text)
        return path

    def _remove_rest(self) -> None:
        """Remove the files of a killed process, which annotations.json does not name."""
        stems = {Path(name).stem for name in self.annotations.names}
        file = self.path / ANNOTATIONS
        written_ns = file.stat().st_mtime_ns if file.exists() else 0
        for folder in (self.path, self.path / IMAGES, self.path / LABELS):
            for path in folder.iterdir() if folder.is_dir() else ():
                # Files that others added, or removed from annotations.json, are not touched.
                unnamed = STEM.fullmatch(path.stem) and path.stem not in stems and (
                    path.stat().st_mtime_ns >= written_ns)
                if path.suffix == TEMPORARY or unnamed:
                    path.unlink()


class Store:
    """
    The directory of a dataset. Used by one thread, and locked against other processes.

    :param directory: created if it does not exist.
    :raises OSError: if it cannot be written.
    :raises InUseError: if another process writes to it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = lock(directory)
        for path in directory.glob(f'{REMOVED}*'):
            shutil.rmtree(path)
        self.bytes = size_of(directory)
        """Size of all its files."""
        self._folder: Folder | None = None

    def add(self, sample: Sample, settings: DatasetSettings) -> None:
        """
        Append an image to the folder of its day.

        :raises OSError: if it cannot be written.
        :raises FullError: if a limit is reached.
        """
        time = datetime.fromtimestamp(sample.time_ns // 1_000_000_000, timezone.utc)
        day = f'{time:%Y-%m-%d}'
        self._make_space(settings, day)
        folder = self._folder_of(day)
        self.bytes += folder.add(sample, settings)

    @property
    def free_bytes(self) -> int:
        """Return the free space of the disk."""
        status = os.statvfs(self.directory)
        return status.f_bavail * status.f_frsize

    def close(self) -> None:
        """Release the directory."""
        self._lock.close()

    def _folder_of(self, day: str) -> Folder:
        folder = self._folder
        if folder is None or day_of(folder.path) != day:
            parts = [path for path in days(self.directory) if day_of(path) == day]
            folder = Folder(parts[-1] if parts else self.directory / day)
        if folder.annotations.bytes > MAX_ANNOTATIONS_BYTES:
            folder = Folder(self.directory / f'{day}-{part_of(folder.path) + 1}')
        if folder is not self._folder:
            self._folder = folder
            self.bytes = size_of(self.directory)
        return folder

    def _make_space(self, settings: DatasetSettings, day: str) -> None:
        """Check the limits; remove the oldest days but the given one if that is allowed."""
        while cause := self._full(settings):
            old = [path for path in days(self.directory) if day_of(path) != day]
            if settings.when_full == 'stop' or not old:
                raise FullError(cause)
            for path in old:
                if day_of(path) == day_of(old[0]):
                    self.bytes -= remove(path)

    def _full(self, settings: DatasetSettings) -> str:
        """Return which limit is reached; empty if none is."""
        if settings.max_bytes and self.bytes >= settings.max_bytes:
            return f'dataset.max_bytes = {settings.max_bytes} is reached'
        if self.free_bytes < settings.min_free_bytes:
            return f'the free space is below dataset.min_free_bytes = {settings.min_free_bytes}'
        return ''


def lock(directory: Path) -> BinaryIO:
    """
    Lock a directory until the returned file is closed, or the process ends.

    :raises OSError: if it cannot be written.
    :raises InUseError: if it is locked.
    """
    file = open(directory / LOCK, 'wb')
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InUseError(f'{directory} is in use') from error
    return file


def days(directory: Path) -> list[Path]:
    """Return the folders of a dataset, oldest first."""
    found = [path for path in directory.iterdir()
             if DAY.fullmatch(path.name) and (path / ANNOTATIONS).is_file()]
    return sorted(found, key=lambda path: (day_of(path), part_of(path)))


def day_of(folder: Path) -> str:
    """Return the day of a folder, e.g. 2026-11-26."""
    return folder.name[:10]


def part_of(folder: Path) -> int:
    """Return the number of a folder among those of its day, from 1."""
    return int(folder.name[11:] or 1)


def remove(folder: Path) -> int:
    """Remove a folder, so that it is complete or gone at any moment; return its size, bytes."""
    size = size_of(folder)
    gone = folder.with_name(f'{REMOVED}{folder.name}')
    os.replace(folder, gone)
    shutil.rmtree(gone)
    return size
