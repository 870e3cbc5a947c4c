# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Networks with the layers and the outputs of known families, and random weights.

They take the time of a real network, but detect nothing: every score is below 0.1. Each has an
input of SIZE x SIZE pixels and the 80 class names of COCO in its metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper, save, TensorProto
from udp_infer_ros.detection.catalog import COCO

SIZE = 320
REG_MAX = 16
"""Bins of a side of a box in the heads of YOLOv8 and YOLO12."""


class Graph:
    """
    An ONNX graph under construction; each method adds an operation and returns its output.

    Convolutions are followed by SiLU, as after the batch normalization is folded into them.
    """

    def __init__(self) -> None:
        self.nodes: list[object] = []
        self.weights: list[object] = []
        self.channels = {'images': 3}
        self._random = np.random.default_rng(1)

    def op(self, kind: str, *inputs: str, channels: int = 0, **attributes: object) -> str:
        """Add any operator with one output."""
        return self.ops(kind, 1, *inputs, channels=channels, **attributes)[0]

    def ops(
        self, kind: str, count: int, *inputs: str, channels: int = 0, **attributes: object,
    ) -> list[str]:
        """Add an operator with several outputs of the same number of channels."""
        outputs = [f'{kind}{len(self.nodes)}_{number}' for number in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        self.channels.update((name, channels or self.channels.get(inputs[0], 0))
                             for name in outputs)
        return outputs

    def constant(self, value: object) -> str:
        """Add a constant."""
        name = f'constant{len(self.weights)}'
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def random(self, *shape: int, gain: float = 2.0) -> str:
        """Add random weights; the first axis is that of the outputs."""
        scale = (gain / np.prod(shape[1:])) ** 0.5
        return self.constant(self._random.normal(0.0, scale, shape).astype(np.float32))

    def conv(
        self, data: str, width: int, kernel: int = 3, stride: int = 1, *, groups: int = 1,
        activation: bool = True, bias: float = 0.0,
    ) -> str:
        """Add a convolution with `width` filters."""
        out = self.op(
            'Conv', data, self.random(width, self.channels[data] // groups, kernel, kernel),
            self.constant(np.full(width, bias, dtype=np.float32)), channels=width, group=groups,
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)
        return self.op('Mul', out, self.op('Sigmoid', out)) if activation else out

    def concat(self, *parts: str) -> str:
        """Join the channels of feature maps."""
        return self.op(
            'Concat', *parts, axis=1, channels=sum(self.channels[part] for part in parts))

    def split(self, data: str) -> list[str]:
        """Split the channels of a feature map in two halves."""
        return self.ops('Split', 2, data, axis=1, channels=self.channels[data] // 2)

    def upsample(self, data: str) -> str:
        """Double the size of a feature map."""
        scales = self.constant(np.array([1, 1, 2, 2], dtype=np.float32))
        return self.op('Resize', data, '', scales, mode='nearest')

    def reshape(self, data: str, *shape: int) -> str:
        """Change the shape."""
        return self.op('Reshape', data, self.constant(np.array(shape, dtype=np.int64)))

    def rows(self, data: str) -> str:
        """Flatten a feature map to (1, channels, cells)."""
        return self.reshape(data, 1, self.channels[data], -1)

    def tokens(self, data: str) -> str:
        """Convert a feature map to (1, cells, channels)."""
        return self.op('Transpose', self.rows(data), perm=[0, 2, 1])

    def linear(self, data: str, width_in: int, width: int, *, bias: float = 0.0) -> str:
        """Add a matrix product over the last axis."""
        product = self.op('MatMul', data, self.random(width_in, width, gain=1.0))
        return self.op(
            'Add', product, self.constant(np.full(width, bias, dtype=np.float32)),
            channels=width)

    def norm(self, data: str, width: int) -> str:
        """Add a layer normalization."""
        return self.op(
            'LayerNormalization', data, self.constant(np.ones(width, dtype=np.float32)),
            self.constant(np.zeros(width, dtype=np.float32)), axis=-1)

    def attention(self, query: str, memory: str, width: int, heads: int = 8) -> str:
        """Add multi-head attention of tokens (1, n, width) to tokens (1, m, width)."""
        parts, plain = [], [0, 2, 1, 3]
        for source, perm in ((query, plain), (memory, [0, 2, 3, 1]), (memory, plain)):
            part = self.reshape(self.linear(source, width, width), 1, -1, heads, width // heads)
            parts.append(self.op('Transpose', part, perm=perm))
        scores = self.op('Mul', self.op('MatMul', parts[0], parts[1]), self.constant(
            np.float32((width // heads) ** -0.5)))
        mixed = self.op('MatMul', self.op('Softmax', scores, axis=-1), parts[2])
        flat = self.reshape(self.op('Transpose', mixed, perm=plain), 1, -1, width)
        return self.linear(flat, width, width)

    def save(self, path: Path, output: str, shape: Sequence[int]) -> Path:
        """Write the file, with `output` as its output."""
        self.nodes.append(helper.make_node('Identity', [output], ['output0']))
        graph = helper.make_graph(
            self.nodes, path.stem,
            [helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
            [helper.make_tensor_value_info('output0', TensorProto.FLOAT, shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
        model.metadata_props.add(key='names', value=str(dict(enumerate(COCO))))
        save(model, str(path))
        return path


Block = Callable[[Graph, str, int, int], str]
"""Adds a block of a number of channels and a depth."""


def yolov8(path: Path) -> Path:
    """Write a network like YOLOv8n."""
    return _yolo(path, _c2f)


def yolo12(path: Path) -> Path:
    """Write a network like YOLO12n: attention in the deeper half of the backbone."""
    return _yolo(path, _area_attention)


def rtdetr(path: Path) -> Path:
    """Write a network like RT-DETR: convolutions, an encoder, and a decoder of 300 queries."""
    graph, width = Graph(), 256
    maps = _backbone(graph, (32, 64, 128, 256, 384), (1, 2, 3, 3, 2), _c2f)
    levels = [graph.conv(data, width, 1, activation=False) for data in maps]
    levels[2] = _as_map(
        graph, _transformer(graph, graph.tokens(levels[2]), width, 1024), width, SIZE // 32)
    levels[1] = _c2f(graph, graph.concat(graph.upsample(levels[2]), levels[1]), width, 2)
    levels[0] = _c2f(graph, graph.concat(graph.upsample(levels[1]), levels[0]), width, 2)
    memory = graph.op('Concat', *map(graph.tokens, levels), axis=1)
    best = graph.op('ReduceMax', graph.linear(memory, width, len(COCO)), axes=[2], keepdims=0)
    _, chosen = graph.ops('TopK', 2, best, graph.constant(np.array([300])), axis=1)
    queries = graph.op(
        'Gather', memory, graph.reshape(chosen, 300), axis=1)
    for _ in range(3):
        queries = _transformer(graph, queries, width, 1024)
        found = graph.attention(queries, memory, width)
        queries = graph.norm(graph.op('Add', queries, found), width)
    boxes = graph.op('Sigmoid', graph.linear(queries, width, 4))
    scores = graph.op('Sigmoid', graph.linear(queries, width, len(COCO), bias=-9.0))
    return graph.save(
        path, graph.op('Concat', boxes, scores, axis=2), (1, 300, 4 + len(COCO)))


def _yolo(path: Path, deep: Block) -> Path:
    """
    Write a YOLO of the nano size: backbone, neck from coarse to fine and back, three heads.

    :param deep: the block of the deeper half.
    """
    graph = Graph()
    fine, middle, coarse = _backbone(graph, (16, 32, 64, 128, 256), (1, 1, 2, 2, 1), deep)
    up = _c2f(graph, graph.concat(graph.upsample(coarse), middle), 128)
    first = _c2f(graph, graph.concat(graph.upsample(up), fine), 64)
    second = _c2f(graph, graph.concat(graph.conv(first, 64, 3, 2), up), 128)
    third = _c2f(graph, graph.concat(graph.conv(second, 128, 3, 2), coarse), 256)
    heads = [_head(graph, data) for data in (first, second, third)]
    sides = _distances(graph, graph.op('Concat', *(side for side, _ in heads), axis=2))
    scores = graph.op(
        'Sigmoid', graph.op('Concat', *(score for _, score in heads), axis=2))
    boxes = graph.op('Add', sides, graph.constant(_centers()))
    return graph.save(
        path, graph.op('Concat', boxes, scores, axis=1), (1, 4 + len(COCO), _cells()))


def _backbone(
    graph: Graph, widths: Sequence[int], depths: Sequence[int], deep: Block,
) -> tuple[str, str, str]:
    """Add five stages that halve the size, and return the maps of strides 8, 16 and 32."""
    data, maps = 'images', []
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        data = graph.conv(data, width, 3, 2)
        if stage:
            data = (deep if stage > 2 else _c2f)(graph, data, width, depth)
        maps.append(data)
    half = graph.conv(data, widths[-1] // 2, 1)
    pools = [half]
    for _ in range(3):
        pools.append(graph.op('MaxPool', pools[-1], kernel_shape=[5, 5], pads=[2] * 4))
    return maps[2], maps[3], graph.conv(graph.concat(*pools), widths[-1], 1)


def _c2f(graph: Graph, data: str, width: int, depth: int = 1) -> str:
    """Add a block of YOLOv8: half of the channels pass bottlenecks, and all are joined."""
    parts = graph.split(graph.conv(data, width, 1))
    for _ in range(depth):
        inner = graph.conv(graph.conv(parts[-1], width // 2), width // 2)
        parts.append(graph.op('Add', parts[-1], inner))
    return graph.conv(graph.concat(*parts), width, 1)


def _area_attention(graph: Graph, data: str, width: int, depth: int = 1) -> str:
    """Add a block of YOLO12: attention and two pointwise convolutions, with residuals."""
    inner = width // 2
    parts = [graph.conv(data, inner, 1)]
    size = SIZE // (16 if width < 256 else 32)
    for _ in range(2 * depth):
        tokens = graph.tokens(parts[-1])
        mixed = _as_map(graph, graph.attention(tokens, tokens, inner, inner // 32), inner, size)
        near = graph.conv(parts[-1], inner, 7, groups=inner, activation=False)
        mixed = graph.op('Add', parts[-1], graph.op('Add', mixed, near))
        wide = graph.conv(mixed, inner * 2, 1)
        parts.append(graph.op('Add', mixed, graph.conv(wide, inner, 1, activation=False)))
    return graph.conv(graph.concat(*parts), width, 1)


def _transformer(graph: Graph, tokens: str, width: int, hidden: int) -> str:
    """Add a layer of a transformer: self-attention and two matrix products, with residuals."""
    mixed = graph.op('Add', tokens, graph.attention(tokens, tokens, width))
    mixed = graph.norm(mixed, width)
    inner = graph.op('Relu', graph.linear(mixed, width, hidden))
    return graph.norm(graph.op('Add', mixed, graph.linear(inner, hidden, width)), width)


def _as_map(graph: Graph, tokens: str, width: int, size: int) -> str:
    """Convert tokens to a feature map of size x size cells."""
    data = graph.op('Transpose', tokens, perm=[0, 2, 1], channels=width)
    return graph.reshape(data, 1, width, size, size)


def _head(graph: Graph, data: str) -> tuple[str, str]:
    """Add the branches for the sides and for the scores, each (1, channels, cells)."""
    side = graph.conv(graph.conv(graph.conv(data, 64), 64), 4 * REG_MAX, 1, activation=False)
    score = graph.conv(graph.conv(data, 80), 80)
    score = graph.conv(score, len(COCO), 1, activation=False, bias=-9.0)
    return graph.rows(side), graph.rows(score)


def _distances(graph: Graph, bins: str) -> str:
    """Add the mean of the distribution of each side: (1, 4 x bins, cells) to (1, 4, cells)."""
    parted = graph.op(
        'Softmax', graph.reshape(bins, 1, 4, REG_MAX, _cells()), axis=2, channels=4)
    values = np.arange(REG_MAX, dtype=np.float32)[:, np.newaxis]
    weighted = graph.op('Mul', parted, graph.constant(values))
    return graph.op('ReduceSum', weighted, graph.constant(np.array([2])), keepdims=0)


def _cells() -> int:
    return sum((SIZE // stride) ** 2 for stride in (8, 16, 32))


def _centers() -> NDArray[np.float32]:
    """Return an offset for each box, so that the boxes are in the image: (4, cells), pixels."""
    offset = np.full((4, _cells()), SIZE / 8, dtype=np.float32)
    offset[:2] = np.linspace(SIZE / 8, SIZE * 7 / 8, _cells(), dtype=np.float32)
    return offset
