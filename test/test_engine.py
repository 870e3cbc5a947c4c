# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The engine, without ROS: from a source through a real model to the outputs."""

import gc
import json
import os
import queue
import socket
import threading
import time

from helpers import make_frame, target_of, wait_until, write_clip, write_model, yolo_table
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.engine import Engine
from udp_infer_ros.errors import ModelError, SettingError
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.outputs import udp
from udp_infer_ros.outputs.base import nothing_to_commit
from udp_infer_ros.outputs.callback import CallbackOutput
from udp_infer_ros.outputs.udp import UdpOutput
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.intake import RawFrame
from udp_infer_ros.sources.open import make_source
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(30)
IMAGE = make_frame().image
BOXES = [(0, 0, 20, 20, 0.9, 0), (30, 30, 60, 60, 0.6, 1)]
FRAME_NS = 40_000_000


class ManualSource:
    """Offers frames when the test calls `offer`."""

    every_frame = True
    live = False
    description = 'manual'

    def __init__(self):
        self.offered = 0
        self.polled = 0
        self.timeouts_s = []
        self.intake = None

    def open(self):  # noqa: A003
        """Do nothing."""

    def start(self, intake):
        """Keep the intake."""
        self.intake = intake

    def offer(self, count=1):
        """Offer some frames."""
        for _ in range(count):
            self.offered += 1
            self.intake.offer(RawFrame(
                decode=lambda: IMAGE, stamp_ns=self.offered * FRAME_NS, frame_id='camera',
                source='manual', arrival_s=time.monotonic()))

    def stop(self, timeout_s=1.0):
        """Close the intake."""
        self.timeouts_s.append(timeout_s)
        if self.intake is not None:
            self.intake.close()
        return True

    def poll(self):
        """Count the calls."""
        self.polled += 1

    def health(self):
        """Report a figure."""
        return PartHealth(name='source', message='manual', values={'offered': self.offered})


class Results(CallbackOutput):
    """An output whose results the test takes one by one."""

    def __init__(self, name='results'):
        super().__init__(self._put, name=name)
        self._queue = queue.Queue()

    def _put(self, result, image):
        self._queue.put(result)

    def get(self):
        """Wait for the next result."""
        return self._queue.get(timeout=10)

    def get_all(self):
        """Return all results so far."""
        return [self._queue.get() for _ in range(self._queue.qsize())]


class RefusingOutput(CallbackOutput):
    """An output that refuses every change of settings."""

    def __init__(self):
        super().__init__(lambda result, image: None, name='refusing')

    def prepare(self, settings, *, previous, model):
        """Accept the first settings only."""
        if previous is not None:
            raise SettingError('annotate.trails', settings.annotate.trails, 'is not possible')
        return nothing_to_commit


class Gate:
    """A place in the frame path where the test holds the worker."""

    def __init__(self):
        self.reached, self.release = threading.Event(), threading.Event()

    def __call__(self, *arguments):
        """Wait for the release."""
        self.reached.set()
        assert self.release.wait(20)


