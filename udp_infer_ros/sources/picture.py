# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Compressed pictures, JPEG and PNG above all, that must be whole."""

from __future__ import annotations

import cv2
import numpy as np
from udp_infer_ros.errors import DecodeError
from udp_infer_ros.frame import BgrImage

MAX_PIXELS = 2**27
"""
134 million. A damaged header may claim 4 billion, and OpenCV would take the memory for them.
"""
_JPEG = b'\xff\xd8\xff'
_JPEG_END = b'\xff\xd9'
_PNG = b'\x89PNG\r\n\x1a\n'
_START_OF_SCAN = 0xDA
_NO_FRAME_HEADER = (0xC4, 0xC8, 0xCC)
"""Of the markers C0 to CF, those that do not tell the size: tables and a reserved one."""


def decode_picture(data: bytes, name: str) -> BgrImage:
    """
    Decode a whole picture.

    OpenCV fills what a cut JPEG lacks with grey, and says nothing; such a picture is refused.

    :param data: the bytes of a JPEG, a PNG or whatever else OpenCV reads.
    :param name: what it is, for the error.
    :return: (height, width, 3) uint8, BGR.
    :raises DecodeError: if it is damaged, cut, or larger than MAX_PIXELS.
    """
    fault = ''
    if data.startswith(_JPEG):
        fault = _fault_of_jpeg(data)
    elif data.startswith(_PNG):
        fault = _fault_of_png(data)
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


def _fault_of_jpeg(data: bytes) -> str:
    """Walk the segments up to the first scan; say what is wrong, or nothing."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF:
            return 'a segment of the JPEG does not begin where it should'
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _START_OF_SCAN:
            # Within a scan FF is followed by 00 or a restart marker, so this is the end's.
            whole = data.find(_JPEG_END, at) >= 0
            return '' if whole else 'the end of the JPEG is missing'
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADER and at + 9 <= len(data):
            fault = _fault_of_size(data[at + 7:at + 9], data[at + 5:at + 7])
            if fault:
                return fault
        at += 2 + int.from_bytes(data[at + 2:at + 4], 'big')
    return 'the JPEG ends before its pixels'


def _fault_of_png(data: bytes) -> str:
    # The last chunk is 12 bytes; some writers put something behind it.
    if b'IEND' not in data[-64:]:
        return 'the end of the PNG is missing'
    return _fault_of_size(data[16:20], data[20:24])


def _fault_of_size(width: bytes, height: bytes) -> str:
    pixels = int.from_bytes(width, 'big') * int.from_bytes(height, 'big')
    return f'it claims {pixels} pixels' if pixels > MAX_PIXELS else ''
