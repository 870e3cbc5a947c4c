# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Conversions between ROS messages and the values of the core."""

import array
import sys

import cv2
from helpers import make_result
import numpy as np
import pytest
from ros_helpers import make_image
from sensor_msgs.msg import CompressedImage, Image
from udp_infer_ros.errors import DecodeError, FrameError
from udp_infer_ros.frame import FrameInfo, NO_TRACK
from udp_infer_ros.ros import convert

RANDOM = np.random.default_rng(4)
BGR = RANDOM.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GRAY = RANDOM.integers(0, 256, (6, 8), dtype=np.uint8)
GRAY_16 = RANDOM.integers(0, 65536, (6, 8), dtype=np.uint16)


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding, pixels, expected', [
    ('bgr8', BGR, BGR),
    ('8UC3', BGR, BGR),
    ('rgb8', BGR[:, :, ::-1], BGR),
    ('bgra8', np.dstack((BGR, GRAY)), BGR),
    ('rgba8', np.dstack((BGR[:, :, ::-1], GRAY)), BGR),
    ('mono8', GRAY, np.dstack((GRAY,) * 3)),
    ('8UC1', GRAY, np.dstack((GRAY,) * 3)),
])
def test_an_image_of_any_encoding_becomes_bgr(encoding, pixels, expected, padding):
    message = make_image(pixels, encoding=encoding, padding=padding)
    image = convert.image_from_ros(message)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize('encoding', ['mono16', '16UC1'])
@pytest.mark.parametrize('big', [False, True])
def test_16_bit_gray_loses_its_lower_byte_in_either_byte_order(encoding, big):
    message = make_image(GRAY_16, encoding=encoding, padding=2, big=big)
    expected = np.dstack(((GRAY_16 >> 8).astype(np.uint8),) * 3)
    np.testing.assert_array_equal(convert.image_from_ros(message), expected)


@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('depth', [8, 16])
@pytest.mark.parametrize('encoding, place', [
    ('bayer_rggb', (0, 0)), ('bayer_bggr', (1, 1)), ('bayer_gbrg', (1, 0)),
    ('bayer_grbg', (0, 1))])
def test_red_pixels_of_a_bayer_pattern_become_red(encoding, place, depth, big):
    mosaic = np.zeros((8, 8), dtype=f'u{depth // 8}')
    # The lower byte is the opposite of the higher one, so a wrong byte order swaps the colors.
    mosaic[:] = 0xFF if depth == 16 else 0
    mosaic[place[0]::2, place[1]::2] = 0xFF << (depth - 8)
    image = convert.image_from_ros(
        make_image(mosaic, encoding=f'{encoding}{depth}', padding=6, big=big))
    blue, green, red = image[2:-2, 2:-2].reshape(-1, 3).mean(axis=0)
    assert red > 200 and blue < 10 and green < 10


@pytest.mark.parametrize('encoding, order', [
    ('yuv422', (1, 0, 3, 2)), ('uyvy', (1, 0, 3, 2)), ('yuv422_yuy2', (0, 1, 2, 3)),
    ('yuyv', (0, 1, 2, 3))])
def test_both_byte_orders_of_yuv422_give_the_same_color(encoding, order):
    pair = np.array((81, 90, 81, 240), dtype=np.uint8)[list(order)]
    pixels = np.tile(pair, (4, 3)).reshape(4, 6, 2)
    image = convert.image_from_ros(make_image(pixels, encoding=encoding))
    assert np.abs(image.astype(int) - (0, 0, 255)).max() <= 3


