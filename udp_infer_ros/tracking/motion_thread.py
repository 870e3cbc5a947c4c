# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Estimation of camera motion in a thread, while the network runs."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait

import cv2
import numpy as np
from udp_infer_ros.frame import BgrImage, Detections
from udp_infer_ros.tracking.camera_motion import CameraMotion, Estimate


class MotionThread:
    """
    A thread that estimates the motion of the camera. One thread calls the methods.

    For each frame: `start`, `result`, and `accept` with its detections. A frame whose network
    fails has only `start`; the next estimate then starts from the frame before.
    """

    def __init__(self) -> None:
        self._camera = CameraMotion()
        self._pending: Future[Estimate] | None = None
        # It starts the thread at the first estimate.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix='udp_infer motion')

    def start(self, image: BgrImage, image_size: tuple[int, int]) -> None:
        """
        Begin an estimate.

        :param image: the frame at any size; it may be overwritten after the call.
        :param image_size: (width, height) of the input image, px, to which the result refers.
        """
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        if self._pending is not None:
            wait((self._pending,))
        self._pending = self._executor.submit(self._camera.estimate, gray, image_size)

    def result(self) -> Estimate | None:
        """Wait for the estimate and return it; None if none was started."""
        pending, self._pending = self._pending, None
        return None if pending is None else pending.result()

    def accept(self, detections: Detections) -> None:
        """Make the latest frame the one that the next estimate starts from."""
        self._camera.accept(detections)

    def reset(self) -> None:
        """Forget the previous frame."""
        self.result()
        self._camera.reset()

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown()