@pytest.fixture
def settings(tmp_path):
    path = write_model(
        tmp_path / 'model.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"})
    return Settings().with_values({'model.id': str(path), 'udp.targets': []})


@pytest.fixture
def load(settings):
    """Return a function that loads an engine with some outputs; it is closed at the end."""
    engines = []

    def load_engine(*outputs, **values):
        changed = settings.with_values({
            name.replace('__', '.'): value for name, value in values.items()})
        engines.append(Engine.load(changed, outputs))
        return engines[-1]
    yield load_engine
    for engine in engines:
        engine.close()


def change(engine, values):
    """Change some parameters of an engine."""
    engine.configure(engine.settings.with_values(values))


def names_of(result):
    """Return the classes of a result."""
    return [found.class_name for found in result.objects]


# The path of a frame


def test_every_frame_of_a_file_is_one_result_for_each_output_in_order(load, tmp_path):
    clip = write_clip(tmp_path / 'clip.avi', frames=12, fps=25, step=10)
    one, two = Results('one'), Results('two')
    engine = load(one, two, source__uri=str(clip))
    source = make_source(engine.settings.source, time.time_ns)
    source.open()
    engine.start(source)
    assert engine.wait(10) and engine.ended
    results = one.get_all()
    assert [result.frame.index for result in results] == list(range(12))
    assert [result.seq for result in results] == list(range(1, 13))
    assert [(result.frame.width, result.frame.height) for result in results] == [(64, 48)] * 12
    assert all(a is b for a, b in zip(results, two.get_all(), strict=True))
    assert [names_of(result) for result in results] == [['person', 'car']] * 12
    assert [found.track_id for found in results[-1].objects] == [1, 2]


def test_outputs_get_the_pixels_of_the_frame(load):
    images = queue.Queue()
    engine = load(CallbackOutput(lambda result, image: images.put(image)))
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert images.get(timeout=10) is IMAGE


def test_wait_returns_when_the_last_frame_of_the_source_is_processed(load):
    results = Results()
    engine = load(results)
    assert engine.wait(0) and not engine.ended, 'there is no source yet'
    source = ManualSource()
    engine.start(source)
    source.offer(3)
    assert not engine.wait(0) and not engine.ended
    source.intake.close()
    assert engine.wait(10) and engine.ended
    assert len(results.get_all()) == 3


def test_frame_numbers_and_tracks_continue_after_stop_and_start(load):
    results = Results()
    engine = load(results)
    source = ManualSource()
    for _ in range(2):
        engine.start(source)
        source.offer(2)
        engine.stop()
        assert not engine.ended, 'it was stopped'
    found = results.get_all()
    assert [result.frame.index for result in found] == [0, 1, 2, 3]
    assert [result.seq for result in found] == [1, 2, 3, 4]
    assert [[item.track_id for item in result.objects] for result in found] == [[1, 2]] * 4


def test_what_the_transport_lost_is_unknown_until_the_new_source_reports_it(load):
    results = Results()
    engine = load(results)
    source = ManualSource()
    found = []
    for known in (False, True, False):
        engine.start(source)
        if known:
            source.intake.stats.set_transport_known(True)
            source.intake.stats.count_transport_loss(4)
        source.offer()
        found.append(results.get().transport_lost)
        engine.stop()
    assert found == [None, 4, None]


def test_an_output_that_fails_is_an_error_in_health_and_the_others_still_write(load):
    def fail(result, image):
        raise OSError('disk full')
    results = Results()
    engine = load(CallbackOutput(fail, name='disk'), results)
    source = ManualSource()
    engine.start(source)
    source.offer(2)
    assert [results.get().seq, results.get().seq] == [1, 2]
    disk, other = engine.health()[-2:]
    assert (disk.name, disk.level) == ('disk', Level.ERROR)
    assert disk.message == '2 results could not be written; see the log'
    assert other.level == Level.OK
    assert engine.health()[-2].level == Level.OK, 'no error since the previous call'


def test_health_lists_the_source_the_model_the_tracker_and_every_output(load):
    engine = load(Results('one'), Results('two'))
    assert [part.name for part in engine.health()] == ['source', 'model', 'tracker', 'one', 'two']
    assert engine.health()[0].message == 'no source is open'
    source = ManualSource()
    engine.start(source)
    assert engine.health()[0] == source.health()
    engine.poll()
    assert source.polled == 1


def test_the_model_is_described(load):
    model = load().model
    assert (model.name, model.family, model.labels) == ('model', 'yolo', ('person', 'car'))


# Changes of settings


def test_a_change_applies_from_the_next_frame_on(load):
    results = Results()
    engine = load(results)
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert names_of(results.get()) == ['person', 'car']
    change(engine, {'detect.confidence': 0.8})
    source.offer()
    assert names_of(results.get()) == ['person']
    assert engine.settings.detect.confidence == 0.8


def test_a_change_applies_without_a_source_too(load):
    results = Results()
    engine = load(results)
    change(engine, {'detect.confidence': 0.8})
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert names_of(results.get()) == ['person']


def test_a_prepared_change_that_is_dropped_changes_nothing(load):
    results = Results()
    engine = load(results)
    before = engine.settings
    engine.prepare(before.with_values({'detect.confidence': 0.8}))
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert names_of(results.get()) == ['person', 'car']
    assert engine.settings is before


@pytest.mark.parametrize('refusal', [
    {}, {'detect.classes': ['cow']}, {'udp.targets': ['127.0.0.1']}, {'udp.interface': 'nosuch0'}])
def test_a_refused_change_leaves_every_part_as_it_was(load, receiver, refusal):
    # An empty refusal: the last output is the one that refuses.
    outputs = [UdpOutput(), *([] if refusal else [RefusingOutput()])]
    engine = load(*outputs, udp__targets=[target_of(receiver)])
    before = engine.settings
    with pytest.raises(SettingError):
        change(engine, {
            'udp.payload': 'roboflow', 'detect.confidence': 0.8, 'track.lost_s': 9.0, **refusal})
    assert engine.settings is before
    assert engine.health()[2].values['lost_s'] == 1.0
    source = ManualSource()
    engine.start(source)
    source.offer()
    message = json.loads(receiver.recv(65535))
    assert len(message['predictions']) == 2 and 'udp_infer' in message


@pytest.mark.parametrize('first, second', [
    ({'udp.payload': 'roboflow'}, {'detect.confidence': 0.8}),
    ({'detect.confidence': 0.8}, {'detect.iou': 0.9, 'udp.payload': 'roboflow'}),
    ({'udp.payload': 'roboflow', 'detect.confidence': 0.8}, {'udp.max_bytes': 9000}),
])
def test_changes_during_one_frame_all_take_effect(load, receiver, first, second):
    gate = Gate()
    engine = load(CallbackOutput(gate), UdpOutput(), udp__targets=[target_of(receiver)])
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert gate.reached.wait(10)
    change(engine, first)
    change(engine, second)
    gate.release.set()
    assert len(json.loads(receiver.recv(65535))['predictions']) == 2, 'the frame before'
    source.offer()
    message = json.loads(receiver.recv(65535))
    assert len(message['predictions']) == 1 and 'udp_infer' not in message
    flat = engine.settings.flat()
    assert {name: flat[name] for name in (*first, *second)} == {**first, **second}


def test_targets_that_are_added_during_one_frame_all_get_the_next_one(load, receiver):
    gate = Gate()
    engine = load(CallbackOutput(gate), UdpOutput())
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert gate.reached.wait(10)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('127.0.0.1', 0))
        other.settimeout(10)
        change(engine, {'udp.targets': [target_of(receiver)]})
        change(engine, {'udp.targets': [target_of(receiver), target_of(other)]})
        gate.release.set()
        source.offer()
        numbers = [json.loads(item.recv(65535))['frame_id'] for item in (receiver, other)]
    assert numbers == [1, 1]


