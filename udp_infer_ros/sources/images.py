# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames from image files."""

from __future__ import annotations

from glob import glob
import os
from pathlib import Path
import re

from udp_infer_ros.errors import DecodeError, SourceError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.picture import decode_picture
from udp_infer_ros.sources.uri import SourceUri

IMAGE_SUFFIXES = {
    '.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'}
DEFAULT_FPS = 30.0


class ImageReader:
    """
    Reads the images of a folder or a glob in natural order: frame_9 before frame_10.

    :param uri: of kind images.
    :param settings: `source.fps` is the frame rate.
    :raises SourceError: if there is no image, or the first one cannot be decoded.
    """

    finite = True

    def __init__(self, uri: SourceUri, settings: SourceSettings) -> None:
        target = str(uri.target)
        names = glob(target, recursive=True) if not Path(target).is_dir() else [
            entry.path for entry in os.scandir(target)]
        self._paths = sorted(filter(_is_image, names), key=_natural_key)
        if not self._paths:
            raise SourceError(
                'source.uri', uri.redacted, 'contains no image',
                f'the names of images end in {", ".join(sorted(IMAGE_SUFFIXES))}')
        self.interval_s = 1.0 / (settings.fps or DEFAULT_FPS)
        try:
            height, width = _read(self._paths[0]).shape[:2]
        except DecodeError as error:
            raise SourceError('source.uri', uri.redacted, f'does not open: {error}') from error
        self.description = f'{uri.redacted}, {len(self._paths)} images, {width} x {height}'
        self._index = -1

    def grab(self) -> bool:
        """Move to the next image; return False at the end."""
        self._index += 1
        return self._index < len(self._paths)

    def decode(self) -> BgrImage:
        """
        Decode the current image, as (height, width, 3) uint8, BGR.

        :raises DecodeError: if it cannot be read or decoded.
        """
        return _read(self._paths[self._index])

    @property
    def position_s(self) -> float:
        """Return the time of the current image, seconds after the first one."""
        return self._index * self.interval_s

    def close(self) -> None:
        """Do nothing; no file is open."""


def _read(path: str) -> BgrImage:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DecodeError('image', path, f'cannot be read: {error.strerror}') from error
    return decode_picture(data, path)


def _is_image(path: str) -> bool:
    return Path(path).suffix.lower() in IMAGE_SUFFIXES and os.path.isfile(path)


def _natural_key(path: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key by which frame_10 comes after frame_9."""
    return tuple(
        (int(part), '') if part.isdecimal() else (-1, part)
        for part in re.split(r'(\d+)', path))
