# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Cameras that share a network use it in the order in which they ask for it."""

from concurrent.futures import ThreadPoolExecutor
import queue
import threading

from helpers import wait_until
import numpy as np
import pytest
from udp_infer_ros.detection.backend import BackendInfo
from udp_infer_ros.detection.scheduler import Scheduler
from udp_infer_ros.detection.types import TensorInfo
from udp_infer_ros.errors import ModelError, SharedCallError

TIMEOUT_S = 20.0


class HeldBackend:
    """Doubles its input; each call waits until the test lets it continue."""

    outputs = ('doubled',)
    metadata = {}
    info = BackendInfo(
        name='held', location='', provider='', provider_reason='', threads=1)

    def __init__(self, *, batch=None, compute=lambda values: values * 2):
        self.inputs = (TensorInfo(name='x', shape=(batch, 1), dtype='tensor(float)'),)
        self.begun = queue.Queue()
        self.gate = threading.Semaphore(0)
        self._compute = compute

    def infer(self, feeds):
        """Report the values of the call, wait, and return the outputs."""
        self.begun.put(feeds['x'][:, 0].tolist())
        assert self.gate.acquire(timeout=TIMEOUT_S)
        return {'doubled': self._compute(feeds['x'])}

    def next_call(self):
        """Return the values of the call that began next."""
        return self.begun.get(timeout=TIMEOUT_S)

    def open(self):  # noqa: A003
        """Let all calls continue."""
        self.gate.release(1000)

    def values(self):
        """Return no figures."""
        return {}

    def close(self):
        """Do nothing."""


class Cameras:
    """Threads that call `infer`, in a known order."""

    def __init__(self, scheduler):
        self._scheduler = scheduler
        self._threads = ThreadPoolExecutor(32)

    def ask(self, value, shape=(1, 1)):
        """Call `infer` in a thread, after the previous calls have reached the queue."""
        waiting = self._scheduler.waiting
        running = self._scheduler.running
        feeds = {'x': np.full(shape, value, dtype=np.float32)}
        future = self._threads.submit(self._scheduler.infer, feeds)
        wait_until(lambda: (self._scheduler.waiting, self._scheduler.running)
                   != (waiting, running))
        return future


def doubled(future):
    """Return the only output value of a call."""
    return float(future.result(timeout=TIMEOUT_S)['doubled'][0, 0])


def checked(backend, *, calls=1, max_batch=8):
    """Return a scheduler whose backend has passed the comparison of a batch with single calls."""
    scheduler = Scheduler(backend, calls=calls, max_batch=max_batch)
    cameras = Cameras(scheduler)
    futures = [cameras.ask(-1)]
    backend.next_call()
    futures += [cameras.ask(-2), cameras.ask(-3)]
    backend.gate.release(4)
    assert [doubled(future) for future in futures] == [-2, -4, -6]
    assert [backend.next_call() for _ in range(3)] == [[-2], [-3], [-2, -3]]
    return scheduler, cameras


def test_the_longest_waiting_camera_is_served_first():
    backend = HeldBackend(batch=1)
    cameras = Cameras(Scheduler(backend, calls=1, max_batch=1))
    futures = [cameras.ask(value) for value in range(6)]
    backend.open()
    assert [doubled(future) for future in futures] == [0, 2, 4, 6, 8, 10]
    assert [backend.next_call() for _ in futures] == [[value] for value in range(6)]


def test_a_fast_camera_delays_a_slow_one_by_one_call():
    backend = HeldBackend(batch=1)
    scheduler = Scheduler(backend, calls=1, max_batch=1)
    stop = threading.Event()

    def run_fast():
        while not stop.is_set():
            scheduler.infer({'x': np.ones((1, 1), np.float32)})
    fast = threading.Thread(target=run_fast)
    fast.start()
    assert backend.next_call() == [1]
    slow = Cameras(scheduler).ask(2)
    backend.gate.release()
    assert backend.next_call() == [2]
    backend.gate.release()
    assert doubled(slow) == 4
    stop.set()
    backend.open()
    fast.join(TIMEOUT_S)
    assert not fast.is_alive()


def test_as_many_calls_run_at_once_as_the_cores_permit():
    backend = HeldBackend(batch=1)
    scheduler = Scheduler(backend, calls=2, max_batch=1)
    cameras = Cameras(scheduler)
    futures = [cameras.ask(value) for value in range(3)]
    assert {backend.next_call()[0], backend.next_call()[0]} == {0, 1}
    assert (scheduler.running, scheduler.waiting) == (2, 1)
    backend.open()
    assert [doubled(future) for future in futures] == [0, 2, 4]


