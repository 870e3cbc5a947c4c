# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The worker keeps the order, and continues after the error of a frame, a model or an output."""

import threading
import time

from helpers import make_frame, make_result, PipelineStandIn
import pytest
from udp_infer_ros.errors import DecodeError, FrameError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import Intake, RawFrame
from udp_infer_ros.stats import Stats
from udp_infer_ros.worker import Worker

pytestmark = pytest.mark.timeout(20)
IMAGE = make_frame().image


class FakePipeline(PipelineStandIn):
    """Raises on the frames with these numbers."""

    def __init__(self, fails_on=()):
        super().__init__()
        self.fails_on = fails_on
        self.processed = []

    def infer(self, frame):
        if frame.info.index in self.fails_on:
            raise RuntimeError('the model failed')

    def to_result(self, frame):
        self.processed.append(frame.info.index)
        return make_result(seq=frame.info.index + 1)


class HangingPipeline(FakePipeline):
    """Does not return from a frame until `release` is set."""

    def __init__(self):
        super().__init__()
        self.entered, self.release = threading.Event(), threading.Event()

    def infer(self, frame):
        self.entered.set()
        self.release.wait(10)


class MeetingPipeline(FakePipeline):
    """Infers when a number of frames are in the network at once; the later ones end first."""

    def __init__(self, count, fails_on=()):
        super().__init__(fails_on)
        self._count = count
        self._barrier = threading.Barrier(count, timeout=10)
        self._ended = [threading.Event() for _ in range(100)]

    def infer(self, frame):
        index = frame.info.index
        self._barrier.wait()
        if (index + 1) % self._count:
            self._ended[index + 1].wait(10)
        self._ended[index].set()
        super().infer(frame)


class FakeOutput:
    """Keeps what is written, and may raise."""

    def __init__(self, name='output', fails=False):
        self.name = name
        self.fails = fails
        self.results = []

    def write(self, result, image):
        self.results.append(result)
        if self.fails:
            raise OSError('disk full')


def make_worker(pipeline, *outputs, **options):
    """Make a worker with an intake that waits for it."""
    stats = Stats()
    intake = Intake(SourceSettings(), stats, now_ns=time.time_ns, wait=True)
    return Worker(intake, pipeline, outputs, stats, **options), intake, stats


def offer(intake, error=None):
    """Offer a frame, or one that cannot be decoded."""
    def decode():
        if error is not None:
            raise error
        return IMAGE
    intake.offer(RawFrame(
        decode=decode, stamp_ns=1, frame_id='camera', source='test', arrival_s=time.monotonic()))


def process(frames, pipeline, *outputs, **options):
    """Have a worker process frames, each given by its error or None; return the stats."""
    worker, intake, stats = make_worker(pipeline, *outputs, **options)
    worker.start()
    for error in frames:
        offer(intake, error)
    assert worker.stop(timeout_s=5.0)
    assert worker.ended
    return stats


def test_frames_are_processed_in_order_and_every_output_gets_the_same_result():
    pipeline, one, two = FakePipeline(), FakeOutput(), FakeOutput()
    process([None] * 5, pipeline, one, two)
    assert pipeline.processed == [0, 1, 2, 3, 4]
    assert len(one.results) == 5
    assert all(a is b for a, b in zip(one.results, two.results))


def test_an_output_that_fails_does_not_stop_the_others(caplog):
    first, second = FakeOutput('first', fails=True), FakeOutput('second')
    third = FakeOutput('third', fails=True)
    stats = process([None] * 2, FakePipeline(), first, second, third)
    assert len(second.results) == 2
    assert stats.snapshot().output_errors == {'first': 2, 'third': 2}
    assert caplog.messages == ['output first failed: disk full', 'output third failed: disk full']


def test_a_frame_on_which_the_model_fails_is_counted_and_the_next_is_processed(caplog):
    output = FakeOutput()
    stats = process([None] * 3, FakePipeline(fails_on=(1,)), output)
    assert [result.seq for result in output.results] == [1, 3]
    assert stats.dropped()['inference_error'] == 1
    assert stats.snapshot().last_error == 'inference failed: the model failed'
    assert caplog.messages == ['frame dropped, inference failed: the model failed']


def test_a_malformed_frame_is_counted_by_cause_and_the_next_is_processed(caplog):
    output = FakeOutput()
    stats = process([
        FrameError('image.step', 3, 'must be at least 9'),
        DecodeError('image.data', '5 bytes', 'cannot be decoded'), None], FakePipeline(), output)
    assert len(output.results) == 1
    assert stats.dropped()['bad_message'] == stats.dropped()['decode_error'] == 1
    assert caplog.messages == [
        'frame dropped: image.step = 3: must be at least 9',
        "frame dropped: image.data = '5 bytes': cannot be decoded"]