@pytest.mark.parametrize('values', [
    {'detect.confidence': 0.8}, {'track.lost_s': 2.0}, {'annotate.trails': False},
    {'publish.class_id': 'index'}, {'udp.payload': 'roboflow'}])
def test_a_change_keeps_the_sockets_and_looks_no_name_up(load, receiver, monkeypatch, values):
    port = receiver.getsockname()[1]
    addresses = [(socket.AF_INET, socket.SOCK_DGRAM, 0, '', ('127.0.0.1', port))]
    monkeypatch.setattr(udp.socket, 'getaddrinfo', lambda *arguments, **keywords: addresses)
    engine = load(UdpOutput(), udp__targets=[f'robot.local:{port}'])
    source = ManualSource()
    engine.start(source)
    source.offer()
    _, sender = receiver.recvfrom(65535)
    threads = {thread.ident for thread in threading.enumerate()}

    def fail(*arguments, **keywords):
        raise socket.gaierror('no look-up is due')
    monkeypatch.setattr(udp.socket, 'getaddrinfo', fail)
    change(engine, values)
    source.offer()
    assert receiver.recvfrom(65535)[1] == sender
    assert {thread.ident for thread in threading.enumerate()} == threads


@pytest.mark.parametrize('values, changed', [
    ({'detect.confidence': 0.8}, False), ({'annotate.trails': False}, False),
    ({'udp.max_bytes': 9000}, True)])
