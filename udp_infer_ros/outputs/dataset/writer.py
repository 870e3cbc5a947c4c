# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The thread that writes the dataset, so that a slow disk does not delay frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
import logging
import os
from pathlib import Path
import queue
import threading
import time

from udp_infer_ros.dataset_settings import DatasetSettings
from udp_infer_ros.log import Throttle
from udp_infer_ros.outputs.dataset.sample import Sample
from udp_infer_ros.outputs.dataset.store import FullError, Store
from udp_infer_ros.threads import BackgroundThread

QUEUE_SIZE = 8
"""Frames that wait for the disk; more are dropped."""
NICE = 10
"""The thread yields to the others when the processor is busy."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WriterState:
    """The counters of a writer at one moment."""

    images: dict[str, int]
    """Stored images by rule."""
    queued: int
    dropped: int
    """Frames dropped because the queue was full."""
    failed: int
    """Frames that could not be written."""
    not_stored: int
    """Frames not stored because a limit was reached."""
    bytes: int  # noqa: A003
    """Size of the dataset; 0 before the first image."""
    free_bytes: int | None
    full: str
    """The limit that is reached; empty if none is."""
    last_error: str


class Writer:
    """
    A thread with a bounded queue. It starts at the first frame.

    `offer` never blocks. `_lock` guards the counters; the thread alone uses the store.

    :param open_store: opens a directory.
    """

    def __init__(self, open_store: Callable[[Path], Store] = Store) -> None:
        self._open_store = open_store
        self._queue: queue.Queue[tuple[Sample, DatasetSettings] | None] = queue.Queue(QUEUE_SIZE)
        self._thread: threading.Thread | None = None
        self._store: Store | None = None
        self._warnings = Throttle(period_s=60.0)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._images: Counter[str] = Counter()
        self._dropped = self._failed = self._not_stored = self._bytes = 0
        self._free_bytes: int | None = None
        self._full = self._last_error = ''

    @property
    def has_space(self) -> bool:
        """Return whether a frame can be queued; if not, count it as dropped."""
        if not self._queue.full():
            return True
        with self._lock:
            self._dropped += 1
        return False

    @property
    def is_idle(self) -> bool:
        """Return whether no frame waits or is being written."""
        return self._queue.unfinished_tasks == 0

    def offer(self, sample: Sample, settings: DatasetSettings) -> None:
        """Queue a frame. Only one thread may call this, after `has_space`."""
        if self._thread is None:
            self._thread = BackgroundThread(self._run, name='dataset')
            self._thread.start()
        self._queue.put_nowait((sample, settings))

    def state(self) -> WriterState:
        """Return the counters."""
        with self._lock:
            return WriterState(
                images=dict(self._images), queued=self._queue.qsize(), dropped=self._dropped,
                failed=self._failed, not_stored=self._not_stored, bytes=self._bytes,
                free_bytes=self._free_bytes, full=self._full, last_error=self._last_error)

    def close(self, timeout_s: float = 1.0) -> bool:
        """
        Write the frames that are queued, and end the thread.

        :return: False if that takes longer than the timeout; the rest is then not written.
        """
        if self._thread is None:
            return True
        deadline_s = time.monotonic() + timeout_s
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            self._closed.set()
            return False
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        self._closed.set()
        return not self._thread.is_alive()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while (item := self._queue.get()) is not None and not self._closed.is_set():
            self._write(*item)
            self._queue.task_done()
        if self._store is not None:
            self._store.close()

    def _write(self, sample: Sample, settings: DatasetSettings) -> None:
        try:
            store = self._store_of(settings)
            store.add(sample, settings)
        except FullError as error:
            with self._lock:
                self._not_stored += 1
                self._full = str(error)
            self._warnings.warning(log, 'full', 'dataset: image not stored: %s', error)
        except Exception as error:  # Encoders raise errors of any type; the next may succeed.
            with self._lock:
                self._failed += 1
                self._last_error = str(error)
            self._warnings.warning(log, 'error', 'dataset: image not stored: %s', error)
        else:
            with self._lock:
                self._images[sample.rule] += 1
                self._full = ''
                self._bytes, self._free_bytes = store.bytes, store.free_bytes

    def _store_of(self, settings: DatasetSettings) -> Store:
        directory = Path(settings.directory).expanduser()
        if self._store is not None and self._store.directory != directory:
            self._store.close()
            self._store = None
        if self._store is None:
            self._store = self._open_store(directory)
        return self._store
