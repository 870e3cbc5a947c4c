# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Whatever an image message contains, it is refused or becomes an image of the declared size."""

import array

from fuzz.pictures import PICTURES
from fuzz.strategies import any_text, examples, mutated
from hypothesis import strategies as st
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from udp_infer_ros.detection.model_file import ImageInput
from udp_infer_ros.detection.preprocess import Preprocessor
from udp_infer_ros.detection.types import InputSize, Preprocessing
from udp_infer_ros.errors import FrameError
from udp_infer_ros.ros.convert import (
    ENCODINGS, image_from_ros, image_from_ros_compressed, stamp_ns_from_ros, TWO_PLANES)
from udp_infer_ros.sources.picture import MAX_PIXELS

# Pillow warns of damaged headers; test_pictures.py tests that.
pytestmark = pytest.mark.filterwarnings('ignore::Warning:PIL')

UINT32 = st.integers(0, 2**32 - 1)
NAMES = st.one_of(
    st.sampled_from((*ENCODINGS, *TWO_PLANES)), st.sampled_from((
        'RGB8', '32FC1', '8UC4', '16SC3', 'yuv420', 'jpeg', '', 'bayer_rggb', '8UC999999999')),
    st.text(max_size=20))
BYTES_PER_PIXEL = {name: item.channels * np.dtype(item.dtype).itemsize
                   for name, item in ENCODINGS.items()}
RESIZE = Preprocessor(
    ImageInput(
        name='images', size=InputSize(width=32, height=32), dtype=np.dtype(np.float32),
        channels_last=False, batched=True),
    Preprocessing(resize='letterbox'))


@st.composite
def images(draw):
    """Draw a consistent message, and change some of its fields."""
    name = draw(st.sampled_from(sorted((*ENCODINGS, *TWO_PLANES))))
    width, height = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    wrong = draw(st.sampled_from((
        '', '', 'odd step', 'step', 'step of one row', 'size', 'width', 'height', 'encoding')))
    step = width * BYTES_PER_PIXEL.get(name, 1)
    if wrong == 'odd step':
        step = max(0, step + draw(st.integers(-3, 9)))
    elif wrong.startswith('step'):
        step = draw(UINT32)
        height = 1 if 'row' in wrong else height
    size = round(step * height * {'nv12': 1.5, 'nv21': 1.5, 'nv24': 3}.get(name, 1))
    if wrong == 'size':
        size = max(0, size + draw(st.integers(-40, 40)))
    width = draw(UINT32) if wrong == 'width' else width
    height = draw(UINT32) if wrong == 'height' else height
    data = array.array('B')
    data.frombytes(np.random.default_rng(draw(st.integers(0, 100))).bytes(min(size, 30_000)))
    return Image(
        width=width, height=height, encoding=draw(NAMES) if wrong == 'encoding' else name,
        step=step, data=data, is_bigendian=draw(st.integers(0, 255)))


def check(image):
    """Check that the detector can use an image."""
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
    RESIZE(image)


@examples(1500, message=images())
def test_an_image_message_is_refused_or_has_its_declared_size(message):
    try:
        image = image_from_ros(message)
    except FrameError as error:
        assert len(str(error)) < 1500
        return
    assert image.shape == (message.height, message.width, 3)
    check(image)


COMPRESSED = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(sorted(PICTURES)).flatmap(
        lambda name: mutated(PICTURES[name], others=tuple(PICTURES.values()))))
FORMATS = st.one_of(
    st.sampled_from(('jpeg', 'png', 'rgb8; jpeg compressed bgr8', '16UC1; compressedDepth', '')),
    any_text(10).map(lambda text: text.encode('utf-8', 'replace').decode()))


@examples(500, data=COMPRESSED, name=FORMATS)
def test_a_compressed_image_is_refused_or_decoded(data, name):
    message = CompressedImage(format=name, data=array.array('B', data))
    try:
        image = image_from_ros_compressed(message)
    except FrameError as error:
        assert len(str(error)) < 1500
        return
    assert image.shape[0] * image.shape[1] <= MAX_PIXELS
    check(image)


@examples(200, sec=st.integers(-2**31, 2**31 - 1), nanosec=UINT32)
def test_a_stamp_is_refused_or_exact(sec, nanosec):
    header = Header()
    header.stamp.sec, header.stamp.nanosec = sec, nanosec
    try:
        stamp_ns = stamp_ns_from_ros(header)
    except FrameError:
        assert nanosec >= 10**9
        return
    assert divmod(stamp_ns, 10**9) == (sec, nanosec)
