# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A picture is complete, or it is rejected."""

from io import BytesIO

import cv2
import numpy as np
from PIL import Image
import pytest
from udp_infer_ros.errors import DecodeError
from udp_infer_ros.sources.picture import decode_picture

GRADIENT = np.dstack([np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))] * 3)


def encoded(extension, *options):
    """Encode a picture."""
    return cv2.imencode(extension, GRADIENT, list(options))[1].tobytes()


@pytest.mark.parametrize('data', [
    encoded('.jpg'), encoded('.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1), encoded('.png'),
    encoded('.jpg', cv2.IMWRITE_JPEG_RST_INTERVAL, 2), encoded('.bmp'), encoded('.webp'),
    encoded('.jpg') + bytes(100), b'\xff\xd8\xff' + encoded('.jpg')[2:],
])
def test_a_complete_picture_is_decoded_whatever_follows_it(data):
    image = decode_picture(data, 'image')
    assert image.shape == (48, 64, 3)
    assert np.abs(image.astype(int) - GRADIENT).max() < 20


@pytest.mark.parametrize('options', [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_a_jpeg_truncated_anywhere_is_rejected(options):
    data = encoded('.jpg', *options)
    for length in range(len(data) - 1):
        with pytest.raises(DecodeError, match='cannot be decoded'):
            decode_picture(data[:length], 'image')


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture():
    data = encoded('.jpg')
    thumbnail = b'Exif\0\0' + data
    segment = b'\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail
    complete = data[:2] + segment + data[2:]
    assert decode_picture(complete, 'image').shape == (48, 64, 3)
    with pytest.raises(DecodeError, match='the end of the JPEG is missing'):
        decode_picture(complete[:-100], 'image')


def test_a_png_truncated_anywhere_is_rejected():
    data = encoded('.png')
    for length in range(len(data) - 8):
        with pytest.raises(DecodeError):
            decode_picture(data[:length], 'image')


def test_a_picture_that_claims_to_be_huge_is_rejected_before_memory_is_allocated():
    png = bytearray(encoded('.png'))
    png[16:24] = b'\x00\x00\xff\xff' * 2
    with pytest.raises(DecodeError, match='it declares 4294836225 pixels'):
        decode_picture(bytes(png), 'image')
    jpeg = bytearray(encoded('.jpg'))
    at = jpeg.index(b'\xff\xc0')
    jpeg[at + 5:at + 9] = b'\xff\xff\xff\xff'
    with pytest.raises(DecodeError, match='it declares 4294836225 pixels'):
        decode_picture(bytes(jpeg), 'image')


def tiff_bomb():
    """Return a TIFF of 400 million pixels in a few kilobytes."""
    file = BytesIO()
    Image.new('1', (20_000, 20_000)).save(file, 'TIFF', compression='group4')
    return file.getvalue()


def webp_bomb():
    """Return a lossless WebP whose header declares 268 million pixels."""
    data = bytearray(encoded('.webp', cv2.IMWRITE_WEBP_QUALITY, 101))
    start = data.index(b'VP8L') + 9
    data[start:start + 3], data[start + 3] = b'\xff\xff\xff', data[start + 3] | 0x0F
    return bytes(data)


@pytest.mark.parametrize('make', [tiff_bomb, webp_bomb])
def test_a_picture_of_any_format_that_is_too_large_is_rejected_before_it_is_decoded(
        make, monkeypatch):
    data = make()
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(DecodeError, match='it declares|DecompressionBombError'):
        decode_picture(data, 'image')


def test_a_damaged_png_prints_nothing(capfd):
    data = bytearray(encoded('.png'))
    data[60] ^= 0xFF
    for _ in range(3):
        with pytest.raises(DecodeError, match='a chunk of the PNG is damaged'):
            decode_picture(bytes(data), 'image')
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize('data', [b'', b'text', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'])
def test_data_that_is_not_a_picture_is_rejected(data):
    with pytest.raises(DecodeError, match='cannot be decoded'):
        decode_picture(data, 'image')
