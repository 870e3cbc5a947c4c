# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From ROS messages to images, and from results to ROS messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage as RosCompressedImage
from sensor_msgs.msg import Image as RosImage
from std_msgs.msg import Header as RosHeader
from udp_infer_ros.errors import FrameError
from udp_infer_ros.frame import BgrImage, FrameInfo, NO_TRACK, Result
from udp_infer_ros.sources.picture import decode_picture
from vision_msgs.msg import (
    Detection2D, Detection2DArray, LabelInfo, ObjectHypothesisWithPose, VisionClass)


@dataclass(frozen=True)
class Encoding:
    """How the pixels of one `sensor_msgs/Image` encoding lie in memory."""

    channels: int
    dtype: str = 'u1'
    to_bgr: int | None = None
    """OpenCV's conversion; None: it is BGR already."""


# ROS names a Bayer pattern by its first two rows, OpenCV by the second row's middle: rggb is BG.
ENCODINGS = {
    'bgr8': Encoding(3),
    '8UC3': Encoding(3),
    'rgb8': Encoding(3, to_bgr=cv2.COLOR_RGB2BGR),
    'bgra8': Encoding(4, to_bgr=cv2.COLOR_BGRA2BGR),
    'rgba8': Encoding(4, to_bgr=cv2.COLOR_RGBA2BGR),
    'mono8': Encoding(1, to_bgr=cv2.COLOR_GRAY2BGR),
    '8UC1': Encoding(1, to_bgr=cv2.COLOR_GRAY2BGR),
    'mono16': Encoding(1, 'u2', cv2.COLOR_GRAY2BGR),
    '16UC1': Encoding(1, 'u2', cv2.COLOR_GRAY2BGR),
    'bayer_rggb8': Encoding(1, to_bgr=cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': Encoding(1, to_bgr=cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': Encoding(1, to_bgr=cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': Encoding(1, to_bgr=cv2.COLOR_BayerGB2BGR),
    'bayer_rggb16': Encoding(1, 'u2', cv2.COLOR_BayerBG2BGR),
    'bayer_bggr16': Encoding(1, 'u2', cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg16': Encoding(1, 'u2', cv2.COLOR_BayerGR2BGR),
    'bayer_grbg16': Encoding(1, 'u2', cv2.COLOR_BayerGB2BGR),
    'yuv422': Encoding(2, to_bgr=cv2.COLOR_YUV2BGR_UYVY),
    'uyvy': Encoding(2, to_bgr=cv2.COLOR_YUV2BGR_UYVY),
    'yuv422_yuy2': Encoding(2, to_bgr=cv2.COLOR_YUV2BGR_YUY2),
    'yuyv': Encoding(2, to_bgr=cv2.COLOR_YUV2BGR_YUY2),
}
"""What is read here, without cv_bridge, of one plane."""
TWO_PLANES = {
    'nv12': cv2.COLOR_YUV2BGR_NV12,
    'nv21': cv2.COLOR_YUV2BGR_NV21,
    'nv24': cv2.COLOR_YUV2BGR_NV12,
}
"""
The same of two: `height` rows of luma, then chroma, which `height` and `step` do not count.

The chroma of nv12 and nv21 is half as high and half as wide, so its rows are as long as those of
the luma; that of nv24 has a pair for every pixel, in rows of twice the length.
"""


def image_from_ros(message: RosImage) -> BgrImage:
    """
    View or convert the pixels of an Image.

    :return: (height, width, 3) uint8, BGR; shares the message's memory where it is BGR already.
    :raises FrameError: if the message contradicts itself or its encoding is not known.
    """
    name = message.encoding
    try:
        if name in TWO_PLANES:
            return _from_two_planes(message)
        encoding = ENCODINGS.get(name)
        if encoding is None:
            return _by_cv_bridge(message)
        pixels = _pixels(message, encoding)
        if encoding.dtype == 'u2':
            pixels = (pixels >> 8).astype(np.uint8)
        if encoding.to_bgr is None:
            return pixels
        return np.asarray(cv2.cvtColor(pixels, encoding.to_bgr), dtype=np.uint8)
    except cv2.error as error:
        raise FrameError(
            'image.encoding', name,
            f'cannot be converted at {message.width} x {message.height}: {error.err}') from error


def _pixels(message: RosImage, encoding: Encoding) -> NDArray[Any]:
    height, width, step = message.height, message.width, message.step
    dtype = np.dtype(encoding.dtype).newbyteorder('>' if message.is_bigendian else '<')
    row_bytes = width * encoding.channels * dtype.itemsize
    # The last row may lack its padding.
    _check_size(message, row_bytes, (height - 1) * step + row_bytes)
    pixels = np.ndarray(
        (height, width, encoding.channels), dtype, buffer=message.data,
        strides=(step, encoding.channels * dtype.itemsize, dtype.itemsize))
    return pixels[:, :, 0] if encoding.channels == 1 else pixels


def _from_two_planes(message: RosImage) -> BgrImage:
    height, width, step = message.height, message.width, message.step
    full = message.encoding == 'nv24'
    if (width % 2 or height % 2) and not full:
        raise FrameError(
            'image', f'{width} x {height}', f'must be even in both for {message.encoding}')
    rows, chroma_step = (height, 2 * step) if full else (height // 2, step)
    chroma_bytes = (2 * width) if full else width
    _check_size(message, width, height * step + (rows - 1) * chroma_step + chroma_bytes)
    luma = np.ndarray((height, width), np.uint8, buffer=message.data, strides=(step, 1))
    chroma = np.ndarray(
        (rows, chroma_bytes // 2, 2), np.uint8, buffer=message.data, offset=height * step,
        strides=(chroma_step, 2, 1))
    if full:
        # OpenCV does not know it: from every second pair it is nv12, with an even size.
        chroma = cv2.resize(
            chroma, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        luma = np.pad(luma, ((0, height % 2), (0, width % 2)), mode='edge')
    image = cv2.cvtColorTwoPlane(luma, chroma, TWO_PLANES[message.encoding])
    return np.asarray(image[:height, :width], dtype=np.uint8)


def _check_size(message: RosImage, row_bytes: int, needed: int) -> None:
    """
    See that a message has the bytes that it promises.

    :param row_bytes: what `step` must be at least.
    :param needed: what `data` must have at least, bytes.
    :raises FrameError: if it has not.
    """
    height, width, step = message.height, message.width, message.step
    if not height or not width:
        raise FrameError('image', f'{width} x {height}', 'must have a width and a height')
    if step < row_bytes:
        raise FrameError(
            'image.step', step, f'must be at least {row_bytes} for {width} pixels of '
            f'{message.encoding}')
    if len(message.data) < needed:
        raise FrameError(
            'image.data', f'{len(message.data)} bytes',
            f'must be at least {needed} for {height} rows of {step}')


def _by_cv_bridge(message: RosImage) -> BgrImage:
    try:
        # Imported when it is needed: where its compiled half was built for another NumPy, the
        # import fails, and that must cost no more than the encodings that only it knows.
        from cv_bridge import CvBridge
        image = CvBridge().imgmsg_to_cv2(message, desired_encoding='bgr8')
    except Exception as error:  # It raises whatever Boost, NumPy or OpenCV raise.
        raise FrameError(
            'image.encoding', message.encoding,
            f'must be one of {", ".join((*ENCODINGS, *TWO_PLANES))} '
            f'(cv_bridge: {error})') from error
    return np.asarray(image, dtype=np.uint8)


def image_from_ros_compressed(message: RosCompressedImage) -> BgrImage:
    """
    Decode a CompressedImage.

    :return: (height, width, 3) uint8, BGR.
    :raises FrameError: if it holds something else than a picture.
    :raises DecodeError: if the picture is damaged or not whole.
    """
    if 'compressedDepth' in message.format:
        raise FrameError(
            'image.format', message.format, 'is depth, which has no objects to detect',
            'subscribe to the color image')
    return decode_picture(bytes(message.data), f'image of format {message.format!r}')


def stamp_ns_from_ros(header: RosHeader) -> int:
    """
    Give a header's stamp in nanoseconds.

    :raises FrameError: if it is no time.
    """
    if header.stamp.nanosec >= 1_000_000_000:
        raise FrameError(
            'image.header.stamp.nanosec', header.stamp.nanosec, 'must be below 1000000000')
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def header_to_ros(frame: FrameInfo) -> RosHeader:
    """Give the header that the image had, or would have had."""
    header = RosHeader(frame_id=frame.frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(frame.stamp_ns, 1_000_000_000)
    return header


def detections_to_ros(result: Result, class_id: str) -> Detection2DArray:
    """
    Write a Result as a message.

    :param class_id: name or index, what `hypothesis.class_id` shall hold.
    """
    header = header_to_ros(result.frame)
    message = Detection2DArray(header=header)
    for found in result.objects:
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = (
            found.class_name if class_id == 'name' else str(found.class_id))
        hypothesis.hypothesis.score = found.score
        detection = Detection2D(header=header, results=[hypothesis])
        detection.bbox.center.position.x = found.x
        detection.bbox.center.position.y = found.y
        detection.bbox.size_x = found.width
        detection.bbox.size_y = found.height
        detection.id = '' if found.track_id == NO_TRACK else str(found.track_id)
        message.detections.append(detection)
    return message


def labels_to_ros(labels: tuple[str, ...], confidence: float, header: RosHeader) -> LabelInfo:
    """
    Write the class names as a message.

    :param labels: names in the order of the class index.
    :param confidence: the lowest score that is told.
    """
    return LabelInfo(
        header=header, threshold=confidence,
        class_map=[VisionClass(class_id=i, class_name=name) for i, name in enumerate(labels)])
