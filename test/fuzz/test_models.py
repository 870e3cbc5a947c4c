# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Whatever a model file contains, it is refused or its detections are valid."""

from pathlib import Path
import tempfile
import warnings

from fuzz.strategies import any_text, arrays, examples, VALUES
from hypothesis import assume, strategies as st
import numpy as np
import pytest
from udp_infer_ros.detection.backend import BackendInfo
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.families import FAMILIES, recognize
from udp_infer_ros.detection.families.base import ProbeResult
from udp_infer_ros.detection.labels import configured_labels
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import DTYPES, MAX_CLASSES, MAX_INPUT_PX, ModelFile
from udp_infer_ros.detection.postprocess import Postprocessor
from udp_infer_ros.detection.types import InputSize, Selection, TensorInfo
from udp_infer_ros.errors import ModelError
from udp_infer_ros.frame import NO_TRACK
from udp_infer_ros.settings import ModelSettings

SIZE = InputSize(width=64, height=32)
CELLS = (42, 43, 170)
"""Rows of the dense heads at this size."""
ROWS = st.sampled_from((0, 1, 3, 6, 7, 30, 300, *CELLS, 3 * CELLS[0]))
MAX_NUMBERS = 20_000
CLASSES = st.sampled_from((0, 1, 2, 5, 80))
DTYPE = st.sampled_from(('f4', 'f4', 'f4', 'f2', 'f8', 'i8', 'i4', 'u1'))
LAYOUTS = {
    'yolo': lambda n, c: {'output0': (1, 4 + c, n)},
    'yolov5': lambda n, c: {'output0': (1, 3 * n, 5 + c)},
    'yolov6': lambda n, c: {'outputs': (1, n, 5 + c)},
    'yolox': lambda n, c: {'output': (1, n, 5 + c)},
    'yolox_decoded': lambda n, c: {'output': (1, n, 5 + c)},
    'nanodet': lambda n, c: {'output': (1, n, c + 32)},
    'nanodet_split': lambda n, c: {
        name: shape for rows in (32, 8, 2)
        for name, shape in ((f'cls{rows}', (1, rows, c)), (f'dis{rows}', (1, rows, 32)))},
    'end2end': lambda n, c: {'output0': (1, n, 6)},
    'deepstream': lambda n, c: {'output': (1, n, 6)},
    'yolov7_end2end': lambda n, c: {'output': (n, 7)},
    'rtdetr': lambda n, c: {'labels': (1, n), 'boxes': (1, n, 4), 'scores': (1, n)},
    'ultralytics_rtdetr': lambda n, c: {'output0': (1, n, 6)},
    'ultralytics_rtdetr_scores': lambda n, c: {'output0': (1, n, 4 + c)},
    'rfdetr': lambda n, c: {'dets': (1, n, 4), 'labels': (1, n, c)},
    'hf_rtdetr': lambda n, c: {'logits': (1, n, c), 'pred_boxes': (1, n, 4)},
    'detr': lambda n, c: {'logits': (1, n, c + 1), 'pred_boxes': (1, n, 4)},
    'paddle': lambda n, c: {'output': (n, 6), 'count': (1,)},
    'batched_nms': lambda n, c: {
        'num_dets': (1, 1), 'det_boxes': (1, n, 4), 'det_scores': (1, n), 'det_classes': (1, n)},
    'mmdeploy': lambda n, c: {'dets': (1, n, 5), 'labels': (1, n)},
    'torchvision': lambda n, c: {'boxes': (n, 4), 'labels': (n,), 'scores': (n,)},
    'tensorflow': lambda n, c: {
        'detection_boxes': (1, n, 4), 'detection_scores': (1, n), 'detection_classes': (1, n),
        'num_detections': (1,)},
}
OUTPUT_NAMES = sorted({name for layout in LAYOUTS.values() for name in layout(1, 1)})
INPUT_NAMES = st.sampled_from((
    'images', 'image', 'orig_target_sizes', 'im_shape', 'scale_factor', 'pixel_mask', 'x\n'))
NUMBERS = st.floats(0.0, 1.0)


