# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model file becomes a detector, or an error that names what is wrong with the file."""

from helpers import write_model, yolo_table
import numpy as np
import pytest
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.local import LocalBackend
from udp_infer_ros.errors import ModelError, SettingError
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.settings import DetectSettings, ModelSettings

onnx = pytest.importorskip('onnx')
NAMES = {'names': "{0: 'person', 1: 'car', 2: 'dog'}", 'task': 'detect'}


def load(path, **settings):
    """Load a model file."""
    return Detector.load(ModelSettings(id=str(path), **settings))


def detect(detector, image, min_score=0.4, **settings):
    """Run all three steps."""
    prepared = detector.prepare(image)
    selection = detector.selection(DetectSettings(**settings), min_score)
    return detector.read(detector.run(prepared), prepared.letterbox, selection)


def gray(width=64, height=64):
    """Build a gray image."""
    return np.full((height, width, 3), 127, dtype=np.uint8)


def test_yolo_outputs_become_boxes_in_image_pixels(tmp_path):
    # 128 x 64 pixels fit into 64 x 64 at half size, 16 pixels from the top.
    table = yolo_table([(10, 20, 30, 40, 0.9, 1), (40, 20, 60, 44, 0.6, 0)], 3)
    found = detect(load(write_model(tmp_path / 'm.onnx', table, metadata=NAMES)), gray(128, 64))
    np.testing.assert_allclose(found.xyxy, [[20, 8, 60, 48], [80, 8, 120, 56]])
    np.testing.assert_allclose(found.score, [0.9, 0.6])
    assert found.class_id.tolist() == [1, 0]
    assert found.track_id.tolist() == [NO_TRACK, NO_TRACK]
    assert found.class_name.tolist() == ['car', 'person']


def test_end_to_end_outputs_become_boxes_in_image_pixels(tmp_path):
    table = np.zeros((1, 20, 6))
    table[0, 0] = (10, 20, 30, 40, 0.5, 2)
    table[0, 1] = (10, 20, 30, 41, 0.9, 2)
    found = detect(load(write_model(tmp_path / 'm.onnx', table, metadata=NAMES)), gray())
    assert found.class_name.tolist() == ['dog', 'dog'], 'not suppressed again'
    np.testing.assert_allclose(found.xyxy, [[10, 20, 30, 41], [10, 20, 30, 40]])


def test_overlapping_boxes_of_one_class_are_suppressed(tmp_path):
    boxes = [(10, 10, 40, 40, 0.9, 0), (11, 10, 41, 40, 0.8, 0), (11, 10, 41, 40, 0.7, 1)]
    model = load(write_model(tmp_path / 'm.onnx', yolo_table(boxes, 3), metadata=NAMES))
    assert detect(model, gray()).class_name.tolist() == ['person', 'car']
    assert len(detect(model, gray(), class_agnostic=True)) == 1
    assert len(detect(model, gray(), iou=1.0)) == 3


def test_the_boxes_with_the_highest_scores_are_kept_if_there_are_too_many(tmp_path):
    boxes = [(i, 0, i + 1, 20, 0.5 + i / 200, 0) for i in range(60)]
    model = load(write_model(tmp_path / 'm.onnx', yolo_table(boxes, 3), metadata=NAMES))
    found = detect(model, gray(), max_detections=5)
    np.testing.assert_allclose(found.xyxy[:, 0], [59, 58, 57, 56, 55])
    assert len(detect(model, gray(), max_candidates=7)) == 7


@pytest.mark.parametrize('layout', ['yolo', 'end2end'])
def test_boxes_outside_the_image_do_not_use_up_the_limit(tmp_path, layout):
    # The image of 128 x 64 pixels is in rows 16 to 48; the best boxes are in the padding.
    boxes = [(i * 6, 0, i * 6 + 5, 10, 0.9, 0) for i in range(10)]
    boxes += [(i * 6, 20, i * 6 + 5, 40, 0.5, 0) for i in range(10)]
    table = yolo_table(boxes, 3) if layout == 'yolo' else np.array([boxes])
    model = load(write_model(tmp_path / 'm.onnx', table, metadata=NAMES))
    assert len(detect(model, gray(128, 64), max_detections=8)) == 8
    assert len(detect(model, gray(128, 64), max_detections=100)) == 10


@pytest.mark.parametrize('classes, kept', [
    (('dog',), ['dog']), (('2',), ['dog']), (('dog', '0'), ['person', 'dog']), ((), [
        'person', 'dog'])])
