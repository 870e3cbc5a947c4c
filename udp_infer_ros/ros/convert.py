# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Conversions between ROS messages and the data types of the core."""

from __future__ import annotations

import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage as RosCompressedImage
from sensor_msgs.msg import Image as RosImage
from std_msgs.msg import Header as RosHeader
from udp_infer_ros.errors import FrameError
from udp_infer_ros.frame import BgrImage, caption, FrameInfo, NO_TRACK, Result
from udp_infer_ros.health import PartHealth
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.settings import ClassIdFormat
from udp_infer_ros.sources.picture import decode_picture
from vision_msgs.msg import (
    Detection2D, Detection2DArray, LabelInfo, ObjectHypothesisWithPose, VisionClass, VisionInfo)
try:
    from foxglove_msgs.msg import (
        Color, ImageAnnotations, Point2, PointsAnnotation, TextAnnotation)
except ImportError:
    ImageAnnotations = None

FONT_SIZE_PX = 14.0


@dataclass(frozen=True)
class Encoding:
    """Memory layout of one `sensor_msgs/Image` encoding."""

    channels: int
    dtype: str = 'u1'
    to_bgr: int | None = None
    """Conversion code of OpenCV; None if the pixels are BGR already."""


# ROS names a Bayer pattern by rows 1 and 2, OpenCV by row 2, columns 2 and 3: rggb is BG.
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
"""Encodings of one plane that are converted without cv_bridge."""
TWO_PLANES = {
    'nv12': cv2.COLOR_YUV2BGR_NV12,
    'nv21': cv2.COLOR_YUV2BGR_NV21,
    'nv24': cv2.COLOR_YUV2BGR_NV12,
}
"""
Encodings of two planes: `height` rows of luma, then the rows of chroma.

The chroma of nv12 and nv21 has half the height and half the width, so its rows are as long as
those of the luma; nv24 has a pair for every pixel, in rows of twice the length.
"""


def image_from_ros(message: RosImage) -> BgrImage:
    """
    Convert an Image, without a copy where possible.

    :return: (height, width, 3) uint8, BGR; a view of the message's data if that is BGR already.
    :raises FrameError: if the message is inconsistent or its encoding is unknown.
    """
    name = message.encoding
    try:
        if name in TWO_PLANES:
            return _from_two_planes(message)
        encoding = ENCODINGS.get(name)
        if encoding is None:
            return _by_cv_bridge(message)
        pixels = pixels_of(message, encoding)
        if encoding.dtype == 'u2':
            pixels = (pixels >> 8).astype(np.uint8)
        if encoding.to_bgr is None:
            return pixels
        return np.asarray(cv2.cvtColor(pixels, encoding.to_bgr), dtype=np.uint8)
    except cv2.error as error:
        raise FrameError(
            'image.encoding', name,
            f'cannot be converted at {message.width} x {message.height}: {error.err}') from error