@st.composite
def shapes(draw, family=None):
    """Draw the shapes of the outputs: those of a family, perhaps with changes."""
    name = family or draw(st.sampled_from(sorted(LAYOUTS)))
    found = dict(LAYOUTS[name](draw(ROWS), draw(CLASSES)))
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        key = draw(st.sampled_from((*found, *OUTPUT_NAMES, 'other')))
        found[key] = draw(st.lists(
            st.sampled_from((0, 1, 1, 2, 4, 5, 6, 7, 21, *CELLS)), max_size=4).map(tuple).filter(
                lambda shape: np.prod(shape) <= MAX_NUMBERS))
        if len(found) > 1 and draw(st.booleans()):
            del found[draw(st.sampled_from(sorted(found)))]
    return found


@st.composite
def outputs(draw, found):
    """Fill arrays of the given shapes."""
    return {name: draw(arrays(shape, draw(DTYPE))) for name, shape in found.items()}


SELECTIONS = st.builds(
    Selection, min_score=NUMBERS, iou=NUMBERS, class_agnostic=st.booleans(),
    class_ids=st.one_of(st.just(()), st.lists(st.integers(0, 90), max_size=3).map(tuple)),
    max_candidates=st.integers(1, 1000), max_detections=st.integers(1, 300))
SIDES = st.one_of(st.integers(1, 2000), st.sampled_from((1, 2, 65535)))
LETTERBOXES = st.builds(
    lambda width, height, **options: Letterbox.fit(
        (width, height), (SIZE.width, SIZE.height), **options),
    SIDES, SIDES, keep_aspect=st.booleans(), center=st.booleans(), round_down=st.booleans())


def check(found, letterbox, selection):
    """Check everything that the outputs rely on."""
    assert len(found) <= selection.max_detections
    boxes = found.xyxy.astype(np.float64)
    assert boxes.shape == (len(found), 4) and np.isfinite(boxes).all()
    assert (boxes >= 0).all() and (boxes[:, 0::2] <= letterbox.image_width).all()
    assert (boxes[:, 1::2] <= letterbox.image_height).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert (np.diff(found.score) <= 0).all()
    assert (found.class_id >= 0).all() and (found.track_id == NO_TRACK).all()
    assert all(name.isprintable() for name in found.class_name.tolist())
    assert len(found.class_name) == len(found.class_id) == len(found.score)
    if selection.class_ids:
        assert set(found.class_id.tolist()) <= set(selection.class_ids)


def is_one_line(error):
    """Return whether the text of an error can be printed and is not too long."""
    return str(error).isprintable() and len(str(error)) < 1500


@st.composite
def cases(draw, family):
    """Draw shapes, and two sets of outputs of these shapes."""
    found = draw(shapes(family))
    return draw(outputs(found)), draw(outputs(found))


@st.composite
def networks(draw):
    """Draw a choice of `model.family`, often the right one, and two sets of outputs."""
    name = draw(st.sampled_from(sorted(FAMILIES)))
    kind = draw(st.integers(0, 5))
    choice = draw(st.sampled_from(sorted(FAMILIES))) if not kind else name if kind == 1 else 'auto'
    return choice, *draw(cases(name))


@pytest.mark.parametrize('name', sorted(FAMILIES))
def test_a_decoder_accepts_any_values_of_shapes_that_fit(name):
    fitted = []

    @examples(
        40, case=cases(name), selection=SELECTIONS, letterbox=LETTERBOXES,
        label_count=st.integers(0, 3))
    def run(case, selection, letterbox, label_count):
        family, (first, second) = FAMILIES[name], case
        probe = ProbeResult(
            inputs=('images',), outputs=first, metadata={}, class_count=None, size=SIZE)
        if not family.fits(probe) or name == 'detr' and first['logits'].shape[-1] == 1:
            return
        fitted.append(name)
        family.count_classes(probe)
        postprocess = Postprocessor(
            family=family, labels=('a', 'b', 'c')[:label_count], size=SIZE)
        for values in (first, second):
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                found = postprocess(values, letterbox, selection)
            check(found, letterbox, selection)
    run()
    assert fitted


