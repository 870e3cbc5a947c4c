# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Decoding of compressed pictures, mainly JPEG and PNG, that must be complete."""

from __future__ import annotations

import cv2
import numpy as np
from udp_infer_ros.errors import DecodeError
from udp_infer_ros.frame import BgrImage

MAX_PIXELS = 2**27
"""
134 million. A damaged header may claim 4 billion, and OpenCV would allocate memory for them.
"""
_JPEG = b'\xff\xd8\xff'
_JPEG_END = b'\xff\xd9'
_PNG = b'\x89PNG\r\n\x1a\n'
_START_OF_SCAN = 0xDA
_NOT_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)
"""Of the markers C0 to CF, those without the size: tables and a reserved one."""


def decode_picture(data: bytes, name: str) -> BgrImage:
    """
    Decode a complete picture.

    OpenCV fills the missing part of a truncated JPEG with gray, without an error; such a picture
    is rejected here.

    :param data: the bytes of a JPEG, a PNG or another format that OpenCV reads.
    :param name: what it is, for the error.
    :return: (height, width, 3) uint8, BGR.
    :raises DecodeError: if it is damaged, truncated, or larger than MAX_PIXELS.
    """
    # Pillow rejects the same files only when it decodes them: 3.8 ms for a 720p JPEG. Its
    # verify() takes 0.02 ms but accepts truncated JPEGs.
    fault = ''
    if data.startswith(_JPEG):
        fault = _check_jpeg(data)
    elif data.startswith(_PNG):
        fault = _check_png(data)
    image = None
    if data and not fault:
        try:
            image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:
            fault = error.err
    if image is None:
        raise DecodeError(
            name, f'{len(data)} bytes', f'cannot be decoded{fault and ": "}{fault}')
    return np.asarray(image, dtype=np.uint8)


def _check_jpeg(data: bytes) -> str:
    """Walk the segments up to the first scan; return what is wrong, or an empty text."""
    offset = 2
    while offset + 4 <= len(data):
        marker = data[offset + 1]
        if data[offset] != 0xFF:
            return 'a segment of the JPEG does not begin where it should'
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        if marker == _START_OF_SCAN:
            # Within a scan FF is followed by 00 or a restart marker, so this is the end marker.
            complete = data.rfind(_JPEG_END, offset) >= 0
            return '' if complete else 'the end of the JPEG is missing'
        if (0xC0 <= marker <= 0xCF and marker not in _NOT_FRAME_HEADERS
                and offset + 9 <= len(data)):
            fault = _check_size(data[offset + 7:offset + 9], data[offset + 5:offset + 7])
            if fault:
                return fault
        offset += 2 + int.from_bytes(data[offset + 2:offset + 4], 'big')
    return 'the JPEG ends before its pixels'


def _check_png(data: bytes) -> str:
    # The last chunk has 12 bytes; some writers append something.
    if b'IEND' not in data[-64:]:
        return 'the end of the PNG is missing'
    return _check_size(data[16:20], data[20:24])


def _check_size(width: bytes, height: bytes) -> str:
    pixels = int.from_bytes(width, 'big') * int.from_bytes(height, 'big')
    return f'it claims {pixels} pixels' if pixels > MAX_PIXELS else ''