def test_any_error_of_a_decoder_costs_only_its_frame():
    output = FakeOutput()
    stats = process([ValueError('buffer size'), None], FakePipeline(), output)
    assert len(output.results) == 1
    assert stats.dropped()['bad_message'] == 1
    assert stats.snapshot().last_error == (
        "frame dropped: image = 'ValueError': not readable: buffer size")


def test_an_action_runs_in_the_worker_before_the_next_frame():
    done = []
    pipeline = FakePipeline()
    worker, intake, _ = make_worker(pipeline)
    worker.between_frames(
        lambda: done.append((threading.current_thread().name, list(pipeline.processed))))
    worker.start()
    offer(intake)
    worker.stop()
    assert done == [('udp_infer worker', [])]


def test_actions_during_a_frame_run_after_it_in_their_order():
    pipeline, done = HangingPipeline(), []
    worker, intake, _ = make_worker(pipeline)
    worker.start()
    offer(intake)
    assert pipeline.entered.wait(5.0)
    for name in ('first', 'second'):
        worker.between_frames(lambda name=name: done.append((name, list(pipeline.processed))))
    assert done == []
    pipeline.release.set()
    assert worker.stop(timeout_s=5.0)
    assert done == [('first', [0]), ('second', [0])]


def test_an_action_runs_without_a_frame_and_also_after_the_last_one():
    done = threading.Event()
    worker, _, _ = make_worker(FakePipeline())
    worker.start()
    worker.between_frames(done.set)
    assert done.wait(5.0)
    assert worker.stop()
    done.clear()
    worker.between_frames(done.set)
    assert done.is_set()


def test_an_action_that_fails_does_not_end_the_worker(caplog):
    pipeline = FakePipeline()
    worker, intake, _ = make_worker(pipeline)
    worker.between_frames(lambda: 1 / 0)
    worker.start()
    offer(intake)
    assert worker.stop() and pipeline.processed == [0]
    assert caplog.messages == ['an action between two frames failed']


def test_a_frame_that_waits_is_still_processed_after_the_intake_is_closed():
    pipeline = FakePipeline()
    worker, intake, _ = make_worker(pipeline)
    offer(intake)
    intake.close()
    worker.start()
    assert worker.join(5.0) and worker.ended
    assert pipeline.processed == [0]


def test_stop_returns_false_while_the_model_hangs():
    pipeline = HangingPipeline()
    worker, intake, _ = make_worker(pipeline)
    worker.start()
    offer(intake)
    assert pipeline.entered.wait(5.0)
    assert not worker.stop(timeout_s=0.1)
    assert not worker.ended
    pipeline.release.set()
    assert worker.stop(timeout_s=5.0)
    assert worker.ended


def test_frames_in_flight_are_inferred_at_once_and_written_in_order():
    output = FakeOutput()
    pipeline = MeetingPipeline(3, fails_on=(4,))
    stats = process([None] * 9, pipeline, output, in_flight=4, inferences=3)
    assert [result.seq for result in output.results] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert pipeline.most_in_flight == 4
    assert stats.dropped()['inference_error'] == 1


def test_a_result_is_written_without_another_frame():
    output = FakeOutput()
    worker, intake, _ = make_worker(FakePipeline(), output, in_flight=3, inferences=2)
    worker.start()
    offer(intake)
    deadline_s = time.monotonic() + 10.0
    while not output.results:
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
    assert worker.stop()


def test_an_action_runs_when_no_frame_is_in_flight():
    pipeline, done = HangingPipeline(), []
    worker, intake, _ = make_worker(pipeline, in_flight=3, inferences=2)
    worker.start()
    offer(intake)
    offer(intake)
    assert pipeline.entered.wait(5.0)
    worker.between_frames(lambda: done.append((pipeline.in_flight, list(pipeline.processed))))
    pipeline.release.set()
    assert worker.stop(timeout_s=5.0)
    assert done and done[0][0] == 0 and done[0][1] in ([0], [0, 1])


def test_no_thread_is_left_when_the_worker_has_ended():
    before = threading.active_count()
    process([None] * 3, FakePipeline(), in_flight=3, inferences=2)
    deadline_s = time.monotonic() + 10.0
    while threading.active_count() > before:
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def test_stop_returns_false_while_frames_in_flight_hang():
    pipeline = HangingPipeline()
    worker, intake, _ = make_worker(pipeline, FakeOutput(), in_flight=3, inferences=2)
    worker.start()
    offer(intake)
    offer(intake)
    assert pipeline.entered.wait(5.0)
    assert not worker.stop(timeout_s=0.1)
    pipeline.release.set()
    assert worker.join(5.0)
    assert pipeline.processed == [0, 1]
