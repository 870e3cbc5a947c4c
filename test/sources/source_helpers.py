# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A camera and a file that can be made to fail, and a source whose frames a test collects."""

import threading
import time

from helpers import wait_until
import numpy as np
from udp_infer_ros.errors import DecodeError, FrameError, SourceError
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.sources.reconnect import BackOff
from udp_infer_ros.stats import Stats

PERIOD_S = 0.02
SHORT_BACK_OFF = BackOff(first_s=0.05, longest_s=0.2)


class FakeCamera:
    """A camera, and its own reader. The brightness of a frame is its number modulo 256."""

    description = 'a camera'
    interval_s = PERIOD_S
    position_s = 0.0
    finite = False

    def __init__(self):
        self.present = True
        self.decodable = True
        self.backlog = 0
        self.frozen = threading.Event()
        self.frozen_in_decode = threading.Event()
        self.thawed = threading.Event()
        self.count = 0
        self.hanging = 0
        self.attempts = 0
        self.opened = 0
        self.open_readers = 0
        self.decoded = 0

    def open(self, uri, settings):  # noqa: A003
        """Stand in for open_reader."""
        self.attempts += 1
        if not self.present:
            raise SourceError('source.uri', uri.redacted, 'the stream does not open')
        self.open_readers += 1
        self.opened += 1
        return self

    def grab(self):
        """Wait for the next frame; hang while the camera is frozen."""
        self._hang_while(self.frozen)
        if self.backlog:
            self.backlog -= 1
        else:
            time.sleep(PERIOD_S)
        self.count += 1
        return self.present

    def decode(self):
        """Return a small image; hang while decoding is frozen."""
        self._hang_while(self.frozen_in_decode)
        self.decoded += 1
        if not self.decodable:
            raise DecodeError('frame', self.count, 'cannot be decoded')
        return np.full((4, 4, 3), self.count % 256, dtype=np.uint8)

    def close(self):
        """Count the readers that are open."""
        self.open_readers -= 1

    def freeze(self):
        """Make the next `grab` hang until `thaw`."""
        self.thawed.clear()
        self.frozen.set()

    def thaw(self):
        """Let everything that hangs return."""
        self.frozen.clear()
        self.frozen_in_decode.clear()
        self.thawed.set()

    def _hang_while(self, frozen):
        if frozen.is_set():
            self.hanging += 1
            assert self.thawed.wait(30.0)
            self.hanging -= 1


class FakeFile:
    """
    A file of small images, and its own reader.

    :param frames: how many images it has.
    :param fails_at: the frame at which the decoder fails, or -1.
    """

    description = 'a file'
    finite = True

    def __init__(self, frames, *, interval_s=0.1, fails_at=-1):
        self.interval_s = interval_s
        self.decoded = []
        self.closed = False
        self._frames = frames
        self._fails_at = fails_at
        self._index = -1

    @property
    def position_s(self):
        """Return the position of the current frame."""
        return self._index * self.interval_s

    def grab(self):
        """Move to the next frame."""
        self._index += 1
        return self._index < self._frames

    def decode(self):
        """Return an image, or fail as a library does."""
        if self._index == self._fails_at:
            raise ValueError('codec')
        self.decoded.append(self._index)
        return np.zeros((4, 4, 3), dtype=np.uint8)

    def close(self):
        """Keep that it was closed."""
        self.closed = True


class RunningSource:
    """
    A source that was opened and started, with the frames that it delivered.

    :param work: take the frames as they arrive; otherwise the test takes them.
    """

    def __init__(self, source, settings, *, now_ns=time.time_ns, work=True):
        self.source = source
        self.stats = Stats()
        self.intake = Intake(
            settings, self.stats, now_ns=now_ns, wait=source.every_frame, limit_age=source.live)
        self.frames = []
        self.worker = threading.Thread(target=self.collect, daemon=True)
        source.open()
        source.start(self.intake)
        if work:
            self.worker.start()

    def collect(self, limit=1_000_000):
        """Take and decode frames until the intake is drained, or there are enough."""
        while len(self.frames) < limit and not self.intake.drained:
            pending = self.intake.take()
            if pending is None:
                continue
            try:
                self.frames.append(self.intake.to_frame(pending))
            except FrameError as error:
                self.intake.drop(error)

    @property
    def numbers(self):
        """Return the brightness of the upper left pixel of each frame."""
        return [int(frame.image[0, 0, 0]) for frame in list(self.frames)]

    def wait_for_frames(self, count=5, timeout_s=15.0):
        """Wait until so many more frames have arrived."""
        expected = len(self.frames) + count
        wait_until(lambda: len(self.frames) >= expected, timeout_s)

    def stop(self, timeout_s=10.0):
        """Stop the source; return whether its threads ended."""
        ended = self.source.stop(timeout_s)
        if self.worker.ident is not None:
            self.worker.join(5.0)
        return ended


def reader_threads():
    """Return the number of threads that read from a camera, those that hang included."""
    return sum(thread.name == 'udp_infer reader' for thread in threading.enumerate())
