# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Small valid pictures of every common format, and changes of their declared size."""

from io import BytesIO
import struct
from zlib import crc32

from hypothesis import strategies as st
import numpy as np
from PIL import Image


def _image(mode):
    pixels = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    pixels[8:] = 90
    return Image.fromarray(pixels).convert(mode)


def _saved(kind, mode='RGB', **options):
    file = BytesIO()
    _image(mode).save(file, kind, **options)
    return file.getvalue()


PICTURES = {
    'jpeg': _saved('JPEG'),
    'jpeg progressive': _saved('JPEG', progressive=True),
    'jpeg gray': _saved('JPEG', 'L'),
    'jpeg cmyk': _saved('JPEG', 'CMYK'),
    'jpeg restart': _saved('JPEG', restart_marker_blocks=1),
    'png': _saved('PNG'),
    'png palette': _saved('PNG', 'P'),
    'png gray': _saved('PNG', 'L'),
    'png alpha': _saved('PNG', 'RGBA'),
    'png 1 bit': _saved('PNG', '1'),
    'webp': _saved('WEBP'),
    'webp lossless': _saved('WEBP', lossless=True),
    'webp alpha': _saved('WEBP', 'RGBA'),
    'tiff': _saved('TIFF'),
    'tiff lzw': _saved('TIFF', compression='tiff_lzw'),
    'tiff deflate': _saved('TIFF', compression='tiff_adobe_deflate'),
    'tiff jpeg': _saved('TIFF', compression='jpeg'),
    'bmp': _saved('BMP'),
    'bmp palette': _saved('BMP', 'P'),
    'ppm': _saved('PPM'),
}
"""Pictures of 32 x 24 pixels."""


def sizes():
    """Draw a width and a height; most products are above the limit or just below it."""
    side = st.one_of(
        st.sampled_from((0, 1, 11585, 11586, 65535, 2**31 - 1, 2**32 - 1)),
        st.integers(0, 2**32 - 1), st.integers(1, 70000))
    return st.tuples(side, side).filter(lambda size: not 2**24 < size[0] * size[1] <= 2**27)


def set_size(name, width, height):
    """
    Write another size into the header of a picture; large numbers are cut to its field.

    :param name: a key of PICTURES.
    """
    data = bytearray(PICTURES[name])
    kind = name.partition(' ')[0]
    if kind == 'jpeg':
        at = next(at for at in range(2, len(data)) if data[at] == 0xFF and data[at + 1] in (
            0xC0, 0xC1, 0xC2))
        struct.pack_into('>HH', data, at + 5, min(height, 65535), min(width, 65535))
    elif kind == 'png':
        struct.pack_into('>II', data, 16, width, height)
        struct.pack_into('>I', data, 29, crc32(data[12:29]))
    elif kind == 'webp':
        return _set_webp_size(data, width, height)
    elif kind == 'tiff':
        _set_tiff_size(data, width, height)
    elif kind == 'bmp':
        struct.pack_into('<ii', data, 18, min(width, 2**31 - 1), min(height, 2**31 - 1))
    else:
        return f'P6\n{width} {height}\n255\n'.encode() + bytes(data[-100:])
    return bytes(data)


def _set_webp_size(data, width, height):
    at = data.find(b'VP8X')
    if at >= 0:
        data[at + 12:at + 15] = ((width - 1) % 2**24).to_bytes(3, 'little')
        data[at + 15:at + 18] = ((height - 1) % 2**24).to_bytes(3, 'little')
    elif (at := data.find(b'VP8L')) >= 0:
        bits = struct.unpack_from('<I', data, at + 9)[0] >> 28
        struct.pack_into(
            '<I', data, at + 9,
            bits << 28 | ((height - 1) % 2**14) << 14 | (width - 1) % 2**14)
    else:
        at = data.find(b'\x9d\x01\x2a') + 3
        struct.pack_into('<HH', data, at, width % 2**14, height % 2**14)
    return bytes(data)


def _set_tiff_size(data, width, height):
    directory = struct.unpack_from('<I', data, 4)[0]
    for number in range(struct.unpack_from('<H', data, directory)[0]):
        at = directory + 2 + 12 * number
        tag = struct.unpack_from('<H', data, at)[0]
        if tag in (256, 257):
            struct.pack_into('<HHII', data, at, tag, 4, 1, width if tag == 256 else height)
