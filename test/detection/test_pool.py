# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Engines of one process share a network if its file, device and options are the same."""

from concurrent.futures import ThreadPoolExecutor
import gc
import os
import shutil

from helpers import record_sessions, write_model, yolo_table
import numpy as np
import pytest
from udp_infer_ros.detection.local import usable_cores
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings

FEEDS = {'images': np.zeros((1, 3, 64, 64), np.float32)}


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / 'm.onnx', yolo_table([], 3))


@pytest.fixture
def sessions(monkeypatch):
    """Return weak references to all sessions that are created."""
    return record_sessions(monkeypatch)


def settings_of(path, **changes):
    return ModelSettings(id=str(path), device='cpu', **changes)


def test_engines_with_the_same_model_share_one_session(model, sessions):
    models = ModelPool(2)
    first, second = models.load(settings_of(model)), models.load(settings_of(model))
    assert len(sessions) == 1
    for lease in (first, second):
        assert list(lease.infer(FEEDS)) == ['output0']
    assert first.values()['model_calls'] == second.values()['model_calls'] == 2


def test_engines_that_load_at_the_same_moment_share_one_session(model, sessions):
    models = ModelPool(8)
    with ThreadPoolExecutor(8) as threads:
        leases = list(threads.map(lambda _: models.load(settings_of(model)), range(8)))
    assert len(leases) == 8 and len(sessions) == 1


def test_another_path_of_the_same_file_is_the_same_model(model, tmp_path, sessions):
    link = tmp_path / 'link.onnx'
    link.symlink_to(model)
    models = ModelPool(2)
    leases = [models.load(settings_of(path)) for path in (model, link)]
    assert len(leases) == 2 and len(sessions) == 1


@pytest.mark.parametrize('changes', [{'threads': 1}, {'spinning': True}, {'max_batch': 2}])
def test_other_options_are_another_session(model, sessions, changes):
    models = ModelPool(1 if usable_cores() > 1 else 2)
    leases = [models.load(settings_of(model)), models.load(settings_of(model, **changes))]
    assert len(leases) == 2 and len(sessions) == 2


def test_a_file_that_was_replaced_is_another_model(model, tmp_path, sessions):
    models = ModelPool(2)
    before = models.load(settings_of(model))
    new = write_model(tmp_path / 'new.onnx', yolo_table([], 5))
    shutil.move(new, model)
    after = models.load(settings_of(model))
    assert len(sessions) == 2
    assert before.infer(FEEDS)['output0'].shape != after.infer(FEEDS)['output0'].shape


def test_the_last_engine_that_is_closed_releases_the_model(model, sessions):
    models = ModelPool(2)
    first, second = models.load(settings_of(model)), models.load(settings_of(model))
    first.close()
    first.close()
    gc.collect()
    assert sessions[0]() is not None
    assert list(second.infer(FEEDS)) == ['output0']
    second.close()
    gc.collect()
    assert sessions[0]() is None
    models.load(settings_of(model))
    assert len(sessions) == 2


def test_a_model_that_cannot_be_loaded_is_tried_again(model, sessions):
    content = model.read_bytes()
    models = ModelPool(2)
    model.write_bytes(b'damaged')
    for _ in range(2):
        with pytest.raises(ModelError, match='must be a complete ONNX file'):
            models.load(settings_of(model))
    model.write_bytes(content)
    assert list(models.load(settings_of(model)).infer(FEEDS)) == ['output0']


@pytest.mark.parametrize('cameras, threads', [(1, 8), (2, 7), (3, 6), (8, 1), (16, 1)])
def test_cameras_divide_the_cores(model, monkeypatch, cameras, threads):
    # A session with n threads has n - 1 of its own, beside the thread of each call.
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: range(8))
    models = ModelPool(cameras)
    assert models.load(settings_of(model)).info.threads == threads
    assert models.load(settings_of(model, threads=3)).info.threads == 3


def run_at_once(models, settings, feeds):
    """Run each of the feeds in an engine of its own, all at the same time, ten times."""
    leases = [models.load(settings) for _ in feeds]
    with ThreadPoolExecutor(len(feeds)) as threads:
        outputs = [
            list(threads.map(lambda lease, given: lease.infer(given), leases, feeds))
            for _ in range(10)]
    values = leases[0].values()
    for lease in leases:
        lease.close()
    return outputs, values


def run_alone(settings, feeds):
    """Run each of the feeds in a network that is not shared."""
    lease = ModelPool().load(settings)
    outputs = [lease.infer(given) for given in feeds]
    lease.close()
    return outputs


def test_cameras_that_share_the_bundled_model_get_the_outputs_of_each_alone():
    random = np.random.default_rng(0)
    feeds = [
        {'images': random.random((1, 3, 416, 416), dtype=np.float32)} for _ in range(4)]
    settings = settings_of('nanodet_g_416')
    [name] = [tensor.name for tensor in ModelPool().load(settings).inputs]
    feeds = [{name: given['images']} for given in feeds]
    alone = run_alone(settings, feeds)
    for outputs in run_at_once(ModelPool(4), settings, feeds)[0]:
        np.testing.assert_equal(outputs, alone)


def test_cameras_whose_frames_are_one_batch_get_the_outputs_of_each_alone(tmp_path):
    path = write_free_batch_model(tmp_path / 'm.onnx')
    random = np.random.default_rng(0)
    feeds = [{'images': random.random((1, 3, 256, 256), dtype=np.float32)} for _ in range(4)]
    alone = run_alone(settings_of(path), feeds)
    settings = settings_of(path, max_batch=4, threads=usable_cores())
    results, values = run_at_once(ModelPool(4), settings, feeds)
    for outputs in results:
        for given, expected in zip(outputs, alone):
            np.testing.assert_allclose(given['output0'], expected['output0'], atol=1e-6)
    assert values['largest_batch'] > 1


def write_free_batch_model(path):
    """Write a model with a free first axis, which takes some milliseconds for each image."""
    onnx = pytest.importorskip('onnx')
    helper, kinds = onnx.helper, onnx.TensorProto
    weights = np.random.default_rng(1).normal(0, 0.1, (3, 3, 5, 5)).astype(np.float32)
    names = ['images', *(f'layer{i}' for i in range(8))]
    nodes = [
        helper.make_node('Conv', [before, 'weights'], [after], pads=[2, 2, 2, 2])
        for before, after in zip(names, names[1:])]
    nodes.append(helper.make_node('GlobalAveragePool', [names[-1]], ['output0']))
    graph = helper.make_graph(
        nodes, 'test',
        [helper.make_tensor_value_info('images', kinds.FLOAT, ('n', 3, 256, 256))],
        [helper.make_tensor_value_info('output0', kinds.FLOAT, ('n', 3, 1, 1))],
        [onnx.numpy_helper.from_array(weights, 'weights')])
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), str(path))
    return path