def test_an_output_whose_group_is_unchanged_has_nothing_to_commit(load, values, changed):
    output = UdpOutput()
    engine = load(output)
    commit = output.prepare(
        engine.settings.with_values(values), previous=engine.settings, model=engine.model)
    assert (commit is not nothing_to_commit) == changed


def test_a_reset_of_the_tracker_is_in_effect_at_the_next_frame(load):
    results = Results()
    engine = load(results)
    source = ManualSource()
    engine.start(source)
    ids = []
    for _ in range(2):
        source.offer()
        ids.append([found.track_id for found in results.get().objects])
        engine.reset_tracker()
    assert ids == [[1, 2], [3, 4]]


# Beginning and end


def test_a_class_that_the_model_does_not_have_is_refused_when_loading(load, monkeypatch):
    closed = []
    monkeypatch.setattr(Detector, 'close', lambda self: closed.append(self.info.name))
    with pytest.raises(SettingError, match="the model has no class 'cow'"):
        load(Results(), detect__classes=['cow'])
    assert closed == ['model']


def test_a_model_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ModelError):
        Engine.load(Settings().with_values({'model.id': str(tmp_path / 'no.onnx')}), [])


def test_begin_stop_does_not_wait_for_the_source(load):
    engine = load()
    engine.begin_stop()
    source = ManualSource()
    engine.start(source)
    engine.begin_stop()
    assert source.timeouts_s == [0.0]
    engine.stop()
    assert engine.health()[0].message == 'no source is open'


def test_a_model_that_hangs_is_abandoned_and_used_again_once_it_has_returned(
        load, monkeypatch, caplog):
    gate = Gate()
    run = Detector.run

    def hang(self, tensor):
        gate()
        return run(self, tensor)
    results = Results()
    engine = load(results)
    monkeypatch.setattr(Detector, 'run', hang)
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert gate.reached.wait(10)
    engine.stop()
    assert caplog.messages == ['model model: did not return in time; its thread is abandoned']
    with pytest.raises(ModelError, match='has not returned from its last inference'):
        engine.start(ManualSource())
    gate.release.set()
    assert engine.wait(10)
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert results.get().frame.index == 1, 'nothing is published after stop'


def test_close_leaves_a_model_that_hangs_alone(load, monkeypatch):
    gate, closed = Gate(), []
    monkeypatch.setattr(Detector, 'close', lambda self: closed.append(self.info.name))
    results = Results()
    engine = load(results)
    monkeypatch.setattr(Detector, 'run', lambda self, tensor: gate())
    source = ManualSource()
    engine.start(source)
    source.offer()
    assert gate.reached.wait(10)
    engine.close()
    assert closed == [], 'it is still in use'
    gate.release.set()
    assert engine.wait(10)
    assert results.get_all() == []


