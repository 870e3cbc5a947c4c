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

"""The thread that fills the slot from a device, a file or a stream."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
import logging
import threading
import time

from udp_infer_ros.errors import SourceError
from udp_infer_ros.frame import Frame
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.sources.video import Captured, play_file, VideoReader, watch_camera
from udp_infer_ros.stats import Drop, Stats

log = logging.getLogger(__name__)


def waits(settings: SourceSettings) -> bool:
    """Tell whether the source waits for the worker (every frame) or not (the newest)."""
    if settings.policy == 'auto':
        a_file = bool(settings.uri) and SourceUri.parse(settings.uri).kind == 'file'
        return a_file and not settings.realtime
    return settings.policy == 'every'


class CaptureSource:
    """
    Reads `source.uri` in a thread of its own.

    :param settings: `source.*`, with a uri.
    :param slot: where the frames go. It is closed at the end of a file.
    :param stats: numbers the frames.
    :param now_ns: the clock of the stamps.
    :raises SourceError: if the source does not open or has no frame.
    """

    def __init__(
        self, settings: SourceSettings, slot: FrameSlot, stats: Stats, now_ns: Callable[[], int],
    ) -> None:
        uri = SourceUri.parse(settings.uri)
        reader = VideoReader(uri)
        self.description = reader.description
        self._name = uri.shown
        self._frame_id = settings.frame_id
        self._slot = slot
        self._stats = stats
        self._stop = threading.Event()
        if uri.kind == 'file':
            self._play = partial(
                play_file, reader, loop=settings.loop,
                realtime=settings.realtime or settings.policy == 'latest')
        else:
            self._play = partial(watch_camera, reader)
        self._now_ns = now_ns
        self._thread = threading.Thread(target=self._run, name='udp_infer capture', daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """
        End reading and close the slot.

        :return: whether the thread ended within the time given; a driver may hang.
        """
        self._stop.set()
        self._slot.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with closing(self._play(now_ns=self._now_ns, stop=self._stop)) as captures:
                for captured in captures:
                    if not self._hand_over(captured):
                        break
        except SourceError as error:
            log.error('%s', error)
        except Exception:
            log.exception('reading %s failed', self._name)
        finally:
            self._slot.close()

    def _hand_over(self, captured: Captured) -> bool:
        index = self._stats.offer()
        if captured.image is None:
            self._stats.drop(Drop.DECODE_ERROR)
            return True
        frame = Frame.of(
            captured.image, index=index, stamp_ns=captured.stamp_ns, frame_id=self._frame_id,
            source=self._name, born_s=time.monotonic())
        return self._slot.put(lambda: frame)
