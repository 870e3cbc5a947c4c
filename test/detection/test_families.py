# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Every family is recognized and decoded: known objects are encoded, and found again.

Each encoder below writes objects as a network of that family does; it is the reference for the
decoder.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from helpers import write_model
import numpy as np
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.families import FAMILIES, ORDER
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.types import InputSize
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import DetectSettings, ModelSettings, PARAMETERS

TensorProto = pytest.importorskip('onnx').TensorProto
WIDTH, HEIGHT = 320, 192
CLASSES = 3
LABELS = ('person', 'car', 'dog')
METADATA = {'names': str(dict(enumerate(LABELS)))}
STRIDES = (8, 16, 32)
MANY = 320


@dataclass
class Scene:
    """Objects in pixels of the input."""

    xyxy: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray

    def __len__(self):
        return len(self.scores)

    @property
    def cxcywh(self):
        """Return center and size."""
        size = self.xyxy[:, 2:] - self.xyxy[:, :2]
        return np.hstack((self.xyxy[:, :2] + size / 2, size))

    @property
    def fractions(self):
        """Return center and size as fractions of the input."""
        return self.cxcywh / (WIDTH, HEIGHT, WIDTH, HEIGHT)


def scene(count, seed=1):
    """Place objects that do not overlap, all over the input."""
    random = np.random.default_rng(seed)
    places = random.permutation(MANY)[:count]
    corner = np.stack((places % 20 * 16.0, places // 20 * 12.0), axis=1)
    corner += random.uniform(0.2, 3, (count, 2))
    # Larger than the finest stride, so that each contains the corner of a cell.
    size = random.uniform(8.2, (12, 8.8), (count, 2))
    return Scene(
        np.hstack((corner, corner + size)), random.permutation(np.linspace(0.45, 0.95, count)),
        random.integers(0, CLASSES, count))


def cells(strides=STRIDES):
    """List column, row and stride of every cell."""
    return np.array([
        (column, row, stride) for stride in strides
        for row in range(-(-HEIGHT // stride)) for column in range(-(-WIDTH // stride))])


def some_rows(total, count):
    """Choose the rows that hold the objects."""
    return np.random.default_rng(2).permutation(total)[:count]


def one_hot(objects, value=None):
    """Return (n, classes) with each object's score at its class."""
    table = np.zeros((len(objects), CLASSES))
    table[np.arange(len(objects)), objects.class_ids] = objects.scores if value is None else value
    return table


def yolo(objects):
    total = len(cells())
    table = np.zeros((1, 4 + CLASSES, total))
    rows = some_rows(total, len(objects))
    table[0, :4, rows] = objects.cxcywh
    table[0, 4:, rows] = one_hot(objects)
    return [table]


def yolov5(objects):
    total = 3 * len(cells())
    table = np.zeros((1, total, 5 + CLASSES))
    rows = some_rows(total, len(objects))
    table[0, rows, :4] = objects.cxcywh
    table[0, rows, 4] = np.sqrt(objects.scores)
    table[0, rows, 5:] = one_hot(objects, np.sqrt(objects.scores))
    return [table]


def yolov6(objects):
    total = len(cells())
    table = np.zeros((1, total, 5 + CLASSES))
    table[0, :, 4] = 1.0
    rows = some_rows(total, len(objects))
    table[0, rows, :4] = objects.cxcywh
    table[0, rows, 5:] = one_hot(objects)
    return [table]


def yolox(objects):
    grid = cells()
    table = np.random.default_rng(3).normal(0, 0.5, (1, len(grid), 5 + CLASSES))
    table[0, :, 4:] = 0.01
    for found, box, score, label in zip(
            some_rows(len(grid), len(objects)), objects.cxcywh, objects.scores,
            objects.class_ids):
        column, row, stride = grid[found]
        table[0, found, :4] = (
            box[0] / stride - column, box[1] / stride - row, np.log(box[2] / stride),
            np.log(box[3] / stride))
        table[0, found, 4] = np.sqrt(score)
        table[0, found, 5 + label] = np.sqrt(score)
    return [table]


def yolox_decoded(objects):
    grid = cells()
    table = np.full((1, len(grid), 5 + CLASSES), 0.01)
    table[0, :, :2] = grid[:, :2] * grid[:, 2:]
    table[0, :, 2:4] = grid[:, 2:]
    rows = some_rows(len(grid), len(objects))
    table[0, rows, :4] = objects.cxcywh
    table[0, rows, 4] = np.sqrt(objects.scores)
    table[0, rows, 5:] = one_hot(objects, np.sqrt(objects.scores))
    return [table]


def nanodet(objects):
    grid = cells((8, 16, 32, 64))
    table = np.zeros((1, len(grid), CLASSES + 32))
    taken = set()
    for box, score, label in zip(objects.xyxy, objects.scores, objects.class_ids):
        center = (box[:2] + box[2:]) / 2
        fine = np.flatnonzero(grid[:, 2] == 8)
        distance = np.abs(grid[fine, :2] * 8 - center).sum(axis=1)
        found = next(i for i in fine[np.argsort(distance)] if i not in taken)
        taken.add(found)
        point = grid[found, :2] * 8
        table[0, found, label] = score
        logits = np.full((4, 8), -50.0)
        for side, pixels in enumerate((*(point - box[:2]), *(box[2:] - point))):
            # Between two bins, so that the mean of the distribution is the distance.
            strides = pixels / 8
            low = int(np.clip(np.floor(strides), 0, 6))
            logits[side, low] = np.log(max(low + 1 - strides, 1e-20))
            logits[side, low + 1] = np.log(max(strides - low, 1e-20))
        table[0, found, CLASSES:] = logits.ravel()
    return [table]


def nanodet_split(objects, strides=STRIDES, grouped=False):
    """
    Encode with the center of the cell that is nearest to each object.

    :param grouped: write the scores of all strides first, as PyTorch does.
    """
    outputs = []
    for stride in strides:
        grid = cells((stride,))
        scores = np.full((1, len(grid), CLASSES), 0.01)
        logits = np.zeros((1, len(grid), 32))
        points = (grid[:, :2] + 0.5) * stride
        for box, score, label in zip(objects.xyxy, objects.scores, objects.class_ids):
            if stride != strides[0]:
                break  # The finest stride has all of them.
            found = np.abs(points - (box[:2] + box[2:]) / 2).sum(axis=1).argmin()
            while scores[0, found].max() > 0.02:
                found += 1  # The distances are long enough for the next cell.
            scores[0, found, label] = score
            sides = np.concatenate((points[found] - box[:2], box[2:] - points[found])) / stride
            logits[0, found] = np.concatenate([distribution(side) for side in sides])
        outputs += [scores, logits]
    return outputs[::2] + outputs[1::2] if grouped else outputs


def distribution(mean):
    """Return the logits (8,) of a distribution with this mean, between two bins."""
    low = int(np.clip(np.floor(mean), 0, 6))
    logits = np.full(8, -50.0)
    logits[low] = np.log(max(low + 1 - mean, 1e-20))
    logits[low + 1] = np.log(max(mean - low, 1e-20))
    return logits


def end2end(objects):
    table = np.zeros((1, MANY + 10, 6))
    table[0, :len(objects)] = np.column_stack((objects.xyxy, objects.scores, objects.class_ids))
    return [table]


def deepstream(objects, rows_per_cell=1):
    grid = np.tile(cells(), (rows_per_cell, 1))
    center, size = grid[:, :2] * grid[:, 2:], grid[:, 2:]
    table = np.zeros((1, len(grid), 6))
    table[0, :, :2], table[0, :, 2:4] = center - size / 2, center + size / 2
    table[0, :, 4] = np.random.default_rng(4).uniform(0.0, 0.01, len(grid))
    table[0, :, 5] = np.random.default_rng(5).integers(0, CLASSES, len(grid))
    table[0, some_rows(len(grid), len(objects))] = np.column_stack(
        (objects.xyxy, objects.scores, objects.class_ids))
    return [table]


def yolov7_end2end(objects):
    return [np.column_stack((
        np.zeros(len(objects)), objects.xyxy, objects.class_ids, objects.scores))]


def queries(objects, columns):
    """Return the largest number of queries, most of them empty."""
    table = np.full((1, MANY + 10, columns), 0.0)
    table[0, :, :4] = 0.001
    table[0, :len(objects), :4] = objects.fractions
    return table


def ultralytics_rtdetr(objects):
    table = queries(objects, 6)
    table[0, :len(objects), 4], table[0, :len(objects), 5] = objects.scores, objects.class_ids
    return [table]


def ultralytics_rtdetr_scores(objects):
    table = queries(objects, 4 + CLASSES)
    table[0, :len(objects), 4:] = one_hot(objects)
    return [table]


def rtdetr(objects):
    labels = np.zeros((1, MANY + 10), dtype=np.int64)
    boxes, scores = np.zeros((1, MANY + 10, 4)), np.zeros((1, MANY + 10))
    labels[0, :len(objects)] = objects.class_ids
    boxes[0, :len(objects)], scores[0, :len(objects)] = objects.xyxy, objects.scores
    return [labels, boxes, scores]


def sigmoid_logits(objects, columns=CLASSES):
    """Return (1, queries, columns) whose sigmoid is each object's score at its class."""
    logits = np.full((1, MANY + 10, columns), -9.0)
    logits[0, np.arange(len(objects)), objects.class_ids] = np.log(
        objects.scores / (1 - objects.scores))
    return logits


def rfdetr(objects):
    return [queries(objects, 4), sigmoid_logits(objects, CLASSES + 1)]


def hf_rtdetr(objects):
    return [sigmoid_logits(objects), queries(objects, 4)]


def detr(objects):
    logits = np.zeros((1, MANY + 10, CLASSES + 1))
    logits[0, :, CLASSES] = 9.0
    for i, (score, label) in enumerate(zip(objects.scores, objects.class_ids)):
        rest = (1 - score) / CLASSES
        logits[0, i] = np.log(rest)
        logits[0, i, label] = np.log(score)
    return [logits, queries(objects, 4)]


def paddle(objects):
    table = np.full((MANY + 10, 6), -1.0)
    table[:len(objects)] = np.column_stack((objects.class_ids, objects.scores, objects.xyxy))
    return [table, np.array([len(objects)], dtype=np.int64)]


def batched_nms(objects):
    boxes, scores = np.zeros((1, MANY + 10, 4)), np.zeros((1, MANY + 10))
    labels = np.full((1, MANY + 10), -1)
    boxes[0, :len(objects)], scores[0, :len(objects)] = objects.xyxy, objects.scores
    labels[0, :len(objects)] = objects.class_ids
    return [np.array([[len(objects)]]), boxes, scores, labels]


def mmdeploy(objects):
    return [np.column_stack((objects.xyxy, objects.scores))[None],
            objects.class_ids[None].astype(np.int64)]


def torchvision(objects):
    return [objects.xyxy, objects.class_ids.astype(np.int64), objects.scores]


def tensorflow(objects):
    boxes = np.zeros((1, MANY + 10, 4))
    scores, labels = np.zeros((1, MANY + 10)), np.ones((1, MANY + 10))
    boxes[0, :len(objects)] = (objects.xyxy / (WIDTH, HEIGHT, WIDTH, HEIGHT))[:, (1, 0, 3, 2)]
    scores[0, :len(objects)], labels[0, :len(objects)] = objects.scores, objects.class_ids
    return [boxes, labels, scores, np.array([len(objects)], dtype=np.float32)]


@dataclass
class Export:
    """How a tool writes a family to a file."""

    encode: Callable
    outputs: tuple = ('output0',)
    input_name: str = 'images'
    input_type: int = TensorProto.FLOAT
    input_shape: tuple = (1, 3, HEIGHT, WIDTH)
    size_inputs: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=lambda: METADATA)
    labels: tuple = ()

    def write(self, path, objects):
        """Write the file."""
        return write_model(
            path, *self.encode(objects), input_shape=self.input_shape, metadata=self.metadata,
            input_type=self.input_type, output_names=self.outputs, input_name=self.input_name,
            size_inputs=self.size_inputs)


INT64 = TensorProto.INT64
FLOAT = TensorProto.FLOAT
EXPORTS = {
    'yolo': Export(yolo),
    'yolov5': Export(yolov5),
    'yolov6': Export(yolov6, outputs=('outputs',)),
    'yolox': Export(yolox, outputs=('output',)),
    'yolox_decoded': Export(yolox_decoded, outputs=('output',)),
    'nanodet': Export(nanodet, outputs=('output',), input_name='data'),
    'nanodet_split': Export(
        nanodet_split, ('cls8', 'dis8', 'cls16', 'dis16', 'cls32', 'dis32'), 'i', metadata={},
        labels=LABELS),
    'end2end': Export(end2end),
    'yolov7_end2end': Export(yolov7_end2end, outputs=('output',)),
    'deepstream': Export(deepstream, ('output',), 'input', metadata={}, labels=LABELS),
    'rtdetr': Export(
        rtdetr, ('labels', 'boxes', 'scores'), size_inputs={'orig_target_sizes': (INT64, (1, 2))}),
    'ultralytics_rtdetr': Export(
        ultralytics_rtdetr, metadata={**METADATA, 'head': 'RTDETRDecoder'}),
    'ultralytics_rtdetr_scores': Export(ultralytics_rtdetr_scores),
    'rfdetr': Export(rfdetr, ('dets', 'labels'), 'input'),
    'hf_rtdetr': Export(
        hf_rtdetr, ('logits', 'pred_boxes'), 'pixel_values', metadata={}, labels=LABELS),
    'detr': Export(
        detr, ('logits', 'pred_boxes'), 'pixel_values', metadata={}, labels=LABELS,
        size_inputs={'pixel_mask': (INT64, (1, HEIGHT, WIDTH))}),
    'paddle': Export(
        paddle, ('multiclass_nms3_0.tmp_0', 'multiclass_nms3_0.tmp_2'), 'image', size_inputs={
            'scale_factor': (FLOAT, (1, 2)), 'im_shape': (FLOAT, (1, 2))}),
    'batched_nms': Export(
        batched_nms, ('num_dets', 'det_boxes', 'det_scores', 'det_classes')),
    'mmdeploy': Export(mmdeploy, ('dets', 'labels'), 'input'),
    'torchvision': Export(
        torchvision, ('boxes', 'labels', 'scores'), 'images', input_shape=(3, HEIGHT, WIDTH)),
    'tensorflow': Export(
        tensorflow, ('detection_boxes', 'detection_classes', 'detection_scores',
                     'num_detections'),
        'input_tensor', TensorProto.UINT8, (1, HEIGHT, WIDTH, 3)),
}


def load(path, export, **settings):
    """Load an export."""
    return Detector.load(ModelSettings(id=str(path), labels=export.labels, threads=1, **settings))


def detect(detector, width, height, min_score=0.4, **settings):
    """Run all three steps on a gray image."""
    prepared = detector.prepare(np.full((height, width, 3), 127, dtype=np.uint8))
    selection = detector.selection(DetectSettings(max_detections=1000, **settings), min_score)
    return detector.read(detector.run(prepared), prepared.letterbox, selection)


def expected(objects, family, width, height):
    """Convert known objects to an image, clipped, highest score first."""
    how = FAMILIES[family].preprocessing
    box = Letterbox.fit(
        (width, height), (WIDTH, HEIGHT), keep_aspect=how.resize != 'stretch',
        center=how.resize == 'letterbox', round_down=how.round_down)
    xyxy = np.clip(box.undo(objects.xyxy), 0, (width, height, width, height))
    visible = ((xyxy[:, 2:] - xyxy[:, :2]) > 0.01).all(axis=1)
    order = [i for i in np.argsort(-objects.scores) if visible[i]]
    return xyxy[order], objects.scores[order], objects.class_ids[order]


def test_every_family_is_tested_and_is_a_choice_of_the_parameter():
    assert EXPORTS.keys() == FAMILIES.keys() == {family.name for family in ORDER}
    assert PARAMETERS['model.family'].choices == ('auto', *FAMILIES)


@pytest.mark.parametrize('family', EXPORTS)
@pytest.mark.parametrize('count, width, height', [
    (12, WIDTH, HEIGHT), (12, 500, 333), (12, 75, 801), (0, 640, 480), (MANY, 1279, 717)])
def test_known_objects_are_found(tmp_path, family, count, width, height):
    objects = scene(count)
    detector = load(EXPORTS[family].write(tmp_path / 'm.onnx', objects), EXPORTS[family])
    assert detector.info.family == family
    assert detector.info.labels in (LABELS, ('class_0', 'class_1', 'class_2'))
    assert detector.info.preprocessing == str(FAMILIES[family].preprocessing)
    found = detect(detector, width, height)
    xyxy, scores, class_ids = expected(objects, family, width, height)
    assert len(found) == len(scores)
    np.testing.assert_allclose(found.xyxy, xyxy.reshape(-1, 4), atol=0.5)
    np.testing.assert_allclose(found.score, scores, atol=1e-4)
    assert found.class_id.tolist() == class_ids.tolist()


@pytest.mark.parametrize('family', [
    'yolo', 'yolov5', 'yolov6', 'yolox', 'yolox_decoded', 'nanodet', 'deepstream'])
def test_the_number_of_boxes_is_limited_before_suppression(tmp_path, family):
    export = EXPORTS[family]
    [table] = export.encode(scene(0))
    garbage = np.random.default_rng(9).uniform(0.5, 1.0, table.shape)
    if family in ('yolo', 'yolov5', 'yolov6', 'yolox_decoded'):
        boxes = garbage[:, :4] if family == 'yolo' else garbage[:, :, :4].swapaxes(1, 2)
        boxes *= 200
    if family == 'deepstream':
        garbage[0] *= (10, 10, 200, 200, 1, 1)
    path = write_model(
        tmp_path / 'm.onnx', garbage, input_shape=export.input_shape, metadata=export.metadata,
        output_names=export.outputs, input_name=export.input_name)
    detector = load(path, export, family=family)
    # With an IoU of 1, nothing is suppressed.
    unlimited = detect(detector, WIDTH, HEIGHT, min_score=0.1, iou=1.0, max_candidates=100000)
    limited = detect(detector, WIDTH, HEIGHT, min_score=0.1, iou=1.0, max_candidates=200)
    assert len(unlimited) > 200 >= len(limited) > 0


@pytest.mark.parametrize('family', EXPORTS)
def test_boxes_and_scores_that_are_not_finite_are_dropped(tmp_path, family):
    export = EXPORTS[family]
    tables = export.encode(scene(30))
    for table in tables:
        if table.dtype.kind == 'f' and table.size:
            table[np.random.default_rng(1).random(table.shape) < 0.2] = np.nan
    path = write_model(
        tmp_path / 'm.onnx', *tables, input_shape=export.input_shape, metadata=export.metadata,
        input_type=export.input_type, output_names=export.outputs, input_name=export.input_name,
        size_inputs=export.size_inputs)
    found = detect(load(path, export, family=family), 500, 333)
    assert np.isfinite(found.xyxy).all() and np.isfinite(found.score).all()


@pytest.mark.parametrize('input_type, input_shape', [
    (TensorProto.FLOAT16, (1, 3, HEIGHT, WIDTH)),
    (TensorProto.UINT8, (1, HEIGHT, WIDTH, 3)),
    (TensorProto.FLOAT, ('batch', 3, HEIGHT, WIDTH)),
    (TensorProto.FLOAT, (1, 3, 'height', 'width')),
    (TensorProto.FLOAT, ('batch', 'channels', 'height', 'width')),
])
def test_inputs_of_other_types_orders_and_dynamic_sizes_are_supported(
        tmp_path, input_type, input_shape):
    export = Export(
        yolo, input_type=input_type, input_shape=input_shape,
        metadata={**METADATA, 'imgsz': f'[{HEIGHT}, {WIDTH}]'})
    objects = scene(12)
    detector = load(export.write(tmp_path / 'm.onnx', objects), export)
    assert (detector.info.input_width, detector.info.input_height) == (WIDTH, HEIGHT)
    assert len(detect(detector, 500, 333)) == len(expected(objects, 'yolo', 500, 333)[1])


def test_the_score_of_yolov5_with_one_class_is_the_objectness(tmp_path):
    total = 3 * len(cells())
    table = np.zeros((1, total, 6))
    table[0, :, 5] = np.random.default_rng(1).uniform(0.93, 0.99, total)
    table[0, 7, :5] = (100, 100, 20, 20, 0.8)
    path = write_model(
        tmp_path / 'm.onnx', table, input_shape=(1, 3, HEIGHT, WIDTH),
        metadata={'names': "['face']"})
    detector = Detector.load(ModelSettings(id=str(path)))
    assert detector.info.family == 'yolov5'
    np.testing.assert_allclose(detect(detector, WIDTH, HEIGHT).score, [0.8], atol=1e-6)


def write_table(path, table):
    """Write a file with one output and without class names."""
    return write_model(path, table, input_shape=(1, 3, HEIGHT, WIDTH))


def test_a_class_score_of_yolov5_that_is_always_one_is_not_a_class(tmp_path):
    # In float16, the score of the only class is rounded to 1.
    table = np.random.default_rng(1).uniform(0, 0.01, (1, 3 * len(cells()), 6))
    table[0, :, :4] += (100, 100, 20, 20)
    table[0, :, 5] = 1.0
    path = write_table(tmp_path / 'm.onnx', table)
    assert Detector.load(ModelSettings(id=str(path))).info.family == 'yolov5'


@pytest.mark.parametrize('labels', [(), LABELS[:1], LABELS])
@pytest.mark.parametrize('class_count', [1, 2, 3, 80])
@pytest.mark.parametrize('rows_per_cell', [1, 3])
def test_a_deepstream_export_is_not_mistaken_for_another_family(
        tmp_path, rows_per_cell, class_count, labels):
    objects = scene(12)
    [table] = deepstream(objects, rows_per_cell)
    table[0, :, 5] = np.random.default_rng(5).integers(0, class_count, len(table[0]))
    path = write_table(tmp_path / 'm.onnx', table)
    detector = Detector.load(ModelSettings(id=str(path), labels=labels))
    assert detector.info.family == 'deepstream'
    found = detect(detector, WIDTH, HEIGHT)
    np.testing.assert_allclose(
        found.xyxy, objects.xyxy[np.argsort(-objects.scores)], atol=0.01)


def long_list():
    """Return a list of boxes that is longer than a feature pyramid has rows."""
    [table] = deepstream(scene(12), rows_per_cell=3)
    return np.concatenate((table, table[:, :1000]), axis=1)


def test_overlapping_boxes_of_a_long_unsorted_list_are_suppressed(tmp_path):
    detector = Detector.load(ModelSettings(id=str(write_table(tmp_path / 'm.onnx', long_list()))))
    assert detector.info.family == 'deepstream' and len(detect(detector, WIDTH, HEIGHT)) == 12


def test_a_long_list_that_is_sorted_by_score_is_end_to_end(tmp_path):
    table = long_list()
    path = write_table(tmp_path / 'm.onnx', table[:, np.argsort(-table[0, :, 4])])
    assert Detector.load(ModelSettings(id=str(path))).info.family == 'end2end'


def scale_rows(table):
    table[0, :, :4] /= (WIDTH, HEIGHT, WIDTH, HEIGHT)
    return table


def scale_columns(table):
    table[0, :4] /= np.array([[WIDTH], [HEIGHT], [WIDTH], [HEIGHT]])
    return table


def use_logits(table):
    table[0, 4:] = table[0, 4:] * 12 - 9
    return table


def put_score_last(table):
    return table[:, :, (0, 1, 2, 3, 5, 4)]


def use_centers(table):
    center, size = (table[0, :, :2] + table[0, :, 2:4]) / 2, table[0, :, 2:4] - table[0, :, :2]
    table[0, :, :4] = np.hstack((center, size))
    return table


def use_corners(table):
    half = table[0, :, 2:4] / 2
    table[0, :, :4] = np.hstack((table[0, :, :2] - half, table[0, :, :2] + half))
    return table


def use_two_scores(table):
    table[0, :, 5] = table[0, :, 4] / 3
    return table


@pytest.mark.parametrize('encode, change', [
    # Also the layout of YOLOv8 in rows: four numbers, then only class scores.
    (yolox_decoded, lambda table: table),
    (yolo, use_logits), (yolo, scale_columns), (yolov5, scale_rows), (yolov5, use_corners),
    (yolov6, use_corners), (yolox_decoded, use_corners), (yolox_decoded, scale_rows),
    (end2end, put_score_last), (end2end, use_centers), (end2end, use_two_scores),
    (deepstream, put_score_last), (deepstream, use_two_scores), (deepstream, scale_rows),
    (end2end, scale_rows),
    (ultralytics_rtdetr, use_corners), (ultralytics_rtdetr, use_two_scores),
])
def test_a_similar_layout_without_class_names_is_refused(tmp_path, encode, change):
    [table] = encode(scene(MANY))
    path = write_table(tmp_path / 'm.onnx', change(table))
    with pytest.raises(ModelError, match='has outputs of an unknown layout: .*; name the classes '
                                         'in model.labels, or set model.family'):
        Detector.load(ModelSettings(id=str(path)))


@pytest.mark.parametrize('labels', [(), LABELS])
def test_yolov8_in_rows_is_refused(tmp_path, labels):
    [table] = yolox_decoded(scene(0))
    path = write_table(tmp_path / 'm.onnx', table[:, :, :4 + CLASSES])
    with pytest.raises(ModelError, match='has outputs of an unknown layout'):
        Detector.load(ModelSettings(id=str(path), labels=labels))


@pytest.mark.parametrize('export', EXPORTS)
@pytest.mark.parametrize('family', FAMILIES)
def test_a_family_that_is_set_fits_the_shapes_or_is_refused(tmp_path, export, family):
    path = EXPORTS[export].write(tmp_path / 'm.onnx', scene(12))
    try:
        detector = load(path, EXPORTS[export], family=family)
    except ModelError as error:
        assert family != export
        layout = f'expected is {FAMILIES[family].layout}; set model.family to auto'
        assert layout in str(error) or ' classes, but the network has ' in str(error)
    else:
        detect(detector, WIDTH, HEIGHT, min_score=0.0)


@pytest.mark.parametrize('family', [
    'end2end', 'deepstream', 'paddle', 'yolov5', 'yolov6', 'yolox', 'yolox_decoded', 'nanodet',
    'ultralytics_rtdetr', 'ultralytics_rtdetr_scores', 'yolov7_end2end', 'rtdetr'])
def test_yolo_is_refused_as_any_other_family(tmp_path, family):
    export = replace(EXPORTS['yolo'], metadata={})
    with pytest.raises(ModelError) as caught:
        load(export.write(tmp_path / 'm.onnx', scene(5)), export, family=family)
    assert str(caught.value).startswith(f'model.family = {family!r}: does not fit the outputs of')
    assert f'expected is {FAMILIES[family].layout}; ' in str(caught.value)


@pytest.mark.parametrize('family', FAMILIES)
def test_outputs_of_any_shape_fit_the_family_that_is_set_or_are_refused(tmp_path, family):
    random = np.random.default_rng(1)
    for i in range(12):
        outputs = [
            random.uniform(-1, 9, random.choice((0, 1, 4, 5, 6, 7, 40), random.integers(0, 4)))
            for _ in EXPORTS[family].outputs]
        path = write_model(
            tmp_path / f'{i}.onnx', *outputs, input_shape=(1, 3, 64, 64),
            output_names=EXPORTS[family].outputs)
        try:
            detector = Detector.load(ModelSettings(id=str(path), family=family))
        except ModelError:
            continue
        detect(detector, 64, 64, min_score=0.0)


@pytest.mark.parametrize('names', [('logits', 'pred_boxes'), ('dets', 'labels')])
def test_numbers_with_the_names_of_tensors_are_refused(tmp_path, names):
    path = write_model(
        tmp_path / 'm.onnx', np.array(1.0), np.array(1.0), output_names=names)
    with pytest.raises(ModelError, match='has outputs of an unknown layout'):
        Detector.load(ModelSettings(id=str(path)))


def test_a_query_of_rf_detr_can_have_two_classes(tmp_path):
    objects = scene(1)
    dets, labels = rfdetr(objects)
    labels[0, 0, :CLASSES] = (2.0, 1.0, -9.0)
    path = write_model(
        tmp_path / 'm.onnx', dets, labels, input_shape=(1, 3, HEIGHT, WIDTH),
        output_names=('dets', 'labels'), input_name='input')
    found = detect(Detector.load(ModelSettings(id=str(path))), WIDTH, HEIGHT)
    assert found.class_id.tolist() == [0, 1]


def test_the_background_of_rf_detr_is_not_a_detection(tmp_path):
    dets, labels = rfdetr(scene(1))
    labels[0, 5, CLASSES] = 5.0
    export = EXPORTS['rfdetr']
    path = write_model(
        tmp_path / 'm.onnx', dets, labels, input_shape=export.input_shape,
        output_names=export.outputs, input_name='input', metadata=METADATA)
    assert len(detect(load(path, export), WIDTH, HEIGHT)) == 1


def test_an_ambiguous_model_is_refused_with_the_candidates(tmp_path):
    export = Export(hf_rtdetr, ('logits', 'pred_boxes'), 'pixel_values', metadata={})
    with pytest.raises(ModelError) as caught:
        load(export.write(tmp_path / 'm.onnx', scene(5)), export)
    assert str(caught.value).endswith(
        'has outputs that could be of several families: logits (1, 330, 3), pred_boxes '
        '(1, 330, 4); set model.family to one of hf_rtdetr, detr, or name the classes in '
        'model.labels')


def test_nanodet_before_plus_is_not_mistaken_for_yolox(tmp_path):
    logits = np.random.default_rng(1).normal(0, 3, (1, len(cells()), CLASSES + 44))
    logits[0, :, :CLASSES] = 0.01
    path = write_model(
        tmp_path / 'm.onnx', logits, input_shape=(1, 3, HEIGHT, WIDTH), output_names=['output'],
        input_name='data')
    with pytest.raises(ModelError, match='has outputs of an unknown layout'):
        Detector.load(ModelSettings(id=str(path)))


def step_by_step(outputs, classes, min_score):
    """Decode the outputs of NanoDet cell by cell, as `GFLHead.get_bboxes_single` does."""
    found = []
    for stride in STRIDES:
        rows, columns = -(-HEIGHT // stride), -(-WIDTH // stride)
        [scores] = [table for table in outputs if table.shape == (1, rows * columns, classes)]
        [logits] = [table for table in outputs if table.shape == (1, rows * columns, 32)]
        for row in range(rows):
            for column in range(columns):
                i = row * columns + column
                if scores[0, i].max() < min_score:
                    continue
                distances = []
                for side in logits[0, i].reshape(4, 8):
                    weights = np.exp(side) / np.exp(side).sum()
                    distances.append(sum(bin_ * weight for bin_, weight in enumerate(weights)))
                left, top, right, bottom = np.array(distances) * stride
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                found.append((
                    x - left, y - top, x + right, y + bottom, scores[0, i].max(),
                    scores[0, i].argmax()))
    return np.array(found)


@pytest.mark.parametrize('classes', [1, 2, 31, 80])
@pytest.mark.parametrize('order', [(0, 1, 2, 3, 4, 5), (0, 2, 4, 1, 3, 5), (5, 0, 3, 2, 1, 4)])
def test_nanodet_split_decodes_the_same_boxes_as_the_definition(classes, order):
    random = np.random.default_rng(classes)
    outputs = []
    for stride in STRIDES:
        count = len(cells((stride,)))
        outputs += [random.uniform(0, 1, (1, count, classes)),
                    random.normal(0, 3, (1, count, 32))]
    outputs = [outputs[i] for i in order]
    known = step_by_step(outputs, classes, 0.4)
    found = FAMILIES['nanodet_split'].decode(
        {str(i): table for i, table in enumerate(outputs)}, 0.4,
        InputSize(width=WIDTH, height=HEIGHT))
    np.testing.assert_allclose(found.xyxy, known[:, :4], atol=1e-3)
    np.testing.assert_allclose(found.scores, known[:, 4], atol=1e-6)
    assert found.class_ids.tolist() == known[:, 5].astype(int).tolist()


@pytest.mark.parametrize('labels', [(), LABELS])
def test_nanodet_split_is_recognized_in_every_order_of_the_outputs(tmp_path, labels):
    objects = scene(12)
    names = ('cls8', 'cls16', 'cls32', 'dis8', 'dis16', 'dis32')
    path = write_model(
        tmp_path / 'm.onnx', *nanodet_split(objects, grouped=True), output_names=names,
        input_shape=(1, 3, HEIGHT, WIDTH))
    detector = Detector.load(ModelSettings(id=str(path), labels=labels))
    assert detector.info.family == 'nanodet_split'
    assert len(detect(detector, WIDTH, HEIGHT)) == len(objects)


def lose_distances(outputs):
    return outputs[:5]


def use_four_strides(outputs):
    return nanodet_split(scene(12), strides=(8, 16, 32, 64))


def use_score_logits(outputs):
    return [table if table.shape[2] == 32 else table - 5 for table in outputs]


def use_longer_distances(outputs):
    return [table if table.shape[2] != 32 else np.zeros((*table.shape[:2], 44))
            for table in outputs]


def repeat_a_stride(outputs):
    return [*outputs[:4], *outputs[2:4]]


def use_32_classes(outputs):
    return [table if table.shape[2] == 32 else np.zeros((*table.shape[:2], 32))
            for table in outputs]


def use_other_classes_in_one_stride(outputs):
    return [outputs[0][:, :, :2], *outputs[1:]]


@pytest.mark.parametrize('labels', [(), LABELS])
@pytest.mark.parametrize('change', [
    lose_distances, use_four_strides, use_score_logits, use_longer_distances, repeat_a_stride,
    use_32_classes, use_other_classes_in_one_stride])
def test_outputs_similar_to_nanodet_split_are_refused(tmp_path, change, labels):
    path = write_model(
        tmp_path / 'm.onnx', *change(nanodet_split(scene(12))),
        input_shape=(1, 3, HEIGHT, WIDTH))
    with pytest.raises(ModelError, match='has outputs of an unknown layout'):
        Detector.load(ModelSettings(id=str(path), labels=labels))


def test_nanodet_split_of_another_number_of_classes_is_refused(tmp_path):
    path = write_model(
        tmp_path / 'm.onnx', *nanodet_split(scene(12)), input_shape=(1, 3, HEIGHT, WIDTH),
        metadata={'names': "['a', 'b']"})
    with pytest.raises(ModelError, match='has outputs of an unknown layout'):
        Detector.load(ModelSettings(id=str(path)))


def test_boxes_with_a_negative_size_do_not_suppress_others(tmp_path):
    objects = scene(100)
    [table] = yolo(objects)
    rows = [i for i in range(table.shape[2]) if not table[0, 4:, i].any()][:400]
    table[0, :4, rows] = (160, 96, -300, -180)
    table[0, 4:, rows] = 0.99
    path = write_model(
        tmp_path / 'm.onnx', table, input_shape=(1, 3, HEIGHT, WIDTH), metadata=METADATA)
    found = detect(
        Detector.load(ModelSettings(id=str(path))), WIDTH, HEIGHT, max_candidates=200)
    assert len(found) == 100


def test_outputs_of_paddle_without_detections_are_recognized(tmp_path):
    # Unused rows of -1 look like fractions of the image.
    export = replace(EXPORTS['paddle'], outputs=('detections',))
    path = write_model(
        tmp_path / 'm.onnx', np.full((1, 100, 6), -1.0), input_shape=export.input_shape,
        output_names=export.outputs, input_name=export.input_name, metadata=export.metadata,
        size_inputs=export.size_inputs)
    assert load(path, export).info.family == 'paddle'


def test_a_yolo_head_of_one_class_with_inputs_of_paddle_is_refused(tmp_path):
    export = EXPORTS['paddle']
    path = write_model(
        tmp_path / 'm.onnx', np.zeros((1, 3 * len(cells()), 6)), input_shape=export.input_shape,
        output_names=('detections',), input_name=export.input_name,
        size_inputs=export.size_inputs)
    with pytest.raises(ModelError, match='could be of several families.*paddle, yolov5'):
        load(path, export)


@pytest.mark.parametrize('shape', [(1, 64, 64), (1, 'height', 'width')])
def test_the_pixel_mask_has_the_declared_size(tmp_path, shape):
    export = Export(
        detr, ('logits', 'pred_boxes'), 'pixel_values', metadata={}, labels=LABELS,
        size_inputs={'pixel_mask': (INT64, shape)})
    assert load(export.write(tmp_path / 'm.onnx', scene(5)), export).info.family == 'detr'


def test_yolo_nas_is_not_mistaken_for_yolov7(tmp_path):
    export = Export(yolov7_end2end, ('graph2_flat_predictions',), 'input')
    with pytest.raises(ModelError, match='has outputs of an unknown layout'):
        load(export.write(tmp_path / 'm.onnx', scene(5)), export)


def test_a_model_with_an_unknown_second_input_is_refused(tmp_path):
    export = Export(yolo, size_inputs={'camera_matrix': (FLOAT, (3, 3))})
    with pytest.raises(ModelError, match='must have one input for an image, but has images .*'
                                         'camera_matrix'):
        load(export.write(tmp_path / 'm.onnx', scene(5)), export)