def test_frames_that_wait_at_the_same_moment_are_one_batch():
    backend = HeldBackend()
    scheduler, cameras = checked(backend)
    futures = [cameras.ask(1)]
    assert backend.next_call() == [1]
    futures += [cameras.ask(value) for value in (2, 3, 4)]
    backend.open()
    assert [doubled(future) for future in futures] == [2, 4, 6, 8]
    assert backend.next_call() == [2, 3, 4]
    assert scheduler.counts.largest == 3


def test_a_single_frame_does_not_wait_for_a_batch_to_fill():
    backend = HeldBackend()
    _, cameras = checked(backend)
    future = cameras.ask(1)
    assert backend.next_call() == [1]
    backend.open()
    assert doubled(future) == 2


def test_a_batch_has_at_most_max_batch_frames():
    backend = HeldBackend()
    _, cameras = checked(backend, max_batch=2)
    futures = [cameras.ask(1)]
    backend.next_call()
    futures += [cameras.ask(value) for value in (2, 3, 4)]
    backend.open()
    assert [doubled(future) for future in futures] == [2, 4, 6, 8]
    assert [backend.next_call() for _ in range(2)] == [[2, 3], [4]]


def test_frames_of_different_sizes_are_not_combined():
    backend = HeldBackend()
    _, cameras = checked(backend)
    futures = [cameras.ask(1)]
    backend.next_call()
    futures += [cameras.ask(2), cameras.ask(3, shape=(1, 2)), cameras.ask(4)]
    backend.open()
    assert [doubled(future) for future in futures] == [2, 4, 6, 8]
    assert [backend.next_call() for _ in range(3)] == [[2], [3], [4]]


@pytest.mark.parametrize('compute', [
    lambda values: values + len(values),  # depends on the other images
    lambda values: values.reshape(1, -1),  # has no row for each image
    lambda values: np.float32(values.sum()),
    lambda values: values * np.nan,
    lambda values: np.column_stack((np.arange(len(values)), values * 0 + 2000)),
], ids=['mixed', 'flat', 'scalar', 'not a number', 'number of the image'])
def test_a_network_that_mixes_images_gets_single_frames(compute, caplog):
    backend = HeldBackend(compute=compute)
    backend.open()
    alone = [backend.infer({'x': np.float32([[value]])})['doubled'] for value in range(4)]
    backend = HeldBackend(compute=compute)
    cameras = Cameras(Scheduler(backend, calls=1, max_batch=8))
    for _ in range(2):
        futures = [cameras.ask(0)]
        backend.next_call()
        futures += [cameras.ask(value) for value in (1, 2, 3)]
        backend.gate.release(5)
        outputs = [future.result(TIMEOUT_S)['doubled'] for future in futures]
        np.testing.assert_equal(outputs, alone)
        while not backend.begun.empty():
            last = backend.next_call()
        backend.gate = threading.Semaphore(0)
    assert last == [3]
    warnings = [record for record in caplog.records if record.levelname == 'WARNING']
    assert len(warnings) == 1 and 'each call has one frame' in warnings[0].getMessage()


def test_a_network_with_a_fixed_first_axis_gets_single_frames():
    backend = HeldBackend(batch=1)
    cameras = Cameras(Scheduler(backend, calls=1, max_batch=8))
    futures = [cameras.ask(value) for value in range(3)]
    backend.open()
    assert [doubled(future) for future in futures] == [0, 2, 4]
    assert [backend.next_call() for _ in range(3)] == [[0], [1], [2]]


def test_the_error_of_a_batch_reaches_each_of_its_frames_and_no_other():
    failing = threading.Event()

    def compute(values):
        if failing.is_set():
            raise ModelError('model.id', 'm', 'does not run')
        return values * 2
    backend = HeldBackend(compute=compute)
    scheduler, cameras = checked(backend)
    first = cameras.ask(1)
    backend.next_call()
    others = [cameras.ask(value) for value in (2, 3)]
    backend.gate.release()
    assert doubled(first) == 2
    assert backend.next_call() == [2, 3]
    later = cameras.ask(4)
    failing.set()
    backend.gate.release()
    errors = [type(future.exception(TIMEOUT_S)) for future in others]
    assert sorted(errors, key=str) == sorted([ModelError, SharedCallError], key=str)
    assert backend.next_call() == [4]
    failing.clear()
    backend.open()
    assert doubled(later) == 8
    assert (scheduler.waiting, scheduler.running) == (0, 0)


def test_a_call_that_hangs_does_not_hold_up_the_call_beside_it():
    backend = HeldBackend(batch=1)
    scheduler = Scheduler(backend, calls=2, max_batch=1)
    hanging = Cameras(scheduler).ask(0)
    assert backend.next_call() == [0]
    backend.gate, held = threading.Semaphore(1000), backend.gate
    for value in (1, 2, 3):
        outputs = scheduler.infer({'x': np.full((1, 1), value, np.float32)})
        assert outputs['doubled'] == 2 * value
    assert not hanging.done()
    held.release()
    assert doubled(hanging) == 0