def test_only_boxes_of_the_selected_classes_are_kept(tmp_path, classes, kept):
    boxes = [(0, 0, 20, 20, 0.9, 0), (30, 30, 50, 50, 0.8, 2)]
    model = load(write_model(tmp_path / 'm.onnx', yolo_table(boxes, 3), metadata=NAMES))
    assert detect(model, gray(), classes=classes).class_name.tolist() == kept


def test_boxes_below_the_confidence_can_be_kept_for_the_tracker(tmp_path):
    boxes = [(0, 0, 20, 20, 0.9, 0), (30, 30, 50, 50, 0.2, 2)]
    model = load(write_model(tmp_path / 'm.onnx', yolo_table(boxes, 3), metadata=NAMES))
    assert len(detect(model, gray(), min_score=0.1, confidence=0.5)) == 2


def test_an_unknown_class_is_refused_with_the_closest_name(tmp_path):
    model = load(write_model(tmp_path / 'm.onnx', yolo_table([], 3), metadata=NAMES))
    with pytest.raises(SettingError) as caught:
        model.selection(DetectSettings(classes=('persn',)), min_score=0.4)
    assert str(caught.value) == (
        "detect.classes = ['persn']: the model has no class 'persn'; did you mean 'person'?")


def test_boxes_that_are_not_finite_or_have_no_area_are_dropped(tmp_path):
    nan, inf = float('nan'), float('inf')
    table = yolo_table([
        (nan, 0, 20, 20, 0.9, 0), (0, 0, inf, 20, 0.9, 0), (5, 5, 5, 20, 0.9, 0),
        (30, 30, 20, 20, 0.9, 0), (-50, -50, -10, -10, 0.9, 0), (70, 70, 90, 90, 0.9, 0),
        (0, 0, 20, 20, nan, 0), (0, 0, 20, 20, inf, 1), (-10, 50, 30, 90, 0.5, 2)], 3)
    found = detect(load(write_model(tmp_path / 'm.onnx', table, metadata=NAMES)), gray())
    np.testing.assert_allclose(found.xyxy, [[0, 50, 30, 64]])


@pytest.mark.parametrize('boxes', [[], [(0, 0, 20, 20, 0.9, 2)]])
def test_detections_have_the_same_columns_with_and_without_rows(tmp_path, boxes):
    model = load(write_model(tmp_path / 'm.onnx', yolo_table(boxes, 3), metadata=NAMES))
    found = detect(model, gray())
    assert len(found) == len(boxes) and found.xyxy.shape == (len(boxes), 4)
    columns = (found.xyxy, found.score, found.class_id, found.track_id)
    assert [column.dtype for column in columns] == [np.float32, np.float32, np.intp, np.int64]
    assert found.class_name.dtype.kind == 'U'


def test_corners_are_multiples_of_a_hundredth_of_a_pixel(tmp_path):
    table = yolo_table([(1.234, 2.346, 30.1, 40.017, 0.9, 0)], 3)
    found = detect(load(write_model(tmp_path / 'm.onnx', table, metadata=NAMES)), gray())
    np.testing.assert_array_equal(
        found.xyxy, np.array([[1.23, 2.35, 30.1, 40.02]], dtype=np.float32))


def test_a_box_without_size_after_rounding_is_dropped(tmp_path):
    table = yolo_table([(10.001, 10, 10.004, 20, 0.9, 0), (10, 10, 20, 20, 0.8, 1)], 3)
    found = detect(load(write_model(tmp_path / 'm.onnx', table, metadata=NAMES)), gray())
    assert found.class_id.tolist() == [1]


def test_classes_without_names_get_numbers(tmp_path):
    table = yolo_table([(0, 0, 20, 20, 0.9, 2)], 3)
    found = detect(load(write_model(tmp_path / 'm.onnx', table)), gray())
    assert found.class_name.tolist() == ['class_2']


def test_class_names_of_the_file_are_made_printable(tmp_path):
    names = ['a\nb', '\x1b[31mred', '\ud800']
    path = write_model(
        tmp_path / 'm.onnx', yolo_table([(0, 0, 20, 20, 0.9, 2)], 3),
        metadata={'names': ascii(names)})
    model = load(path)
    assert model.info.labels == ('a b', '\ufffd[31mred', '\ufffd')
    assert detect(model, gray()).class_name.tolist() == ['\ufffd']


def test_configured_class_names_take_precedence_over_those_in_the_file(tmp_path):
    table = yolo_table([(0, 0, 20, 20, 0.9, 2)], 3)
    model = load(write_model(tmp_path / 'm.onnx', table, metadata=NAMES), labels=('a', 'b', 'c'))
    assert detect(model, gray()).class_name.tolist() == ['c']


