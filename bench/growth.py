# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""How the cost of a frame grows: plots, sentences, and whether it is faster than linear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import log2, pow as power
from pathlib import Path
from typing import Any

Data = Mapping[str, Any]
Points = list[tuple[float, float]]

LINEAR = 2.1
"""Limit of the cost of twice the quantity: 2, and 5 % for the error of the measurement."""
LEAST_FACTOR = 3.0
"""Points are compared if their quantities differ at least by this factor."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A cost that grows with a quantity."""

    part: str
    """The file that has the points."""
    read: Callable[[Data], Points]
    """Returns quantities, in their order, and costs in milliseconds."""
    cost: str
    quantity: str

    @property
    def countable(self) -> str:
        """Return the quantity without its unit."""
        return self.quantity.removeprefix('million ')

    def doubling(self, data: Data) -> float:
        """Return by how much twice the quantity multiplies the cost, where that is most."""
        points = [point for point in self.read(data) if point[0] > 0.0]
        return max(
            power(2.0, log2(y2 / y1) / log2(x2 / x1))
            for (x1, y1), (x2, y2) in combinations(points, 2) if x2 / x1 >= LEAST_FACTOR)

    def sentence(self, data: Data) -> str:
        """Return the growth in words."""
        (x1, y1), *_, (x2, y2) = self.read(data)
        doubling = self.doubling(data)
        verdict = 'not faster than linear' if doubling <= LINEAR else 'faster than linear'
        return (
            f'From {x1:,.3g} to {x2:,.4g} {self.quantity}, {self.cost} grows from {y1:.2f} to '
            f'{y2:.2f} ms; twice as many cost {doubling:.2f} times as much at most, which is '
            f'{verdict}.')


def of_path(table: str, quantity: Callable[[Data], float]) -> Callable[[Data], Points]:
    """Return a function that reads a table of path.json."""
    return lambda data: [(quantity(case), case['now']['median_ms']) for case in data[table]]


GROWTHS = (
    Growth(part='path', read=of_path('objects', lambda case: case['objects']),
           cost='the time of a frame without the network', quantity='objects'),
    Growth(part='path',
           read=of_path('size', lambda case: case['width'] * case['height'] / 1e6),
           cost='the time of a frame without the network', quantity='million pixels'),
    Growth(part='path', read=of_path('targets', lambda case: case['targets']),
           cost='the time of a frame without the network', quantity='receivers'),
    Growth(part='cameras', read=lambda data: [
        (case['cameras'], case['cameras'] * case['cpu_ms'])
        for case in data['growth']['one process']],
        cost='the CPU time of a frame of each, with the network,',
        quantity='cameras in one process'),
)


def sentences(files: Mapping[str, Data]) -> Iterator[str]:
    """Yield a sentence for each growth that was measured."""
    for growth in GROWTHS:
        if growth.part in files:
            yield growth.sentence(files[growth.part])


def draw(files: Mapping[str, Data], path: Path) -> None:
    """Draw each growth that was measured, with a line of the cost per unit of the last point."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(2, 2, figsize=(9.0, 6.0), layout='constrained')
    for axis, growth in zip(axes.flat, GROWTHS):
        axis.set_xlabel(growth.quantity)
        axis.set_ylabel('ms')
        if growth.part not in files:
            continue
        x, y = zip(*growth.read(files[growth.part]))
        axis.plot(x, y, marker='o', label=growth.cost.removesuffix(','))
        axis.plot((0, x[-1]), (0, y[-1]), ':', color='gray', label='linear, without a fixed cost')
        axis.set_xlim(left=0.0)
        axis.set_ylim(bottom=0.0)
        axis.legend(frameon=False, loc='upper left', fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
