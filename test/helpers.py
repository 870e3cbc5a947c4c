# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames, results, small ONNX files, and waiting, for tests."""

from collections import deque
import os
from pathlib import Path
import time
import weakref

import cv2
import numpy as np
import pytest
from udp_infer_ros.detection import local
from udp_infer_ros.errors import Drop
from udp_infer_ros.frame import Detections, Frame, FrameInfo, NO_TRACK, Result

FUZZ_FACTOR = float(os.environ.get('UDP_INFER_FUZZ') or 1.0)
"""Multiplies the number of random inputs."""
LATENCY_MS = {
    'wait': 0.5, 'decode': 0.5, 'preprocess': 1.0, 'inference': 10.0, 'postprocess': 0.25,
    'track': 0.25, 'total': 12.5}
DROPPED = {cause.value: 0 for cause in Drop} | {'replaced': 3}


def wait_until(condition, timeout_s=15.0):
    """Wait until a condition is true, or fail."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, 'the condition stays false'
        time.sleep(0.005)


def target_of(receiver):
    """Return the address of a socket as in udp.targets."""
    return f'127.0.0.1:{receiver.getsockname()[1]}'


def make_frame(index=0, *, width=64, height=48, stamp_ns=1_000_000_000, frame_id='camera'):
    """Build a gray frame."""
    image = np.full((height, width, 3), 127, dtype=np.uint8)
    return Frame.from_image(
        image, index=index, stamp_ns=stamp_ns, frame_id=frame_id, source='test',
        arrival_s=time.monotonic())


def make_detections(count, *, width=640, height=480, names=('person', 'car'), seed=7):
    """Build random boxes inside an image, highest score first, every third one tracked."""
    random = np.random.default_rng(seed)
    corners = random.uniform(0, (width - 40, height - 40), (count, 2))
    size = random.uniform(2, 39, (count, 2))
    class_ids = random.integers(0, len(names), count)
    track_ids = np.arange(1, count + 1)
    track_ids[np.arange(count) % 3 != 0] = NO_TRACK
    return Detections(
        xyxy=np.round(np.hstack((corners, corners + size)), 2).astype(np.float32),
        score=np.sort(random.uniform(0.4, 1.0, count))[::-1].astype(np.float32),
        class_id=class_ids.astype(np.intp),
        class_name=np.array([names[i] for i in class_ids], dtype=str),
        track_id=track_ids.astype(np.int64))


def make_result(
    count=3, *, seq=8, names=('person', 'car'), source='test', stamp_ns=12_000_000_034,
):
    """Build a Result with random detections."""
    info = FrameInfo(
        index=11, stamp_ns=stamp_ns, frame_id='camera', source=source, width=640, height=480)
    return Result(
        frame=info, seq=seq, detections=make_detections(count, names=names), model='model',
        latency_ms=LATENCY_MS, dropped=DROPPED)


def write_model(
    path: Path, *tables, input_shape=(1, 3, 64, 64), metadata=None, input_type=None,
    output_names=None, input_name='images', size_inputs=None, dark=False,
):
    """
    Write an ONNX file that returns the given tables for every image.

    The outputs are declared with the shapes and types of the tables.

    :param size_inputs: more inputs, name to (type, shape), which are not used.
    :param dark: return zeros for a dark image.
    """
    onnx = pytest.importorskip('onnx')
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    input_type = onnx.TensorProto.FLOAT if input_type is None else input_type
    nodes = [
        helper.make_node('Cast', [input_name], ['as_float'], to=onnx.TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['as_float'], ['mean'], keepdims=0),
        helper.make_node('Mul', ['mean', 'zero'], ['nothing']),
        helper.make_node('Greater', ['mean', 'gray'], ['is_light']),
        helper.make_node('Cast', ['is_light'], ['light'], to=onnx.TensorProto.FLOAT)]
    constants = [
        numpy_helper.from_array(np.array(0, dtype=np.float32), 'zero'),
        numpy_helper.from_array(np.array(0.47, dtype=np.float32), 'gray')]
    outputs = []
    for i, table in enumerate(tables):
        name = output_names[i] if output_names else f'output{i}'
        table = np.asarray(table)
        kind = onnx.TensorProto.INT64 if table.dtype.kind == 'i' else onnx.TensorProto.FLOAT
        constants.append(numpy_helper.from_array(table.astype(np.float32), f'table{i}'))
        nodes.append(
            helper.make_node('Mul', [f'table{i}', 'light'], [f'sum{i}']) if dark else
            helper.make_node('Add', [f'table{i}', 'nothing'], [f'sum{i}']))
        nodes.append(helper.make_node('Cast', [f'sum{i}'], [name], to=kind))
        outputs.append(helper.make_tensor_value_info(name, kind, table.shape))
    inputs = [helper.make_tensor_value_info(input_name, input_type, input_shape)]
    inputs += [
        helper.make_tensor_value_info(name, kind, shape)
        for name, (kind, shape) in (size_inputs or {}).items()]
    graph = helper.make_graph(nodes, 'test', inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return path


def record_sessions(monkeypatch):
    """Return a list that receives a weak reference to each session of ONNX Runtime from now on."""
    created = []
    original = local.ort.InferenceSession

    def create(*arguments, **keywords):
        session = original(*arguments, **keywords)
        created.append(weakref.ref(session))
        return session
    monkeypatch.setattr(local.ort, 'InferenceSession', create)
    return created


def write_clip(path: Path, *, frames, fps, step):
    """Write a clip of 64 x 48 pixels; each frame is `step` gray levels brighter."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), fps, (64, 48))
    assert writer.isOpened()
    for i in range(frames):
        writer.write(np.full((48, 64, 3), step * i, dtype=np.uint8))
    writer.release()
    return path


def yolo_table(boxes, class_count, anchors=84):
    """
    Encode objects as (1, 4 + classes, anchors).

    :param boxes: rows of x1, y1, x2, y2 (input pixels), score, class.
    """
    table = np.zeros((1, 4 + class_count, anchors), dtype=np.float32)
    for column, (x1, y1, x2, y2, score, label) in enumerate(boxes):
        table[0, :4, column] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        table[0, 4 + label, column] = score
    return table


class PipelineStandIn:
    """A pipeline with the order of the real one; subclasses infer and make results."""

    def __init__(self):
        self.most_in_flight = 0
        self._begun = deque()

    @property
    def in_flight(self):
        return len(self._begun)

    @property
    def oldest(self):
        return self._begun[0][0]

    @property
    def inferred(self):
        return bool(self._begun) and self._begun[0][1].done()

    def begin(self, frame, run):
        self._begun.append((frame, run(lambda: self.infer(frame))))
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def finish(self):
        frame, inference = self._begun.popleft()
        inference.result()
        return self.to_result(frame)

    def infer(self, frame):
        """Run the network; the default does nothing."""

    def to_result(self, frame):
        """Make a result; the default makes none."""
