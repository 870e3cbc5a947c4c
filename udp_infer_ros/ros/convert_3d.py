# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Conversions between ROS messages and the data types of `positions`."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import Point, Vector3
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo as RosCameraInfo
from sensor_msgs.msg import CompressedImage, Image
from udp_infer_ros.positions.camera import CameraInfo
from udp_infer_ros.positions.depth_image import decode_compressed_depth, DepthImage, unit_of
from udp_infer_ros.positions.locate import Positions
from udp_infer_ros.ros.convert import Encoding, pixels_of
from vision_msgs.msg import (
    Detection2DArray, Detection3D, Detection3DArray, ObjectHypothesisWithPose)
try:
    from visualization_msgs.msg import Marker, MarkerArray
except ImportError:
    MarkerArray = None

DTYPES = {'16UC1': 'u2', 'mono16': 'u2', '32FC1': 'f4'}
MIN_THICKNESS_M = 0.02
"""Of the box of a marker, so that it is visible from the side."""
MARKER_LIFETIME_S = 2
TEXT_HEIGHT_M = 0.12


def depth_from_ros(message: Image | CompressedImage) -> DepthImage:
    """
    Convert a depth image; that of an Image is a view of its data.

    :raises FrameError: if the message is inconsistent, or its encoding is not of depth images.
    :raises DecodeError: if compressed data are damaged.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed_depth(message.format, bytes(message.data))
    unit_m = unit_of(message.encoding)
    return DepthImage(
        pixels=pixels_of(message, Encoding(1, DTYPES[message.encoding])), unit_m=unit_m)


def camera_info_from_ros(message: RosCameraInfo) -> CameraInfo:
    """Convert the fields that describe the projection."""
    roi = message.roi
    return CameraInfo(
        width=message.width, height=message.height, distortion_model=message.distortion_model,
        d=tuple(message.d), k=tuple(message.k), p=tuple(message.p),
        binning=(message.binning_x, message.binning_y),
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height))


def boxes_from_ros(message: Detection2DArray) -> NDArray[np.float64]:
    """Return (n, 4) x, y of the center, width, height, pixels."""
    return np.array([(
        box.center.position.x, box.center.position.y, box.size_x, box.size_y)
        for box in (item.bbox for item in message.detections)], dtype=np.float64).reshape(-1, 4)


def positions_to_ros(
    message: Detection2DArray, positions: Positions | None,
) -> Detection3DArray:
    """
    Return the detections that have a position; all else is as received.

    Objects are shared with the received message, which must not be changed afterwards.

    :param positions: None for a message without detections.
    """
    result = Detection3DArray(header=message.header)
    if positions is None:
        return result
    located = []
    for index, center, size, covariance in zip(
            positions.index.tolist(), positions.center_m.tolist(), positions.size_m.tolist(),
            positions.covariance):
        received = message.detections[index]
        detection = Detection3D(header=received.header, id=received.id)
        # Its own objects are filled, because new ones take longer. The orientation of a new pose
        # is the identity.
        pose = detection.bbox.center
        point, extent = pose.position, detection.bbox.size
        point.x, point.y, point.z = center
        extent.x, extent.y, extent.z = size
        for item in received.results:
            hypothesis = ObjectHypothesisWithPose(hypothesis=item.hypothesis)
            hypothesis.pose.pose = pose
            hypothesis.pose.covariance = covariance
            detection.results.append(hypothesis)
        located.append(detection)
    result.detections = located
    return result


def markers_to_ros(message: Detection3DArray) -> Any:
    """Return a visualization_msgs/MarkerArray: a box and a label for each detection."""
    # RViz removes the markers of the message before.
    result = MarkerArray(markers=[Marker(header=message.header, action=Marker.DELETEALL)])
    for number, detection in enumerate(message.detections):
        box = _marker(message, number, 'boxes', Marker.CUBE, 0.4)
        box.pose, size = detection.bbox.center, detection.bbox.size
        box.scale = Vector3(x=size.x, y=size.y, z=max(size.z, MIN_THICKNESS_M))
        label = _marker(message, number, 'labels', Marker.TEXT_VIEW_FACING, 1.0)
        center = detection.bbox.center.position
        label.pose.position = Point(
            x=center.x, y=center.y - size.y / 2 - TEXT_HEIGHT_M, z=center.z)
        label.scale.z = TEXT_HEIGHT_M
        label.text = _label(detection)
        result.markers += [box, label]
    return result


def _marker(message: Detection3DArray, number: int, space: str, kind: int, alpha: float) -> Any:
    marker = Marker(header=message.header, ns=space, id=number, type=kind)
    marker.color.r, marker.color.g, marker.color.b, marker.color.a = 0.6, 0.9, 0.1, alpha
    marker.lifetime.sec = MARKER_LIFETIME_S
    return marker


def _label(detection: Detection3D) -> str:
    track = f'#{detection.id} ' if detection.id else ''
    name = detection.results[0].hypothesis.class_id if detection.results else ''
    return f'{track}{name} {detection.bbox.center.position.z:.2f} m'