def pixels_of(message: RosImage, encoding: Encoding) -> NDArray[Any]:
    """
    Return a view of the pixels of an Image: (height, width), with channels if there are several.

    :raises FrameError: if the message is inconsistent.
    """
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
    full_chroma = message.encoding == 'nv24'
    if (width % 2 or height % 2) and not full_chroma:
        raise FrameError(
            'image', f'{width} x {height}', f'must be even in both for {message.encoding}')
    rows, chroma_step = (height, 2 * step) if full_chroma else (height // 2, step)
    chroma_bytes = (2 * width) if full_chroma else width
    _check_size(message, width, height * step + (rows - 1) * chroma_step + chroma_bytes)
    luma = np.ndarray((height, width), np.uint8, buffer=message.data, strides=(step, 1))
    chroma = np.ndarray(
        (rows, chroma_bytes // 2, 2), np.uint8, buffer=message.data, offset=height * step,
        strides=(chroma_step, 2, 1))
    if full_chroma:
        # OpenCV does not support nv24: halve the chroma, and convert as nv12 with even size.
        chroma = cv2.resize(
            chroma, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        luma = np.pad(luma, ((0, height % 2), (0, width % 2)), mode='edge')
    image = cv2.cvtColorTwoPlane(luma, chroma, TWO_PLANES[message.encoding])
    return np.asarray(image[:height, :width], dtype=np.uint8)


def _check_size(message: RosImage, row_bytes: int, needed: int) -> None:
    """
    Check that a message has as many bytes as its size and step require.

    :param row_bytes: lowest valid `step`, bytes.
    :param needed: lowest valid length of `data`, bytes.
    :raises FrameError: if the size is 0, or one is lower.
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
        # Imported here, because the import fails if cv_bridge was built for another NumPy; then
        # only the other encodings are available.
        from cv_bridge import CvBridge
        image = CvBridge().imgmsg_to_cv2(message, desired_encoding='bgr8')
    except Exception as error:  # cv_bridge raises errors of Boost, NumPy and OpenCV.
        raise FrameError(
            'image.encoding', message.encoding,
            f'must be one of {", ".join((*ENCODINGS, *TWO_PLANES))} '
            f'(cv_bridge: {error})') from error
    return np.asarray(image, dtype=np.uint8)


def image_from_ros_compressed(message: RosCompressedImage) -> BgrImage:
    """
    Decode a CompressedImage.

    :return: (height, width, 3) uint8, BGR.
    :raises FrameError: if it is a compressed depth image.
    :raises DecodeError: if the picture is damaged or truncated.
    """
    if 'compressedDepth' in message.format:
        raise FrameError(
            'image.format', message.format, 'must not be a depth image',
            'subscribe to the color image')
    return decode_picture(bytes(message.data), f'image of format {message.format!r}')


def stamp_ns_from_ros(header: RosHeader) -> int:
    """
    Return the stamp of a header in nanoseconds.

    :raises FrameError: if it is not a valid time.
    """
    if header.stamp.nanosec >= 1_000_000_000:
        raise FrameError(
            'image.header.stamp.nanosec', header.stamp.nanosec, 'must be below 1000000000')
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def header_to_ros(frame: FrameInfo) -> RosHeader:
    """Return a header with the stamp and the frame_id of a frame."""
    header = RosHeader(frame_id=frame.frame_id)
    header.stamp.sec, header.stamp.nanosec = divmod(frame.stamp_ns, 1_000_000_000)
    return header


def detections_to_ros(result: Result, class_id: ClassIdFormat) -> Detection2DArray:
    """
    Convert a Result.

    :param class_id: content of `hypothesis.class_id`.
    """
    header = header_to_ros(result.frame)
    message = Detection2DArray(header=header)
    for item in result.objects:
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = (
            item.class_name if class_id == 'name' else str(item.class_id))
        hypothesis.hypothesis.score = item.score
        detection = Detection2D(header=header, results=[hypothesis])
        detection.bbox.center.position.x = item.x
        detection.bbox.center.position.y = item.y
        detection.bbox.size_x = item.width
        detection.bbox.size_y = item.height
        detection.id = '' if item.track_id == NO_TRACK else str(item.track_id)
        message.detections.append(detection)
    return message


def labels_to_ros(labels: tuple[str, ...], confidence: float, header: RosHeader) -> LabelInfo:
    """
    Convert the class names.

    :param labels: names in the order of the class index.
    :param confidence: lowest published score.
    """
    return LabelInfo(
        header=header, threshold=confidence,
        class_map=[VisionClass(class_id=i, class_name=name) for i, name in enumerate(labels)])


def model_to_ros(model: ModelInfo, label_topic: str, header: RosHeader) -> VisionInfo:
    """
    Convert the properties of the model.

    :param label_topic: the topic with the class names.
    """
    return VisionInfo(
        header=header, method=str(model), database_location=label_topic, database_version=1)


def image_to_ros(image: BgrImage, header: RosHeader) -> RosImage:
    """Convert an image (height, width, 3), BGR."""
    height, width = image.shape[:2]
    message = RosImage(
        header=header, height=height, width=width, encoding='bgr8', step=width * 3)
    # Any other type is converted element by element on some distributions.
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(image).data.cast('B'))
    message.data = data
    return message


def image_to_ros_compressed(
    image: BgrImage, header: RosHeader, jpeg_quality: int,
) -> RosCompressedImage:
    """
    Convert an image (height, width, 3), BGR, to JPEG.

    :param jpeg_quality: 1 to 100.
    """
    message = RosCompressedImage(header=header, format='bgr8; jpeg compressed bgr8')
    encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])[1]
    message.data = array.array('B', encoded.tobytes())
    return message


def annotations_to_foxglove(result: Result) -> Any:
    """Convert a Result to foxglove_msgs/ImageAnnotations: an outline and a caption per object."""
    stamp = header_to_ros(result.frame).stamp
    color = Color(r=0.6, g=0.9, b=0.1, a=1.0)
    message = ImageAnnotations()
    for item in result.objects:
        left, top = item.x - item.width / 2, item.y - item.height / 2
        right, bottom = left + item.width, top + item.height
        message.points.append(PointsAnnotation(
            timestamp=stamp, type=PointsAnnotation.LINE_LOOP, outline_color=color, thickness=2.0,
            points=[Point2(x=x, y=y) for x, y in (
                (left, top), (right, top), (right, bottom), (left, bottom))]))
        message.texts.append(TextAnnotation(
            timestamp=stamp, position=Point2(x=left, y=top), font_size=FONT_SIZE_PX,
            text=caption(item.class_name, item.score, item.track_id), text_color=color))
    return message


def health_to_ros(
    parts: Sequence[PartHealth], *, node_name: str, header: RosHeader,
) -> DiagnosticArray:
    """
    Convert the health reports of all parts.

    :param node_name: fully qualified name; prefix of the names of the parts, and hardware_id.
    """
    return DiagnosticArray(header=header, status=[
        DiagnosticStatus(
            level=bytes((part.level,)), name=f'{node_name.lstrip("/")}: {part.name}',
            message=part.message, hardware_id=node_name,
            values=[KeyValue(key=key, value=str(value)) for key, value in part.values.items()])
        for part in parts])
