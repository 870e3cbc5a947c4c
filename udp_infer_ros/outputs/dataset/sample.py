# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A frame that a rule has selected, and its picture as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
import math

import cv2
import numpy as np
from udp_infer_ros.dataset_settings import BLUR_SCORE, DatasetSettings
from udp_infer_ros.frame import BgrImage, Buffer, Detections, Result

_JPEG = b'\xff\xd8\xff'
_ORIENTATION = 0x0112
BLUR_CELLS = 6
"""A blurred box has at most this many cells along each side, which hide a face."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """A frame for the dataset."""

    result: Result
    image: BgrImage
    """(height, width, 3), BGR; not used by others."""
    rule: str
    """Name of the rule that selected it."""
    tags: tuple[str, ...]
    model_sha256: str
    """Checksum of the model file; empty if there is none."""
    labels: tuple[str, ...]
    """Class names of the model, in their order."""
    time_ns: int
    """The stamp; if there is none, the time of arrival. Nanoseconds."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An encoded picture."""

    data: bytes
    suffix: str
    """Of its file, e.g. `.jpg`."""
    width: int
    height: int
    scale: float
    """Its size divided by that of the frame."""


def picture_of(sample: Sample, settings: DatasetSettings) -> Picture:
    """
    Return the picture to store: as it arrived if possible, otherwise encoded.

    :raises ValueError: if it cannot be encoded.
    """
    image = sample.image
    height, width = image.shape[:2]
    boxes = _boxes_to_blur(sample.result, settings.blur_classes)
    scale = 1.0
    if settings.max_image_px and max(height, width) > settings.max_image_px:
        scale = settings.max_image_px / max(height, width)
    if not len(boxes) and scale == 1.0 and (data := _as_it_arrived(sample.result)):
        return Picture(data=data, suffix='.jpg', width=width, height=height, scale=1.0)
    if len(boxes):
        image = blurred(image, boxes)
    if scale < 1.0:
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(
            cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    suffix, options = '.png', [cv2.IMWRITE_PNG_COMPRESSION, 1]
    if settings.image_format == 'jpeg':
        suffix, options = '.jpg', [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
    done, encoded = cv2.imencode(suffix, image, options)
    if not done:
        raise ValueError(f'an image of {width} x {height} cannot be encoded')
    return Picture(
        data=encoded.tobytes(), suffix=suffix, width=width, height=height, scale=scale)


def blurred(image: BgrImage, boxes: Sequence[Sequence[float]]) -> BgrImage:
    """
    Return a copy of an image in which boxes are unrecognizable.

    Each box is reduced to a few cells, which cannot be undone, unlike a filter.

    :param image: (height, width, 3).
    :param boxes: (n, 4) corners, px.
    """
    result: BgrImage = image.copy()
    for x1, y1, x2, y2 in boxes:
        area = result[math.floor(y1):math.ceil(y2), math.floor(x1):math.ceil(x2)]
        height, width = area.shape[:2]
        if height and width:
            cells = min(BLUR_CELLS, width), min(BLUR_CELLS, height)
            small = cv2.resize(area, cells, interpolation=cv2.INTER_AREA)
            area[:] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


def _boxes_to_blur(result: Result, classes: tuple[str, ...]) -> list[list[float]]:
    boxes: Detections = result.detections if result.candidates is None else result.candidates
    mask = np.isin(boxes.class_name, classes) & (boxes.score >= BLUR_SCORE)
    blurred_boxes: list[list[float]] = boxes.xyxy[mask].tolist()
    return blurred_boxes


def _as_it_arrived(result: Result) -> bytes | None:
    """Return the JPEG of a frame; None if there is none, or a viewer would rotate it."""
    data: Buffer | None = result.encoded
    if data is None or bytes(data[:3]) != _JPEG:
        return None
    # Imported here because a node that collects no dataset does not need it.
    from PIL import Image
    encoded = bytes(data)
    try:
        with Image.open(BytesIO(encoded)) as picture:
            upright = picture.getexif().get(_ORIENTATION, 1) == 1
            same = picture.size == (result.frame.width, result.frame.height)
    except Exception:  # Pillow raises errors of any type on malformed headers.
        return None
    return encoded if upright and same else None