def two_plane_image(bgr, encoding, padding=0):
    """Build an Image message with luma and chroma in two planes, as cameras send it."""
    height, width = bgr.shape[:2]
    yuv = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    size = height * width
    luma = yuv[:size].reshape(height, width)
    u, v = (plane.reshape(height // 2, width // 2) for plane in np.split(yuv[size:], 2))
    if encoding == 'nv24':
        u, v = (plane.repeat(2, axis=0).repeat(2, axis=1) for plane in (u, v))
    chroma = np.stack((v, u) if encoding == 'nv21' else (u, v), axis=2)
    message = make_image(luma, encoding=encoding, padding=padding)
    chroma = chroma.reshape(chroma.shape[0], -1)
    gap = padding * (chroma.shape[1] // width)
    message.data += array.array('B', np.pad(chroma, ((0, 0), (0, gap))).tobytes())
    return message


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ['nv12', 'nv21', 'nv24'])
def test_luma_and_chroma_in_two_planes_become_bgr(encoding, padding):
    bgr = np.zeros((8, 12, 3), dtype=np.uint8)
    bgr[:4, :6], bgr[:4, 6:], bgr[4:, :6] = (0, 0, 255), (0, 255, 0), (255, 0, 0)
    message = two_plane_image(bgr, encoding, padding)
    image = convert.image_from_ros(message)
    assert image.shape == (8, 12, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - bgr).max() <= 4
    message.data = message.data[:-1 - padding * (1 + (encoding == 'nv24'))]
    with pytest.raises(FrameError, match='image.data'):
        convert.image_from_ros(message)


def test_nv24_may_have_an_odd_size_and_nv12_may_not():
    size, odd = 5 * 7, np.full((5, 7), 128, dtype=np.uint8)
    message = make_image(odd, encoding='nv24')
    message.data += array.array('B', [128] * (2 * size))
    image = convert.image_from_ros(message)
    assert image.shape == (5, 7, 3) and np.ptp(image) <= 1
    message.encoding = 'nv12'
    with pytest.raises(FrameError, match='must be even in both'):
        convert.image_from_ros(message)


def test_a_bgr_image_is_not_copied():
    message = make_image(BGR)
    image = convert.image_from_ros(message)
    assert np.shares_memory(image, np.frombuffer(message.data, dtype=np.uint8))


def changed_image(**changes):
    """Build an Image message and change some of its fields."""
    message = make_image(BGR)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize('message, text', [
    (changed_image(height=0), "image = '8 x 0': must have a width and a height"),
    (changed_image(width=0), "image = '0 x 6': must have a width and a height"),
    (changed_image(step=23), 'image.step = 23: must be at least 24 for 8 pixels of bgr8'),
    (changed_image(height=7), "image.data = '144 bytes': must be at least 168 for 7 rows of 24"),
    (changed_image(data=array.array('B')),
     "image.data = '0 bytes': must be at least 144 for 6 rows of 24"),
    (changed_image(height=2**32 - 1, step=2**32 - 1, width=10**9),
     "image.data = '144 bytes'"),
])
def test_an_image_with_contradictory_sizes_is_refused(message, text):
    with pytest.raises(FrameError) as caught:
        convert.image_from_ros(message)
    assert str(caught.value).startswith(text)


def test_the_padding_of_the_last_row_may_be_missing():
    message = make_image(BGR, padding=4)
    message.data = message.data[:-4]
    np.testing.assert_array_equal(convert.image_from_ros(message), BGR)


def test_yuv_of_an_odd_width_is_refused():
    pixels = np.zeros((4, 5, 2), dtype=np.uint8)
    with pytest.raises(FrameError, match='cannot be converted at 5 x 4'):
        convert.image_from_ros(make_image(pixels, encoding='yuyv'))


def test_an_unknown_encoding_is_refused_with_the_list_of_known_ones(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    with pytest.raises(FrameError) as caught:
        convert.image_from_ros(changed_image(encoding='p010'))
    text = str(caught.value)
    assert text.startswith("image.encoding = 'p010': must be one of bgr8, 8UC3, rgb8")


@pytest.mark.parametrize('error', [
    ImportError('numpy.core.multiarray failed to import'),
    AttributeError('_ARRAY_API not found'), SystemError('built for NumPy 1')])
def test_a_broken_cv_bridge_affects_only_encodings_that_need_it(
        monkeypatch, error):
    class Broken:

        def find_spec(self, name, path, target=None):
            if name == 'cv_bridge':
                raise error
    monkeypatch.delitem(sys.modules, 'cv_bridge', raising=False)
    monkeypatch.setattr(sys, 'meta_path', [Broken(), *sys.meta_path])
    with pytest.raises(FrameError, match=f'must be one of .*nv24.*{error}'):
        convert.image_from_ros(changed_image(encoding='rgb16'))
    np.testing.assert_array_equal(convert.image_from_ros(changed_image()), BGR)


def test_a_stamp_with_too_many_nanoseconds_is_refused():
    message = changed_image()
    message.header.stamp.nanosec = 1_000_000_000
    with pytest.raises(FrameError, match='nanosec = 1000000000: must be below'):
        convert.stamp_ns_from_ros(message.header)


def test_an_encoding_without_a_conversion_here_is_passed_to_cv_bridge(monkeypatch):
    class CvBridge:

        def imgmsg_to_cv2(self, message, desired_encoding):
            assert (message.encoding, desired_encoding) == ('bgr16', 'bgr8')
            return BGR
    module = type(sys)('cv_bridge')
    module.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, 'cv_bridge', module)
    assert convert.image_from_ros(changed_image(encoding='bgr16')) is BGR


def compressed(data, form='jpeg'):
    """Build a CompressedImage message."""
    message = CompressedImage(format=form)
    message.data = array.array('B', bytes(data))
    return message


@pytest.mark.parametrize('extension, tolerance', [('.png', 0), ('.jpg', 40)])
def test_a_compressed_image_is_decoded(extension, tolerance):
    smooth = cv2.resize(BGR, (64, 48), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(extension, smooth)[1].tobytes()
    image = convert.image_from_ros_compressed(compressed(data))
    assert np.abs(image.astype(int) - smooth).max() <= tolerance


def test_a_compressed_gray_image_becomes_bgr():
    image = convert.image_from_ros_compressed(
        compressed(cv2.imencode('.png', GRAY)[1].tobytes(), 'mono8; png compressed'))
    np.testing.assert_array_equal(image, np.dstack((GRAY,) * 3))


@pytest.mark.parametrize('data', [b'', b'no picture', b'\xff\xd8\xff'])
def test_a_damaged_picture_raises_a_decode_error(data):
    with pytest.raises(DecodeError, match='cannot be decoded'):
        convert.image_from_ros_compressed(compressed(data))


def test_a_compressed_depth_image_is_refused():
    with pytest.raises(FrameError, match='must not be a depth image'):
        convert.image_from_ros_compressed(compressed(b'x', '16UC1; compressedDepth png'))


@pytest.mark.parametrize('stamp', [(0, 0), (5, 7), (2**31 - 1, 999_999_999), (-3, 5)])
def test_a_header_is_the_same_after_both_conversions(stamp):
    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    message.header.frame_id = 'cam'
    stamp_ns = convert.stamp_ns_from_ros(message.header)
    frame = FrameInfo(
        index=0, stamp_ns=stamp_ns, frame_id='cam', source='', width=1, height=1)
    assert convert.header_to_ros(frame) == message.header


@pytest.mark.parametrize('class_id', ['name', 'index'])
def test_a_detection_message_has_all_values_of_the_result(class_id):
    result = make_result(20)
    message = convert.detections_to_ros(result, class_id)
    assert message.header == convert.header_to_ros(result.frame)
    assert len(message.detections) == 20
    for detection, found in zip(message.detections, result.objects):
        assert detection.header == message.header
        [hypothesis] = detection.results
        assert hypothesis.hypothesis.class_id == (
            found.class_name if class_id == 'name' else str(found.class_id))
        assert hypothesis.hypothesis.score == found.score
        assert detection.bbox.center.position.x == found.x
        assert detection.bbox.center.position.y == found.y
        assert (detection.bbox.size_x, detection.bbox.size_y) == (found.width, found.height)
        assert detection.bbox.center.theta == 0.0
        assert detection.id == ('' if found.track_id == NO_TRACK else str(found.track_id))


def test_a_result_without_detections_becomes_an_empty_message_with_a_header():
    message = convert.detections_to_ros(make_result(0), 'name')
    assert message.detections == [] and message.header.frame_id == 'camera'


def test_class_names_are_published_with_their_index():
    message = convert.labels_to_ros(('person', 'car'), 0.25, make_image(BGR).header)
    assert [(item.class_id, item.class_name) for item in message.class_map] == [
        (0, 'person'), (1, 'car')]
    assert message.threshold == 0.25 and message.header.frame_id == 'front_camera'


def test_foxglove_annotations_have_an_outline_and_a_caption_for_each_object(monkeypatch):
    class Message:

        LINE_LOOP = 2

        def __init__(self, **fields):
            self.points, self.texts = [], []
            self.__dict__.update(fields)
    for name in ('Color', 'ImageAnnotations', 'Point2', 'PointsAnnotation', 'TextAnnotation'):
        monkeypatch.setattr(convert, name, Message, raising=False)
    result = make_result(2)
    message = convert.annotations_to_foxglove(result)
    found = result.objects[0]
    xs = [point.x for point in message.points[0].points]
    assert max(xs) - min(xs) == pytest.approx(found.width)
    assert message.points[0].type == 2
    assert message.texts[0].text == f'#1 {found.class_name} {found.score:.2f}'
    assert len(message.points) == len(message.texts) == 2
