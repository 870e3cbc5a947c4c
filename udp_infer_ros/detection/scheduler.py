# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The order in which the cameras that share a network use it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import logging
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.backend import Backend
from udp_infer_ros.detection.types import Outputs
from udp_infer_ros.errors import ModelError, SharedCallError

log = logging.getLogger(__name__)

Feeds = Mapping[str, NDArray[Any]]
TOLERANCE = 1e-3
"""Largest difference between a batch and single calls, relative to the largest output."""
MAX_DIFFERENCE = 0.3
"""But less than that of two numbers of images in a batch, which some exports have in a column."""


class Scheduler:
    """
    Runs a network for several threads: the longest waiting first, and several at once.

    A thread that calls `infer` waits in a queue while all calls that may run at once are running.
    The first in the queue then makes the next call. Where the network can run a batch, that call
    has the frames of all threads that wait at this moment; no frame waits for a batch to fill.
    A thread has one frame in the queue at most, so a fast camera cannot delay a slow one by more
    than one call.

    Safe to use from several threads: `_changed` guards the queue, the counters and the requests.

    :param backend: the network.
    :param calls: how many calls may run at once.
    :param max_batch: largest number of frames in a call; 1 for no batches.
    """

    def __init__(self, backend: Backend, *, calls: int, max_batch: int) -> None:
        self._backend = backend
        self._calls = calls
        self._max_batch = max_batch if _has_free_batch(backend) else 1
        self._changed = threading.Condition()
        self._waiting: deque[_Request] = deque()
        self._running = 0
        self._checked = False
        self._counts = Counts(calls=0, frames=0, largest=0)

    @property
    def counts(self) -> Counts:
        """Return how often the network ran, and for how many frames."""
        with self._changed:
            return self._counts

    @property
    def waiting(self) -> int:
        """Return the number of frames in the queue."""
        with self._changed:
            return len(self._waiting)

    @property
    def running(self) -> int:
        """Return the number of calls that run at this moment."""
        with self._changed:
            return self._running

    def infer(self, feeds: Feeds) -> Outputs:
        """
        Run the network on the inputs of one frame.

        :param feeds: an array for each input; not modified, and not used after the return.
        :raises ModelError: if the network does not run on these inputs.
        :raises SharedCallError: if the call with this frame failed in the thread of another.
        """
        request = _Request(feeds)
        with self._changed:
            self._waiting.append(request)
            self._changed.wait_for(lambda: request.finished or self._is_next(request))
            if request.finished:
                return request.result()
            batch = self._take()
        self._run(batch)
        return request.result()

    def _is_next(self, request: _Request) -> bool:
        return (
            self._running < self._calls and bool(self._waiting)
            and self._waiting[0] is request)

    def _take(self) -> list[_Request]:
        """Remove the frames of the next call from the queue."""
        size = min(self._max_batch, len(self._waiting))
        batch = [self._waiting.popleft()]
        while len(batch) < size and batch[0].matches(self._waiting[0]):
            batch.append(self._waiting.popleft())
        self._running += 1
        # The next in the queue may make a call of its own beside this one.
        self._changed.notify_all()
        return batch

    def _run(self, batch: Sequence[_Request]) -> None:
        """Run the network, and give each request its outputs or the error."""
        try:
            outputs = self._outputs_of(batch)
        except BaseException as error:
            self._finish(batch, error=error)
            raise
        self._finish(batch, outputs=outputs)

    def _finish(
        self, batch: Sequence[_Request], *, outputs: Sequence[Outputs] = (),
        error: BaseException | None = None,
    ) -> None:
        with self._changed:
            self._running -= 1
            self._counts = self._counts.plus(len(batch))
            for position, request in enumerate(batch):
                request.finished = True
                request.error = error
                request.outputs = outputs[position] if outputs else None
            self._changed.notify_all()

    def _outputs_of(self, batch: Sequence[_Request]) -> Sequence[Outputs]:
        if len(batch) == 1:
            return [self._infer_alone(batch[0])]
        with self._changed:
            checked = self._checked
        if not checked:
            return self._check(batch)
        outputs = self._infer_batch(batch)
        if outputs is None:
            self._stop_batches('an output has not one row for each image')
            return [self._infer_alone(request) for request in batch]
        return outputs

    def _infer_alone(self, request: _Request) -> Outputs:
        return self._backend.infer(request.feeds)

    def _infer_batch(self, batch: Sequence[_Request]) -> list[Outputs] | None:
        """Return the outputs of each image; None if they cannot be separated."""
        outputs = self._backend.infer({
            name: np.concatenate([request.feeds[name] for request in batch])
            for name in batch[0].feeds})
        if any(array.shape[:1] != (len(batch),) for array in outputs.values()):
            return None
        return [
            {name: array[position:position + 1] for name, array in outputs.items()}
            for position in range(len(batch))]

    def _check(self, batch: Sequence[_Request]) -> Sequence[Outputs]:
        """
        Compare the first batch with single calls; without agreement, no batch follows.

        An export may have a free first axis and still mix the images, e.g. in an NMS in the graph.

        :return: the outputs of the single calls.
        """
        alone = [self._infer_alone(request) for request in batch]
        try:
            together = self._infer_batch(batch)
        except ModelError as error:
            self._stop_batches(error.rule)
        else:
            if together is None or not all(map(_agree, alone, together)):
                self._stop_batches('the outputs of a batch are not those of its images')
        with self._changed:
            self._checked = True
        return alone

    def _stop_batches(self, reason: str) -> None:
        log.warning(
            'model %s: each call has one frame: %s', self._backend.info.name, reason)
        with self._changed:
            self._max_batch = 1


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How often a network ran."""

    calls: int
    frames: int
    largest: int
    """Number of frames in the largest call."""

    def plus(self, frames: int) -> Counts:
        """Return the counts after one more call."""
        return Counts(
            calls=self.calls + 1, frames=self.frames + frames,
            largest=max(self.largest, frames))


class _Request:
    """One frame in the queue, and then its outputs or the error."""

    def __init__(self, feeds: Feeds) -> None:
        self.feeds = feeds
        self.finished = False
        self.outputs: Outputs | None = None
        self.error: BaseException | None = None

    def matches(self, other: _Request) -> bool:
        """Return whether both can be in one batch."""
        return all(
            array.shape[1:] == other.feeds[name].shape[1:]
            for name, array in self.feeds.items())

    def result(self) -> Outputs:
        """Return the outputs, or raise the error of the call."""
        if self.error is not None:
            raise SharedCallError(self.error) from self.error
        assert self.outputs is not None
        return self.outputs


def _has_free_batch(backend: Backend) -> bool:
    """Return whether the first axis of each input is set at run time."""
    return all(tensor.shape and tensor.shape[0] is None for tensor in backend.inputs)


def _agree(alone: Outputs, batched: Outputs) -> bool:
    """Return whether an image has the same outputs alone and in a batch."""
    return all(
        array.shape == batched[name].shape and np.isfinite(array).all() and np.allclose(
            array, batched[name], rtol=0.0,
            atol=min(MAX_DIFFERENCE, TOLERANCE * np.abs(array).max(initial=0.0)))
        for name, array in alone.items())
