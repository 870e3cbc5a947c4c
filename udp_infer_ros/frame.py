# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The data types of the frame path: Frame, Detections and Result."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TYPE_CHECKING, Union

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.errors import FrameError

if TYPE_CHECKING:
    import supervision as sv

NO_TRACK = -1
"""The track id of a detection without a track."""

Buffer = Union[bytes, 'array[int]']
"""Bytes, as in a file or in a ROS message."""
BgrImage = NDArray[np.uint8]
"""An image of shape (height, width, 3), channels in the order blue, green, red."""


@dataclass(frozen=True, kw_only=True)
class FrameInfo:
    """The metadata of a frame, without its pixels."""

    index: int
    """Number of frames that the source offered before this one; a gap means dropped frames."""
    stamp_ns: int
    """Capture time, nanoseconds, by the clock of the node or the publisher."""
    frame_id: str
    """Coordinate frame of the camera, as in `std_msgs/Header`."""
    source: str
    """Topic, device, file or URL, without passwords."""
    width: int
    height: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """An image with its metadata. The pixels must not be modified."""

    info: FrameInfo
    image: BgrImage
    arrival_s: float
    """`time.monotonic()` when the frame reached this process."""
    wait_s: float = 0.0
    """Seconds that the frame waited in the slot for the worker."""
    decode_s: float = 0.0
    """Duration of decoding, seconds, in the thread of the source or of the worker."""
    encoded: Buffer | None = None
    """The compressed image as it arrived; None if only its pixels are known."""

    @classmethod
    def from_image(
        cls, image: BgrImage, *, index: int, stamp_ns: int, frame_id: str, source: str,
        arrival_s: float, wait_s: float = 0.0, decode_s: float = 0.0,
        encoded: Buffer | None = None,
    ) -> Frame:
        """
        Create a frame.

        :param image: (height, width, 3) uint8, BGR.
        :raises FrameError: if the array is not such an image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise FrameError(
                'image', f'{image.dtype}{list(image.shape)}',
                'must be uint8 of shape (height, width, 3), with height and width above 0')
        height, width = image.shape[:2]
        info = FrameInfo(
            index=index, stamp_ns=stamp_ns, frame_id=frame_id, source=source, width=width,
            height=height)
        return cls(
            info=info, image=image, arrival_s=arrival_s, wait_s=wait_s, decode_s=decode_s,
            encoded=encoded)


@dataclass(frozen=True, eq=False, kw_only=True)
class Detections:
    """The detections of one frame, one row each."""

    xyxy: NDArray[np.float32]
    """(n, 4) corners x1, y1, x2, y2 in pixels of the input image, multiples of 0.01 px."""
    score: NDArray[np.float32]
    """(n,) from 0 to 1."""
    class_id: NDArray[np.intp]
    """(n,) class index."""
    class_name: NDArray[np.str_]
    """(n,) class name."""
    track_id: NDArray[np.int64]
    """(n,) number of the track from 1, or NO_TRACK."""

    @classmethod
    def empty(cls) -> Detections:
        """Return detections without rows."""
        return cls(
            xyxy=np.empty((0, 4), dtype=np.float32), score=np.empty(0, dtype=np.float32),
            class_id=np.empty(0, dtype=np.intp), class_name=np.empty(0, dtype=np.str_),
            track_id=np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, rows: NDArray[Any]) -> Detections:
        """
        Select rows.

        :param rows: (n,) mask or (m,) indices.
        """
        return Detections(
            xyxy=self.xyxy[rows], score=self.score[rows], class_id=self.class_id[rows],
            class_name=self.class_name[rows], track_id=self.track_id[rows])

    def with_track_ids(self, track_id: NDArray[np.int64]) -> Detections:
        """
        Return the same detections with other track ids.

        :param track_id: (n,) numbers from 1, or NO_TRACK.
        """
        return replace(self, track_id=track_id)

    def to_supervision(self) -> sv.Detections:
        """Convert to supervision's type, for its annotators; class names are in `data`."""
        # Imported here because it takes 0.4 s, and a program that draws nothing does not need it.
        import supervision as sv
        return sv.Detections(
            xyxy=self.xyxy, confidence=self.score, class_id=self.class_id.astype(int),
            tracker_id=self.track_id.astype(int), data={'class_name': self.class_name})


class DetectedObject(NamedTuple):
    """One detection in Python numbers, rounded as every output publishes it."""

    x: float
    """Center of the box in pixels from the left edge of the input image."""
    y: float
    """Center of the box in pixels from the top edge of the input image."""
    width: float
    height: float
    score: float
    class_id: int
    class_name: str
    track_id: int
    """Number of the track from 1, or NO_TRACK."""


def caption(class_name: str, score: float, track_id: int) -> str:
    """Return the text drawn at a box: track id if there is one, class name and score."""
    track = '' if track_id == NO_TRACK else f'#{track_id} '
    return f'{track}{class_name} {score:.2f}'


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """The detections of one frame. Every output receives the same object."""

    frame: FrameInfo
    seq: int
    """Number of the result from 1, counted per engine; a gap means lost messages."""
    detections: Detections
    """Rows in order of descending score."""
    model: str
    latency_ms: Mapping[str, float]
    """
    Milliseconds by stage: wait, decode, preprocess, inference, postprocess, motion, track, total.
    """
    dropped: Mapping[str, int]
    """Frames dropped so far, by cause."""
    transport_lost: int | None = None
    """Frames lost so far before they reached the source; None if unknown."""

    camera_motion: tuple[float, ...] | None = None
    """
    Motion of the image since the previous result: a point (x, y) of the background is now at
    (a x + b y + tx, c x + d y + ty). The values are a, b, tx, c, d, ty, px. None if unknown.
    """

    candidates: Detections | None = None
    """
    The detections, and the boxes with scores below `detect.confidence` that the dataset needs;
    None if it needs none.
    """

    encoded: Buffer | None = None
    """The compressed image as it arrived; None if only its pixels are known."""

    @cached_property
    def objects(self) -> tuple[DetectedObject, ...]:
        """Return the rows, rounded: centers 0.001 px, sizes 0.01 px, scores 0.0001."""
        rows = self.detections
        corners = rows.xyxy.astype(np.float64)
        # Corners are multiples of 0.01 px, so centers are multiples of 0.005 px.
        center = ((corners[:, :2] + corners[:, 2:]) / 2).round(3)
        size = (corners[:, 2:] - corners[:, :2]).round(2)
        return tuple(map(
            DetectedObject, *center.T.tolist(), *size.T.tolist(),
            rows.score.astype(np.float64).round(4).tolist(),
            rows.class_id.tolist(), rows.class_name.tolist(), rows.track_id.tolist(),
        ))