def refusal(path, **settings):
    """Return the error of a model that must be refused."""
    with pytest.raises(ModelError) as caught:
        load(path, **settings)
    return str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    assert refusal(tmp_path / 'none.onnx').endswith("none.onnx': no such file; check the path")


@pytest.mark.parametrize('content', [b'', b'not a model', b'\x08\x08' * 1000])
def test_a_file_that_is_not_onnx_is_refused(tmp_path, content):
    path = tmp_path / 'm.onnx'
    path.write_bytes(content)
    assert 'must be a complete ONNX file that ONNX Runtime' in refusal(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 3, anchors=8000))
    path.write_bytes(path.read_bytes()[:-5000])
    assert 'must be a complete ONNX file' in refusal(path)


@pytest.mark.parametrize('task', ['segment', 'pose', 'obb', 'classify'])
def test_a_model_for_another_task_is_refused(tmp_path, task):
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 3), metadata={**NAMES, 'task': task})
    assert refusal(path).endswith(
        f'must be an object detector, but its task is {task!r}; use a detection model')


def test_an_unknown_layout_is_refused_with_its_shapes_and_the_choices(tmp_path):
    path = write_model(tmp_path / 'm.onnx', np.zeros((1, 1000)), metadata=NAMES)
    assert refusal(path).endswith(
        'has outputs of an unknown layout: output0 (1, 1000); no family has these shapes; export '
        'it in a format of docs/models.md')
    rows = write_model(tmp_path / 'n.onnx', np.full((1, 85, 7), -3.0))
    fitting = refusal(rows).partition('(1, 85, 7); name the classes in model.labels, or set '
                                      'model.family if it is one of: ')[2].split(', ')
    assert 'yolov5' in fitting and not {'auto', 'end2end', 'rfdetr', 'nanodet'} & {*fitting}


def test_a_wrong_number_of_class_names_is_refused(tmp_path):
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 3), metadata=NAMES)
    assert refusal(path, labels=('a', 'b')) == (
        "model.labels = ['a', 'b']: has 2 classes, but the network has 3; "
        'give 3 names in model.labels')
    path = write_model(tmp_path / 'n.onnx', yolo_table([], 5), metadata=NAMES)
    assert 'names 3 classes, but the network has 5' in refusal(path)


@pytest.mark.parametrize('imgsz, pixels', [('[0, 64]', '64 x 0'), ('9000', '9000 x 9000')])
def test_an_impossible_size_in_the_metadata_is_refused(tmp_path, imgsz, pixels):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table([], 3), input_shape=(1, 3, 'h', 'w'),
        metadata={'imgsz': imgsz})
    text = refusal(path)
    assert f'must have an input of 1 to 8192 pixels a side, and not {pixels}, but has ' in text
    assert 'the metadata imgsz is the size' in text


@pytest.mark.parametrize('kind, shape', [
    (onnx.TensorProto.BOOL, (1, 64, 64)), (onnx.TensorProto.INT64, (1,)),
    (onnx.TensorProto.INT64, (1, 10**6, 10**6)), (onnx.TensorProto.INT64, ())])
def test_an_impossible_mask_is_refused(tmp_path, kind, shape):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table([], 3), size_inputs={'pixel_mask': (kind, shape)})
    assert 'must have an input pixel_mask of shape (1, ' in refusal(path)


def test_names_of_inputs_and_outputs_are_made_printable_in_errors(tmp_path):
    name = '\x1b[31mred\nWARNING ' + 'x' * 1000
    path = write_model(tmp_path / 'm.onnx', np.zeros((1, 5)), output_names=[name])
    assert refusal(path).isprintable() and len(refusal(path)) < 1000
    path = write_model(
        tmp_path / 'm.onnx', yolo_table([], 3), input_name=name, input_shape=(1, 7, 64, 64))
    assert refusal(path).isprintable() and len(refusal(path)) < 1000


@pytest.mark.parametrize('node, kind', [
    (onnx.helper.make_node('SequenceConstruct', ['images'], ['found']),
     onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(1, None))),
    (onnx.helper.make_node(
        'Constant', [], ['found'],
        value=onnx.helper.make_tensor('t', 8, (1, 84, 84), 7056 * ['a'])),
     onnx.helper.make_tensor_type_proto(8, (1, 84, 84))),
])
def test_an_output_that_is_not_a_tensor_of_numbers_is_refused(tmp_path, node, kind):
    helper = onnx.helper
    graph = helper.make_graph(
        [node], 'test', [helper.make_tensor_value_info('images', 1, (1, 3, 64, 64))],
        [helper.make_value_info('found', kind)])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8),
        tmp_path / 'm.onnx')
    assert "must have tensors of numbers as outputs, but 'found' is not one" in refusal(
        tmp_path / 'm.onnx')


