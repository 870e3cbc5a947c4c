# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Depth images: their pixels with a unit, and the decoding of compressed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import struct

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.errors import DecodeError, FrameError

UNITS_M = {'16UC1': 0.001, 'mono16': 0.001, '32FC1': 1.0}
"""The unit of a depth by encoding, meters (REP 118)."""
HEADER = struct.Struct('<i2f')
"""Of compressedDepth: an enumeration without use, and the two values of the quantization."""
SIZE = struct.Struct('<2I')
MAX_PIXELS = 2**25
"""34 million; a damaged header may declare more."""
MAX_PIXELS_PER_BYTE = 5
"""The decoder of image_transport rejects RVL data with more."""
PNG = b'\x89PNG\r\n\x1a\n'


@dataclass(frozen=True, kw_only=True)
class DepthImage:
    """The distances from the plane of the camera, as a sensor measured them."""

    pixels: NDArray[np.uint16] | NDArray[np.float32]
    """Of shape (height, width), in any byte order; not copied from the message."""
    unit_m: float
    """Length of the unit of a pixel, meters."""


def unit_of(encoding: str) -> float:
    """
    Return the unit of the depths of an encoding, meters.

    :raises FrameError: if it is not an encoding of depth images.
    """
    if encoding not in UNITS_M:
        raise FrameError(
            'depth.encoding', encoding, f'must be one of {", ".join(UNITS_M)}',
            'remap depth to a depth image that is registered to the color image')
    return UNITS_M[encoding]


def decode_compressed_depth(text: str, data: bytes) -> DepthImage:
    """
    Decode what compressed_depth_image_transport publishes.

    `text` is `16UC1; compressedDepth png`, with 32FC1 and rvl as alternatives; older versions do
    not name png. A depth of 32FC1 is quantized to q = a / depth + b, and 0 means invalid.

    :param text: the field `format` of the message.
    :param data: a header, then a PNG or RVL data.
    :raises FrameError: if the format is unknown.
    :raises DecodeError: if the data are damaged.
    """
    encoding, _, codec = (part.strip() for part in text.partition(';'))
    unit_m = unit_of(encoding)
    payload = data[HEADER.size:]
    if codec in ('', 'compressedDepth', 'compressedDepth png'):
        pixels = _decode_png(payload)
    elif codec == 'compressedDepth rvl':
        pixels = decode_rvl(payload)
    else:
        raise FrameError(
            'depth.format', text, 'must end with compressedDepth, png or rvl',
            'remap depth, so that <depth>/compressedDepth is the topic of image_transport')
    if encoding != '32FC1':
        return DepthImage(pixels=pixels, unit_m=unit_m)
    _, a, b = HEADER.unpack_from(data)
    with np.errstate(divide='ignore', invalid='ignore'):
        depth_m = np.float32(a) / (pixels.astype(np.float32) - np.float32(b))
    return DepthImage(
        pixels=np.where(pixels == 0, np.float32(np.nan), depth_m).astype(np.float32),
        unit_m=unit_m)


def _decode_png(data: bytes) -> NDArray[np.uint16]:
    if not data.startswith(PNG) or len(data) < 24:
        raise DecodeError('depth.data', f'{len(data)} bytes', 'must be a header and a PNG')
    _check_size(*struct.unpack_from('>2I', data, 16))
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DecodeError(
            'depth.data', f'{len(data)} bytes', f'cannot be decoded: {error.err}') from error
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise DecodeError(
            'depth.data', f'{len(data)} bytes', 'must be a PNG with one channel of 16 bits')
    return np.asarray(pixels, dtype=np.uint16)


def decode_rvl(data: bytes) -> NDArray[np.uint16]:
    """
    Decode an image that is compressed with RVL.

    After the size, 32 bits each, there are numbers of 3 bits per nibble, the low bits first; the
    highest bit of a nibble means that another follows. They are, in turn, a count of zeros, a
    count of other pixels, and the difference of each of these to the one before (Wilson, Fast
    Lossless Depth Image Compression, ISS 2017).

    :raises DecodeError: if the data are damaged.
    """
    if len(data) < SIZE.size or (len(data) - SIZE.size) % 4:
        raise DecodeError('depth.data', f'{len(data)} bytes', 'must be a size and words of RVL')
    width, height = SIZE.unpack_from(data)
    _check_size(width, height)
    if width * height > MAX_PIXELS_PER_BYTE * len(data) * 2:
        raise DecodeError(
            'depth.data', f'{len(data)} bytes', f'are too few for {width} x {height} pixels')
    numbers = _numbers(np.frombuffer(data, dtype='<u4', offset=SIZE.size))
    runs = list(_runs(numbers, width * height))
    places, starts, counts = np.array(runs, dtype=np.int64).reshape(-1, 3).T
    # For each pixel that is not 0: its number within all of them, and so its two places.
    ordinal = np.arange(counts.sum())
    shift = np.repeat(np.cumsum(counts) - counts, counts)
    steps = numbers[np.repeat(starts, counts) + ordinal - shift]
    pixels = np.zeros(width * height, dtype=np.uint16)
    deltas = (steps >> 1) ^ -(steps & 1)
    pixels[np.repeat(places, counts) + ordinal - shift] = np.cumsum(deltas).astype(np.uint16)
    return pixels.reshape(height, width)


def _numbers(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the numbers in the nibbles of words, the highest nibble of a word first."""
    nibbles = ((words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32)) & 15).ravel()
    ends = np.flatnonzero(nibbles < 8)
    if not len(ends):
        return np.zeros(0, dtype=np.int64)
    begins = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(ends[-1] + 1) - np.repeat(begins, ends - begins + 1)
    # A number has at most 32 bits; longer ones are damaged.
    parts = (nibbles[:ends[-1] + 1] & 7).astype(np.int64) << np.minimum(3 * place, 32)
    return np.add.reduceat(parts, begins)


def _runs(numbers: NDArray[np.int64], pixels: int) -> Iterator[tuple[int, int, int]]:
    """Yield the place of each run of other pixels than 0, that of its numbers, and its length."""
    place = index = 0
    while place < pixels:
        pair = numbers[index:index + 2].tolist()
        zeros, count = pair if len(pair) == 2 else (0, 0)
        place, index = place + zeros, index + 2
        if zeros + count == 0 or place + count > pixels or index + count > len(numbers):
            raise DecodeError('depth.data', f'{len(numbers)} numbers', 'is damaged RVL data')
        yield place, index, count
        place, index = place + count, index + count


def _check_size(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        raise DecodeError(
            'depth.data', f'{width} x {height}', f'must have 1 to {MAX_PIXELS} pixels')
