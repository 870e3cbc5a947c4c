# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The worker survives what a frame, a model or an output does to it."""

import threading

from helpers import make_frame, make_result
import pytest
from udp_infer_ros.errors import DecodeError, FrameError
from udp_infer_ros.runner import Runner
from udp_infer_ros.sources.slot import FrameSlot
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(20)


class Pipeline:
    """Gives results; fails on the frames with these numbers."""

    def __init__(self, fails_on=()):
        self.fails_on = fails_on
        self.seen = []

    def process(self, frame):
        self.seen.append(frame.info.index)
        if frame.info.index in self.fails_on:
            raise RuntimeError('the model failed')
        return make_result(seq=frame.info.index + 1)


class Output:
    """Remembers what it was told, or fails."""

    def __init__(self, name='output', fails=False):
        self.name = name
        self.fails = fails
        self.told = []

    def tell(self, result, image):
        self.told.append(result)
        if self.fails:
            raise OSError('gone')


def run(frames, pipeline, outputs):
    """Have a worker process some pending frames; give the stats."""
    stats = Stats()
    slot = FrameSlot(stats, wait=True)
    runner = Runner(slot, pipeline, outputs, stats)
    runner.start()
    for frame in frames:
        slot.put(frame)
    assert runner.stop(timeout_s=5.0)
    assert runner.ended
    return stats


def pending(index):
    """Make a frame that waits."""
    return lambda: make_frame(index)


def fails_with(error):
    """Make a frame that turns out to be malformed."""
    def raise_it():
        raise error
    return raise_it


def test_frames_are_processed_in_order_and_every_output_is_told_the_same_result():
    pipeline, one, two = Pipeline(), Output(), Output()
    run([pending(i) for i in range(5)], pipeline, (one, two))
    assert pipeline.seen == [0, 1, 2, 3, 4]
    assert len(one.told) == 5
    assert all(a is b for a, b in zip(one.told, two.told))


def test_an_output_that_fails_does_not_silence_the_others(caplog):
    first, second, third = Output('bad', fails=True), Output('good'), Output('sad', fails=True)
    stats = run([pending(0), pending(1)], Pipeline(), (first, second, third))
    assert len(second.told) == 2
    assert stats.snapshot().errors == {'bad': 2, 'sad': 2}
    assert caplog.messages == ['output bad failed: gone', 'output sad failed: gone']


def test_a_frame_on_which_the_model_fails_is_counted_and_the_next_is_processed(caplog):
    output = Output()
    stats = run([pending(i) for i in range(3)], Pipeline(fails_on=(1,)), (output,))
    assert [result.seq for result in output.told] == [1, 3]
    assert stats.dropped()['inference_error'] == 1
    assert caplog.messages == ['frame skipped, inference failed: the model failed']


def test_a_malformed_frame_is_counted_by_cause_and_the_next_is_processed(caplog):
    output = Output()
    stats = run([
        fails_with(FrameError('image.step', 3, 'must be at least 9')),
        fails_with(DecodeError('image.data', '5 bytes', 'cannot be decoded')), pending(2),
    ], Pipeline(), (output,))
    assert len(output.told) == 1
    assert stats.dropped()['bad_message'] == stats.dropped()['decode_error'] == 1
    assert caplog.messages == [
        'frame skipped: image.step = 3: must be at least 9',
        "frame skipped: image.data = '5 bytes': cannot be decoded"]


def test_an_action_is_done_between_two_frames_by_the_worker():
    done_by = []
    stats = Stats()
    slot = FrameSlot(stats, wait=True)
    pipeline = Pipeline()
    runner = Runner(slot, pipeline, (), stats)
    runner.between_frames(
        lambda: done_by.append((threading.current_thread().name, list(pipeline.seen))))
    runner.start()
    slot.put(pending(0))
    runner.stop()
    assert done_by == [('udp_infer worker', [])]


def test_an_action_is_done_though_no_frame_comes_and_after_the_last_one():
    done = threading.Event()
    slot = FrameSlot(Stats(), wait=True)
    runner = Runner(slot, Pipeline(), (), Stats())
    runner.start()
    runner.between_frames(done.set)
    assert done.wait(5.0)
    assert runner.stop()
    done.clear()
    runner.between_frames(done.set)
    assert done.is_set()


def test_an_action_that_fails_does_not_end_the_worker(caplog):
    slot = FrameSlot(Stats(), wait=True)
    pipeline = Pipeline()
    runner = Runner(slot, pipeline, (), Stats())
    runner.between_frames(lambda: 1 / 0)
    runner.start()
    slot.put(pending(0))
    assert runner.stop() and pipeline.seen == [0]
    assert caplog.messages == ['a change between two frames failed']


def test_stop_says_so_when_the_model_does_not_return():
    release = threading.Event()

    class Stuck(Pipeline):

        def process(self, frame):
            release.wait(10)
            return super().process(frame)
    slot = FrameSlot(Stats(), wait=True)
    runner = Runner(slot, Stuck(), (), Stats())
    runner.start()
    slot.put(pending(0))
    assert not runner.stop(timeout_s=0.1)
    release.set()
    assert runner.stop(timeout_s=5.0)