@pytest.mark.parametrize('shape', [
    (2, 3, 64, 64), (1, 1, 64, 64), (64, 64), (1, 64, 64), (1, 3, 9000, 64)])
def test_an_input_that_is_not_one_color_image_is_refused(tmp_path, shape):
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 3), input_shape=shape)
    assert 'must have' in refusal(path) and 'input' in refusal(path)


def test_an_input_of_an_unknown_type_is_refused(tmp_path):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table([], 3), input_type=onnx.TensorProto.INT32)
    assert 'must have an input of tensor(float), tensor(float16), tensor(uint8)' in refusal(path)


@pytest.mark.parametrize('input_type', [onnx.TensorProto.FLOAT16, onnx.TensorProto.UINT8])
def test_inputs_of_other_number_types_are_supported(tmp_path, input_type):
    table = yolo_table([(0, 0, 20, 20, 0.9, 2)], 3)
    path = write_model(tmp_path / 'm.onnx', table, metadata=NAMES, input_type=input_type)
    assert len(detect(load(path), gray())) == 1


def test_the_size_of_a_dynamic_input_is_read_from_the_metadata(tmp_path):
    path = write_model(
        tmp_path / 'm.onnx', yolo_table([], 3), input_shape=(1, 3, 'h', 'w'),
        metadata={**NAMES, 'imgsz': '[32, 96]'})
    info = load(path).info
    assert (info.input_width, info.input_height) == (96, 32)


def test_a_model_that_does_not_fit_the_configured_family_is_refused(tmp_path):
    path = write_model(tmp_path / 'm.onnx', np.zeros((1, 8, 5)), metadata=NAMES)
    text = refusal(path, family='end2end')
    assert text.startswith(f"model.family = 'end2end': does not fit the outputs of {path}, ")
    assert 'which are output0 (1, 8, 5)' in text and 'expected is (1, n, 6)' in text


def test_the_bundled_model_is_described():
    info = Detector.load(ModelSettings(threads=1)).info
    assert (info.name, info.family, len(info.labels)) == ('nanodet_g_416', 'yolo', 80)
    assert (info.input_width, info.provider, info.threads) == (416, 'CPUExecutionProvider', 1)
    assert str(info) == (
        'nanodet_g_416: yolo (a column for every cell, or a row for every class name), '
        '80 classes, input 416 x 416 RGB 0..1, letterbox, CPUExecutionProvider (auto: the best '
        'of this onnxruntime), 1 thread')


@pytest.mark.parametrize('settings, text', [
    ({'resize': 'stretch'}, 'RGB 0..1, stretch'),
    ({'color': 'bgr'}, 'BGR 0..1, letterbox'),
    ({'std': (1.0, 1.0, 1.0)}, 'RGB 0..255, letterbox'),
    ({'mean': (123.675, 116.28, 103.53), 'std': (58.395, 57.12, 57.375)},
     'RGB ImageNet mean and std, letterbox'),
])
def test_a_parameter_takes_precedence_over_the_preprocessing_of_the_family(
        tmp_path, settings, text):
    path = write_model(tmp_path / 'm.onnx', yolo_table([], 3), metadata=NAMES)
    assert load(path, **settings).info.preprocessing == text


class RecordingBackend:
    """A backend that records its calls."""

    def __init__(self, backend):
        self.inputs, self.outputs = backend.inputs, backend.outputs
        self.metadata, self.info = backend.metadata, backend.info
        self.calls = []
        self._backend = backend

    def infer(self, feeds):
        self.calls.append('infer')
        return self._backend.infer(feeds)

    def values(self):
        return {'calls': len(self.calls)}

    def close(self):
        self.calls.append('close')


def test_any_backend_can_run_the_network(tmp_path):
    table = yolo_table([(0, 0, 20, 20, 0.9, 2)], 3)
    path = write_model(tmp_path / 'm.onnx', table, metadata=NAMES)
    settings = ModelSettings(id=str(path))
    backend = RecordingBackend(LocalBackend.load(settings, path))
    detector = Detector.load(settings, backend)
    runs_at_load = len(backend.calls)
    assert detect(detector, gray()).class_name.tolist() == ['dog']
    detector.close()
    assert runs_at_load >= 2 and backend.calls[runs_at_load:] == ['infer', 'close']