def test_close_releases_threads_and_files(settings, receiver, tmp_path):
    clip = write_clip(tmp_path / 'clip.avi', frames=5, fps=25, step=10)
    settings = settings.with_values({
        'udp.targets': [f'localhost:{receiver.getsockname()[1]}'], 'source.uri': str(clip)})

    def run_once():
        engine = Engine.load(settings, [UdpOutput(), Results()])
        source = make_source(settings.source, time.time_ns)
        source.open()
        engine.start(source)
        assert engine.wait(10)
        engine.close()

    def counts():
        gc.collect()
        return len(os.listdir('/proc/self/task')), len(os.listdir('/proc/self/fd'))
    names = {thread.name for thread in threading.enumerate()}
    run_once()  # Libraries start threads of their own at first use.
    wait_until(lambda: {thread.name for thread in threading.enumerate()} <= names)
    before = counts()
    for _ in range(3):
        run_once()
    wait_until(lambda: all(now <= then for now, then in zip(counts(), before)))


def test_counters_may_outlive_the_engine(settings):
    stats = Stats()
    indexes = []
    for _ in range(2):
        engine = Engine.load(
            settings, [CallbackOutput(lambda result, image: indexes.append(result.frame.index))],
            stats=stats)
        source = ManualSource()
        engine.start(source)
        source.offer(2)
        engine.close()
    assert indexes == [0, 1, 2, 3]
    assert stats.snapshot().processed == 4


def test_two_engines_on_one_model_detect_what_each_detects_alone(tmp_path):
    clips = [write_clip(tmp_path / f'{step}.avi', frames=40, fps=25.0, step=step)
             for step in (4, 6)]
    path = write_model(
        tmp_path / 'm.onnx', yolo_table(BOXES, 3), metadata={'names': "{0: 'a', 1: 'b', 2: 'c'}"},
        dark=True)

    def start(clip, models):
        settings = Settings().with_values({
            'model.id': str(path), 'source.uri': str(clip), 'udp.targets': []})
        results = Results()
        engine = Engine.load(settings, [results], models=models)
        source = make_source(settings.source, time.time_ns)
        source.open()
        engine.start(source)
        return engine, results

    def finish(engine, results):
        assert engine.wait(20.0)
        engine.close()
        return [
            (result.seq, result.detections.xyxy.tolist(), result.detections.score.tolist(),
             result.detections.track_id.tolist()) for result in results.get_all()]
    alone = [finish(*start(clip, None)) for clip in clips]
    models = ModelPool(2)
    together = [finish(*pair) for pair in [start(clip, models) for clip in clips]]
    assert [len(frames) for frames in together] == [40, 40]
    assert together == alone
    assert [boxes for _, boxes, _, _ in alone[0]] != [boxes for _, boxes, _, _ in alone[1]]


def test_results_do_not_depend_on_the_number_of_frames_in_flight(tmp_path):
    clip = write_clip(tmp_path / 'clip.avi', frames=40, fps=25.0, step=6)
    path = write_model(
        tmp_path / 'm.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"})

    def results_with(concurrency):
        settings = Settings().with_values({
            'model.id': str(path), 'model.concurrency': concurrency, 'source.uri': str(clip)})
        results = Results()
        engine = Engine.load(settings, [results])
        assert engine.model.concurrency == max(1, concurrency)
        source = make_source(settings.source, time.time_ns)
        source.open()
        engine.start(source)
        assert engine.wait(20.0)
        engine.close()
        return [(result.seq, result.frame.index, result.objects, result.camera_motion)
                for result in results.get_all()]
    one = results_with(1)
    assert len(one) == 40 and one[-1][2][0].track_id == 1
    assert results_with(3) == one and results_with(0) == one


def test_settings_change_between_two_frames_also_while_several_are_in_flight(tmp_path):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"})
    settings = Settings().with_values({'model.id': str(path), 'model.concurrency': 3})
    results = Results()
    engine = Engine.load(settings, [results])
    source = ManualSource()
    engine.start(source)
    source.offer(20)
    engine.configure(settings.with_values({'detect.confidence': 0.7}))
    source.offer(20)
    engine.close()
    counts = [len(result.objects) for result in results.get_all()]
    assert len(counts) == 40 and counts == sorted(counts, reverse=True)
    assert counts[:19] == 19 * [2] and counts[-19:] == 19 * [1]