@examples(
    600, network=networks(), class_count=st.sampled_from((None, 1, 2, 5, 38, 80)),
    inputs=st.lists(INPUT_NAMES, min_size=1, max_size=3),
    metadata=st.sampled_from(({}, {'head': 'RTDETRDecoder'}, {'head': ''})))
def test_a_network_is_refused_or_recognized_as_a_family_that_it_fits(
        network, class_count, inputs, metadata):
    choice, outputs, _ = network
    probe = ProbeResult(
        inputs=tuple(inputs), outputs=outputs, metadata=metadata, class_count=class_count,
        size=SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        try:
            family, reason = recognize(probe, 'model', choice)
        except ModelError as error:
            assert is_one_line(error)
            return
    assert family.fits(probe) and reason.isprintable()
    assert choice in ('auto', family.name)


LITERALS = st.one_of(
    any_text(60), VALUES.map(repr),
    st.lists(any_text(10), max_size=5).map(repr),
    st.dictionaries(st.integers(-2, 70000), any_text(10), max_size=5).map(repr),
    st.sampled_from((
        '[True, True]', '640', '[64, 32]', '(64,)', '0', '-1', '99999', '[' * 5000, '9' * 5000,
        '{0: "a", 0: "b"}', '[[]]', '{[]: 1}', '["\\ud800"]', "['\\x1b']", '["\\N{BELL}"]',
        '[' + '"",' * 70000 + ']', '[' + '[],' * 70000 + ']', '__import__("os")', '[*a]')))
DIMENSIONS = st.sampled_from((None, 1, 2, 3, 3, 32, 64, 8192, 8193, 2**31, 2**62))


@st.composite
def tensors(draw, sizes=DIMENSIONS):
    """Draw an input; usually that of an image."""
    if draw(st.integers(0, 3)):
        shape = (draw(st.sampled_from((1, 1, None, 2))), 3, draw(sizes), draw(sizes))
        return TensorInfo(name='images', shape=shape, dtype='tensor(float)')
    return TensorInfo(
        name=draw(st.one_of(INPUT_NAMES, any_text(10))),
        shape=tuple(draw(st.lists(sizes, max_size=5))),
        dtype=draw(st.sampled_from((*DTYPES, 'tensor(bool)', 'tensor(string)', 'seq(x)', ''))))


@examples(
    600, inputs=st.lists(tensors(), max_size=3), names=LITERALS, imgsz=LITERALS,
    task=st.one_of(st.sampled_from(('detect', 'segment')), any_text(60)))
def test_metadata_of_any_content_is_refused_or_read(inputs, names, imgsz, task):
    file = ModelFile(
        name='model', inputs=tuple(inputs),
        metadata={'names': names, 'imgsz': imgsz, 'task': task})
    labels = file.labels()
    assert len(labels) <= MAX_CLASSES and all(isinstance(label, str) for label in labels)
    try:
        file.require_detector()
        image = file.image_input()
        assert 0 < image.size.width <= MAX_INPUT_PX and 0 < image.size.height <= MAX_INPUT_PX
        if image.size.width * image.size.height <= 4096:
            feeds = file.size_inputs(image.size)
            assert sum(feed.nbytes for feed in feeds.values()) < 10**6
    except ModelError as error:
        assert is_one_line(error)


@examples(250, suffix=st.sampled_from(('.txt', '.yaml', '.json')), content=st.one_of(
    LITERALS.map(lambda text: text.encode('utf-8', 'surrogatepass')), st.binary(max_size=60),
    LITERALS.map(lambda text: f'names: {text}'.encode('utf-8', 'replace')),
    st.sampled_from((
        b'a: &a [x, *a]\nnames: *a', b'names: {1: a, 2: b}', b'!!python/object:os.system x',
        b'- ' * 3000, b'{"names": ' * 3000, b'names:\n- 2001-99-99', b'? [a]\n: b'))))
def test_a_file_of_labels_is_refused_or_has_names(suffix, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f'labels{suffix}'
        path.write_bytes(content)
        try:
            labels = configured_labels([str(path)])
        except ModelError as error:
            assert is_one_line(error)
            return
    assert labels and all(isinstance(label, str) for label in labels)


class Network:
    """A network that returns given outputs, first for the noise and then for the gray image."""

    def __init__(self, inputs, metadata, *found):
        self.inputs = tuple(inputs)
        self.outputs = tuple(found[0])
        self.metadata = metadata
        self.info = BackendInfo(
            name='network', location='here', provider='test', provider_reason='test', threads=1)
        self._found = list(found)

    def infer(self, feeds):
        """Return the next outputs; the last ones again and again."""
        assert {tensor.name for tensor in self.inputs} == feeds.keys()
        return self._found.pop(0) if len(self._found) > 1 else self._found[0]

    def close(self):
        """Do nothing."""


USUAL_INPUTS = [TensorInfo(name='images', shape=(1, 3, 32, 64), dtype='tensor(float)')]
SMALL = st.sampled_from((None, 32, 64, 64, 1, 3, 9000))
SMALL_IMGSZ = st.sampled_from(('[32, 64]', '[64, 64]', '32', '[True, True]', '0', '99999', '{}'))
ODD_OUTPUTS = st.sampled_from((
    {'a': [np.zeros((1, 4, 6))]}, {'a': {1: 2.0}}, {'a': np.array(['x'], dtype=object)},
    {'a': np.zeros((1, 21, 6), dtype=np.complex64)}, {'a': None}))


def seldom(strategy, default):
    """Draw the default in three of four cases."""
    return st.integers(0, 3).flatmap(lambda number: st.just(default) if number else strategy)


@examples(
    400, network=networks(), inputs=seldom(
        st.lists(tensors(SMALL), min_size=1, max_size=2), USUAL_INPUTS),
    names=seldom(LITERALS, ''), imgsz=SMALL_IMGSZ, odd=seldom(ODD_OUTPUTS, None),
    labels=seldom(st.lists(any_text(10), max_size=3), []),
    selection=SELECTIONS, letterbox=LETTERBOXES)
def test_a_model_is_refused_or_loaded_and_its_detections_are_valid(
        inputs, network, names, imgsz, odd, labels, selection, letterbox):
    inputs = {tensor.name: tensor for tensor in inputs}.values()
    family, *found = network
    assume(all(values.get('logits', np.ones((1, 1, 2))).shape[-1:] != (1,) for values in found))
    backend = Network(
        inputs, {'names': names, 'imgsz': imgsz}, found[0] if odd is None else odd, *found)
    try:
        detector = Detector.load(
            ModelSettings(id='model', family=family, labels=tuple(labels)), backend)
    except ModelError as error:
        assert is_one_line(error)
        return
    assert len(detector.info.labels) <= MAX_CLASSES
    for label in detector.info.labels:
        assert label and label.encode()
        assert label.replace('\u200c', '').replace('\u200d', '').isprintable()
    if odd is None:
        for values in found:
            check(detector.read(values, letterbox, selection), letterbox, selection)


def test_detr_without_a_class_is_refused_or_has_no_detection():
    found = {'logits': np.zeros((1, 5, 1), 'f4'), 'pred_boxes': np.zeros((1, 5, 4), 'f4')}
    network = Network(USUAL_INPUTS, {}, found)
    try:
        detector = Detector.load(ModelSettings(id='model', family='detr'), network)
    except ModelError:
        return
    selection = Selection(
        min_score=0.1, iou=0.5, class_agnostic=False, max_candidates=9, max_detections=9)
    assert not len(detector.read(found, Letterbox.fit((64, 32), (64, 32)), selection))


def test_a_network_without_outputs_is_refused():
    with pytest.raises(ModelError):
        Detector.load(ModelSettings(id='model'), Network(USUAL_INPUTS, {}, {}))


def test_a_network_with_boolean_outputs_is_refused():
    found = {'output': np.ones((1, CELLS[0], 6), dtype=np.bool_)}
    with pytest.raises(ModelError):
        Detector.load(
            ModelSettings(id='model', labels=('a',)), Network(USUAL_INPUTS, {}, found))
