# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Whatever a compressed picture contains, it is decoded or refused, in bounded memory."""

import warnings

from fuzz.pictures import PICTURES, set_size, sizes
from fuzz.strategies import examples, mutated
from hypothesis import strategies as st
import numpy as np
import pytest
from udp_infer_ros.errors import DecodeError
from udp_infer_ros.sources.picture import decode_picture, MAX_PIXELS

# Pillow warns of damaged headers; test_no_library_prints_by_itself tests that.
pytestmark = pytest.mark.filterwarnings('ignore::Warning:PIL')

MAX_GROWTH_MIB = 1600
"""A picture of MAX_PIXELS takes 384 MiB; a progressive JPEG twice as much for coefficients."""


def peak_mib():
    """Return the highest memory of this process since `reset_peak`."""
    with open('/proc/self/status', encoding='ascii') as file:
        return next(int(row.split()[1]) / 1024 for row in file if row.startswith('VmHWM'))


def reset_peak():
    """Forget the highest memory so far."""
    with open('/proc/self/clear_refs', 'w', encoding='ascii') as file:
        file.write('5')


def decode(data):
    """Decode a picture; check the image, the error and the memory."""
    reset_peak()
    before_mib = peak_mib()
    try:
        image = decode_picture(data, 'image')
    except DecodeError as error:
        assert len(str(error)) < 1000
        return None
    finally:
        assert peak_mib() - before_mib < MAX_GROWTH_MIB
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert 0 < image.shape[0] * image.shape[1] <= MAX_PIXELS
    return image


def test_every_valid_picture_is_decoded():
    for name, data in PICTURES.items():
        assert decode(data) is not None, name


@examples(
    1500, data=st.sampled_from(sorted(PICTURES)).flatmap(
        lambda name: mutated(PICTURES[name], others=tuple(PICTURES.values()))))
def test_a_damaged_picture_is_decoded_or_refused(data):
    decode(data)


@examples(200, data=st.one_of(
    st.binary(max_size=200),
    st.tuples(
        st.sampled_from(sorted(PICTURES)), st.integers(2, 30), st.binary(max_size=100)).map(
            lambda item: PICTURES[item[0]][:item[1]] + item[2])))
def test_bytes_behind_a_signature_are_refused(data):
    decode(data)


@examples(150, name=st.sampled_from(sorted(PICTURES)), size=sizes())
def test_a_picture_that_declares_too_many_pixels_is_refused(name, size):
    image = decode(set_size(name, *size))
    if size[0] * size[1] > MAX_PIXELS and not name.startswith('webp'):
        assert image is None


@pytest.mark.parametrize('name', sorted(PICTURES))
def test_a_truncated_picture_causes_no_other_error(name):
    data = PICTURES[name]
    for size in range(0, len(data), max(1, len(data) // 40)):
        decode(data[:size])


@pytest.mark.parametrize('data', [
    pytest.param(
        PICTURES['jpeg'][:-2] + bytes(9) + PICTURES['jpeg'][-2:],
        marks=pytest.mark.xfail(strict=True, reason='libjpeg writes to the file descriptor')),
    PICTURES['bmp'][:200],
    PICTURES['tiff lzw'][:-400],
], ids=['libjpeg', 'OpenCV', 'Pillow'])
def test_no_library_prints_by_itself(data, capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        decode(data)
    assert not caught and capfd.readouterr().err == ''
