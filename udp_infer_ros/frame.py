# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The two values that travel: a Frame on its way in, a Result on its way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
import supervision as sv
from udp_infer_ros.errors import FrameError

NO_TRACK = -1
"""The `tracker_id` of a detection that no track has claimed (yet)."""

BgrImage = NDArray[np.uint8]
"""An image of shape (height, width, 3), channels in the order blue, green, red."""


@dataclass(frozen=True)
class FrameInfo:
    """A frame's identity, which outlives its pixels."""

    index: int
    """Frames that the source offered before this one; a gap means that some were dropped."""
    stamp_ns: int
    """When the image was captured, nanoseconds of the node's (or the publisher's) clock."""
    frame_id: str
    """The coordinate frame of the camera, as in `std_msgs/Header`."""
    source: str
    """Where it came from: a topic name, or a device, file or stream without its password."""
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Frame:
    """An image with its identity. Nobody writes to the pixels after this point."""

    info: FrameInfo
    image: BgrImage
    born_s: float
    """`time.monotonic()` when the frame reached this process."""

    @classmethod
    def of(
        cls, image: BgrImage, *, index: int, stamp_ns: int, frame_id: str, source: str,
        born_s: float,
    ) -> Frame:
        """
        Give an image its identity.

        :param image: pixels, shape (height, width, 3), uint8, BGR.
        :raises FrameError: if the array is not such an image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise FrameError(
                'image', f'{image.dtype}{list(image.shape)}',
                'must be uint8 of shape (height, width, 3), neither of them 0')
        height, width = image.shape[:2]
        return cls(FrameInfo(index, stamp_ns, frame_id, source, width, height), image, born_s)


class DetectedObject(NamedTuple):
    """One row of a Result in plain Python numbers, the same for every output."""

    x: float
    """Centre of the box, pixels of the input image, to the right."""
    y: float
    """Centre of the box, pixels of the input image, downwards."""
    width: float
    height: float
    score: float
    class_id: int
    class_name: str
    track_id: int
    """`NO_TRACK`, or a number from 1 that stays with the object."""


@dataclass(frozen=True, eq=False)
class Result:
    """What was seen in one frame. Every output is given the same one."""

    frame: FrameInfo
    seq: int
    """Results of this run before this one, plus 1: contiguous, so a gap is a lost message."""
    detections: sv.Detections
    """
    Rows in input-image pixels, highest score first.

    Always filled: `xyxy` float32 (n, 4), `confidence` float32 (n,), `class_id` int (n,),
    `tracker_id` int (n,) with NO_TRACK, `data['class_name']` str (n,).
    """
    model: str
    latency_ms: Mapping[str, float]
    """Milliseconds by stage: wait, preprocess, inference, postprocess, track, total."""
    dropped: Mapping[str, int]
    """Frames dropped so far, by cause."""

    @cached_property
    def objects(self) -> tuple[DetectedObject, ...]:
        """
        Give the detections as plain numbers, corners rounded to 0.01 px, scores to 0.0001.

        Rounding happens here, once, so that the topic and the datagram say the same.
        """
        found = self.detections
        assert found.confidence is not None and found.class_id is not None
        assert found.tracker_id is not None
        corners = np.round(found.xyxy.astype(np.float64), 2)
        size = np.round(corners[:, 2:] - corners[:, :2], 2)
        centre = np.round((corners[:, :2] + corners[:, 2:]) / 2, 3)
        return tuple(map(
            DetectedObject,
            centre[:, 0].tolist(), centre[:, 1].tolist(),
            size[:, 0].tolist(), size[:, 1].tolist(),
            np.round(found.confidence.astype(np.float64), 4).tolist(),
            found.class_id.tolist(),
            np.asarray(found.data['class_name']).tolist(),
            found.tracker_id.tolist(),
        ))
