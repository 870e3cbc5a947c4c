# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Compressed depth images are decoded as compressed_depth_image_transport writes them."""

import struct

import cv2
import numpy as np
import pytest
from udp_infer_ros.errors import DecodeError, FrameError
from udp_infer_ros.positions.depth_image import decode_compressed_depth

RANDOM = np.random.default_rng(3)
DEPTH = RANDOM.integers(300, 9000, (37, 53)).astype(np.uint16)
DEPTH[RANDOM.random(DEPTH.shape) < 0.3] = 0
DEPTH[10:20] = 0
DEPTH[20:25] = 65535


def rvl(pixels):
    """Encode an image as the RvlCodec of image_transport_plugins does."""
    nibbles, previous, values = [], 0, pixels.ravel().tolist()

    def write(number):
        while True:
            low, number = number & 7, number >> 3
            nibbles.append(low | 8 if number else low)
            if not number:
                return
    place = 0
    while place < len(values):
        begin = place
        while place < len(values) and not values[place]:
            place += 1
        write(place - begin)
        end = place
        while end < len(values) and values[end]:
            end += 1
        write(end - place)
        for value in values[place:end]:
            delta, previous = value - previous, value
            write((delta << 1) ^ (delta >> 31))
        place = end
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int(''.join(f'{n:x}' for n in nibbles[i:i + 8]), 16)
             for i in range(0, len(nibbles), 8)]
    height, width = pixels.shape
    return struct.pack(f'<2I{len(words)}I', width, height, *words)


def png(pixels):
    """Encode an image as PNG."""
    return cv2.imencode('.png', pixels)[1].tobytes()


def packed(data, a=0.0, b=0.0):
    """Return the data of a message: the header of image_transport, then an image."""
    return struct.pack('<i2f', 0, a, b) + data


@pytest.mark.parametrize('text, encode', [
    ('16UC1', png), ('16UC1; compressedDepth', png), ('16UC1; compressedDepth png', png),
    ('16UC1; compressedDepth rvl', rvl), ('mono16; compressedDepth rvl', rvl)])
def test_millimeters_are_decoded_exactly(text, encode):
    image = decode_compressed_depth(text, packed(encode(DEPTH)))
    assert image.unit_m == 0.001
    assert (image.pixels == DEPTH).all()


@pytest.mark.parametrize('text, encode', [
    ('32FC1; compressedDepth png', png), ('32FC1; compressedDepth rvl', rvl)])
def test_meters_are_restored_from_the_quantized_inverse(text, encode):
    meters = np.linspace(0.4, 9.5, 35 * 53, dtype=np.float32).reshape(35, 53)
    meters[3:5] = np.nan
    # As encodeCompressedDepthImage with depth_quantization 100 and depth_max 10.
    a = np.float32(100.0 * 101.0)
    b = np.float32(1.0 - a / 10.0)
    with np.errstate(invalid='ignore'):
        inverse = np.where(meters < 10.0, a / meters + b, 0.0).astype(np.uint16)
    image = decode_compressed_depth(text, packed(encode(inverse), a, b))
    assert (np.isnan(image.pixels) == np.isnan(meters)).all()
    valid = np.isfinite(meters)
    assert np.abs(image.pixels[valid] / meters[valid] - 1.0).max() < 0.001
    assert image.unit_m == 1.0


def test_an_image_of_zeros_is_decoded():
    zeros = np.zeros((4, 6), dtype=np.uint16)
    image = decode_compressed_depth('16UC1; compressedDepth rvl', packed(rvl(zeros)))
    assert image.pixels.shape == (4, 6) and not image.pixels.any()


@pytest.mark.parametrize('text, error', [
    ('bgr8; jpeg compressed bgr8', FrameError), ('', FrameError),
    ('16UC1; compressedDepth jxl', FrameError), ('16UC1; png compressed', FrameError)])
def test_a_format_that_is_not_compressed_depth_is_an_error(text, error):
    with pytest.raises(error, match='must'):
        decode_compressed_depth(text, packed(png(DEPTH)))


@pytest.mark.parametrize('text, data', [
    ('16UC1; compressedDepth png', b''), ('16UC1; compressedDepth png', packed(b'\x89PNG')),
    ('16UC1; compressedDepth png', packed(png(DEPTH)[:300])),
    ('16UC1; compressedDepth png', packed(png(DEPTH.astype(np.uint8)))),
    ('16UC1; compressedDepth rvl', packed(b'')),
    ('16UC1; compressedDepth rvl', packed(struct.pack('<3I', 50, 0, 0))),
    ('16UC1; compressedDepth rvl', packed(struct.pack('<3I', 2**16, 2**16, 0))),
    ('16UC1; compressedDepth rvl', packed(struct.pack('<3I', 3, 3, 0))),
    ('16UC1; compressedDepth rvl', packed(struct.pack('<3I', 3, 3, 0xffffffff))),
    ('16UC1; compressedDepth rvl', packed(rvl(DEPTH)[:-40]))])
def test_damaged_data_are_an_error(text, data):
    with pytest.raises(DecodeError, match='depth.data = '):
        decode_compressed_depth(text, data)


def test_random_data_are_an_error_or_an_image():
    for _ in range(300):
        data = bytearray(packed(rvl(DEPTH[:6])))
        for place in RANDOM.integers(0, len(data), 4):
            data[place] = RANDOM.integers(0, 256)
        try:
            image = decode_compressed_depth('16UC1; compressedDepth rvl', bytes(data))
        except DecodeError:
            continue
        assert image.pixels.dtype == np.uint16
