# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Write the tables of docs/performance.md from the files of the parts of the bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import re
from statistics import median
from typing import Any

from growth import draw, Growth, GROWTHS, LINEAR, sentences

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / 'build' / 'bench'
RUNS = FOLDER / 'runs.json'
"""When each part ran, and beside which load."""
PAGE = ROOT / 'docs' / 'performance.md'
PICTURE = ROOT / 'docs' / 'images' / 'growth.png'
OBJECTS = (0, 20, 50, 300)
BLOCK = re.compile(r'(?<=<!-- bench: )(\w+)( -->\n).*?(?=<!-- end of bench -->)', re.DOTALL)
NOT_MEASURED = 'not measured'
Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure of the table."""

    part: str
    name: str
    read: Callable[[Data], Sequence[float]]
    """Returns the measured values from the file of the part."""
    unit: str = ''
    suffix: str = ''
    """Follows the measured values; may contain fields of the file, in braces."""
    goals: Sequence[float] = ()
    """One for each value; none if the figure has no goal."""
    at_least: bool = False
    """Whether the values may not be below their goals, instead of above."""

    def cells(self, data: Data) -> tuple[str, str, str]:
        """Return the goal, the measured values, and whether these meet the goal."""
        values = self.read(data)
        if not values:
            return self.goal, NOT_MEASURED, ''
        measured = joined(values, self.unit) + self.suffix.format_map(data)
        if not self.goals:
            return '', measured, ''
        met = [value >= goal if self.at_least else value <= goal
               for value, goal in zip(values, self.goals, strict=True)]
        verdict = 'yes' if all(met) else f'{sum(met)} of {len(met)}' if any(met) else 'no'
        return self.goal, measured, verdict

    @property
    def goal(self) -> str:
        """Return the goal as text; empty if there is none."""
        if not self.goals:
            return ''
        return f'{"≥" if self.at_least else "≤"} {joined(self.goals, self.unit)}'


def joined(values: Sequence[float], unit: str) -> str:
    """Return numbers with three digits, and their unit."""
    numbers = (f'{value:.0f}' if value >= 100.0 else f'{value:.3g}' for value in values)
    return f'{" / ".join(numbers)} {unit}'.strip()


def of_objects(figure: str) -> Callable[[Data], list[float]]:
    """Return a function that reads a figure of path.json for each number of objects."""
    return lambda data: [
        case['now'][figure] for count in OBJECTS
        for case in data['objects'] if case['objects'] == count]


def of_whole(
    models: Sequence[str], paths: Sequence[str], loop: str = 'loop',
) -> Callable[[Data], list[float]]:
    """Return a function that reads the ratios of paths to a bare loop."""
    return lambda data: [
        median(data['models'][model][path]['ratios'][loop])
        for model in models for path in paths if path in data['models'][model]]


def of_growth(growth: Growth) -> Callable[[Data], list[float]]:
    """Return a function that reads by how much twice the quantity multiplies the cost."""
    return lambda data: [growth.doubling(data)]


ROWS = (
    Row(part='path', unit='ms', goals=(0.8, 1.3, 2.0, 5.0), read=of_objects('median_ms'),
        name='all but the network, 1280 x 720, 0 / 20 / 50 / 300 objects, median'),
    Row(part='path', goals=(2.0,) * 4, name='the same, 99th percentile / median',
        read=lambda data: [p99 / median for p99, median in zip(
            of_objects('p99_ms')(data), of_objects('median_ms')(data))]),
    Row(part='path', unit='frames/s', goals=(1200, 750, 500, 200), at_least=True,
        read=of_objects('frames_per_s'), name='the same with a network of 0 ms'),
    Row(part='track_time', unit='ms', goals=(0.3, 0.4, 1.5),
        read=lambda data: [row['ours_ms'] for row in data['rows'][:3]],
        name='tracker, 10 / 50 / 300 objects, median'),
    Row(part='track_time', unit='times', read=lambda data: [
        row['ratio'] for row in data['rows'][:3]],
        name='the time of ByteTrack in the package `trackers` over that'),
    Row(part='whole', goals=(0.97, 0.85), at_least=True,
        read=of_whole(['default', 'small'], ['node']),
        name='node with its defaults, 720p file, default / small model: rate over that of a bare '
             'loop of `session.run`'),
    Row(part='whole', read=of_whole(['default', 'small'], ['node'], 'loop of several'),
        suffix=' with {callers} callers',
        name='the same, over a bare loop with several callers at once'),
    Row(part='whole', read=of_whole(['default', 'small'], ['node, concurrency 1']),
        name='the same, with `model.concurrency: 1`, over the bare loop of one caller'),
    Row(part='whole', unit='ms', read=lambda data: [
        data['live']['p50_ms'], data['live']['p95_ms']],
        name='720p camera at 30/s: latency without the inference, median / 95th percentile'),
    Row(part='latency', unit='ms', goals=(1.5,) * 2, read=lambda data: [
        data['rows'][-1][f'{output}_over_bare_ms'] for output in (
            'detections', 'datagram')],
        name='50 objects, raw 720p topic to `~/detections` / to the datagram, minus inference '
             'and minus the latency of a bare rclpy subscriber'),
    Row(part='process', unit='s', goals=(0.8,), read=lambda data: [data['start_minus_model_s']],
        suffix=' (whole: {start_s:.2f} s)',
        name='start of the node to the first datagram, minus a script that runs the model once'),
    Row(part='process', unit='s', read=lambda data: [data['start_measured_minus_model_s']],
        name='the same for a file, where `model.concurrency` is measured first'),
    Row(part='process', unit='% of a core', goals=(0.5,), name='CPU time of a node without frames',
        read=lambda data: [data['idle_cpu_percent']]),
    Row(part='process', goals=(1.3,), read=lambda data: [data['cpu_ratio']],
        suffix=' ({cpu_node_ms:.1f} ms a frame)',
        name='CPU time at 30 frames/s of a 720p file with a small model, over that of a bare loop '
             'that reads the file and runs the network'),
    Row(part='memory', unit='%', goals=(2.0,), read=lambda data: [data['growth_percent']],
        suffix=' of {resident_mb:.0f} MB in {minutes:g} minutes',
        name='largest growth of the resident memory after a minute, at full speed'),
    *(Row(part=growth.part, unit='times', goals=(LINEAR,), read=of_growth(growth),
          name=f'cost of twice as many {growth.countable}; 2 is linear') for growth in GROWTHS),
)


def goals_table(files: Mapping[str, Data], runs: Mapping[str, Data]) -> Iterator[str]:
    """Yield the lines of the table of all figures, with its machine and versions."""
    yield '| figure | measured | goal | met | date | load |'
    yield '|---|---|---|---|---|---|'
    for row in ROWS:
        if row.part not in files:
            yield f'| {row.name} | {NOT_MEASURED} | {row.goal} | | | |'
            continue
        goal, measured, met = row.cells(files[row.part])
        run = runs[row.part]
        yield (f'| {row.name} | {measured} | {goal} | {met} | {run["date"]} | {run["load"]}, '
               f'{run["others"]:.0%} |')
    yield ''
    yield ('"load" is the load average before the measurement, and the share of the CPU time that '
           'other programs used during it. ' + '; '.join(conditions(runs)) + '.')


def conditions(runs: Mapping[str, Data]) -> Iterator[str]:
    """Yield the machine and versions of all parts, in short."""
    parts: dict[str, list[str]] = {}
    for part, run in runs.items():
        parts.setdefault(f'{run["machine"]}, {run["versions"]}', []).append(part)
    for text, names in parts.items():
        yield text if len(parts) == 1 else f'{", ".join(names)}: {text}'


def summary(files: Mapping[str, Data], runs: Mapping[str, Data]) -> Iterator[str]:
    """Yield what limits the rate, as a list."""
    default, small = (files['whole']['models'][name] for name in ('default', 'small'))
    [own_ms] = [case['now']['median_ms'] for case in files['path']['objects']
                if case['objects'] == 20]
    topic_ms = files['latency']['rows'][-1]['detections_over_bare_ms']
    yield (f'* The default model takes {default["loop"]["inference_ms"]:.1f} ms for a frame. '
           f'Everything else takes {own_ms:.1f} ms, with 20 objects at 1280 x 720.')
    for name, arms in (('the default model', default), ('a small model', small)):
        node, loop = arms['node'], arms['loop']
        yield (f'* The node processes {node["frames_per_s"]:.0f} frames/s of a 720p file with '
               f'{name}; a loop that only runs the network, for {loop["inference_ms"]:.1f} ms a '
               f'frame, reaches {loop["frames_per_s"]:.0f}.')
    yield (f'* With a raw 720p topic, `~/detections` arrive {topic_ms:.1f} ms after a bare '
           'subscriber has the image, and the time of the network.')


def stages_table(files: Mapping[str, Data], runs: Mapping[str, Data]) -> Iterator[str]:
    """Yield the lines of the table of the stages, by number of objects."""
    cases = files['path']['objects']
    stages = [stage for stage in cases[0]['now']['stages_ms'] if stage != 'motion']
    yield f'| objects | {" | ".join(stages)} | whole, ms |'
    yield '|---' * (len(stages) + 2) + '|'
    for case in cases:
        times = case['now']['stages_ms']
        yield (f'| {case["objects"]} | ' + ' | '.join(f'{times[stage]:.2f}' for stage in stages)
               + f' | {case["now"]["median_ms"]:.2f} |')


def usual_table(files: Mapping[str, Data], runs: Mapping[str, Data]) -> Iterator[str]:
    """Yield the lines of the table of stages beside the usual way to compute the same."""
    yield '| stage | here | the usual way | ratio |'
    yield '|---|---|---|---|'
    for row in files['stages']['stages']:
        usual = '|' if 'usual' not in row else (
            f'{row["usual_ms"]:.2f} ms, {row["usual"]} | {row["usual_ms"] / row["ms"]:.1f}')
        yield f'| {row["name"]} | {row["ms"]:.2f} ms | {usual} |'


def growth_text(files: Mapping[str, Data], runs: Mapping[str, Data]) -> Iterator[str]:
    """Yield the plot, which is drawn again, and a sentence for each curve."""
    draw(files, PICTURE)
    yield f'![Growth of the cost](images/{PICTURE.name})'
    yield ''
    yield from (f'* {sentence}' for sentence in sentences(files))


BLOCKS: Mapping[str, tuple[Sequence[str], Callable[..., Iterator[str]]]] = {
    'summary': (('path', 'whole', 'latency'), summary),
    'table': ((), goals_table),
    'stages': (('path',), stages_table),
    'growth': (('path', 'cameras'), growth_text),
    'usual': (('stages',), usual_table),
}
"""The blocks of the page: the parts that each needs, and what returns its lines."""


def read_runs() -> dict[str, Data]:
    """Return when each part ran, and beside which load."""
    runs: dict[str, Data] = (
        json.loads(RUNS.read_text(encoding='utf-8')) if RUNS.exists() else {})
    return runs


def is_of(part: str, run: Data) -> bool:
    """Return whether the file of a part is that of the run, and not of its script alone."""
    file = FOLDER / f'{part}.json'
    return file.exists() and file.stat().st_mtime_ns == run['written_ns']


def write_page() -> None:
    """
    Replace the blocks of the page that this module writes.

    :raises ValueError: if the page does not have each of them once.
    """
    runs = {part: run for part, run in read_runs().items() if is_of(part, run)}
    files = {part: json.loads((FOLDER / f'{part}.json').read_text(encoding='utf-8'))
             for part in runs}
    page = PAGE.read_text(encoding='utf-8')
    if sorted(match[1] for match in BLOCK.finditer(page)) != sorted(BLOCKS):
        raise ValueError(f'{PAGE.name} must have each block once: {", ".join(BLOCKS)}')

    def block(match: re.Match[str]) -> str:
        parts, lines = BLOCKS[match[1]]
        missing = [part for part in parts if part not in files]
        text = (f'Not measured: {", ".join(missing)}' if missing else
                '\n'.join(lines(files, runs)))
        return f'{match[1]}{match[2]}{text}\n'
    PAGE.write_text(BLOCK.sub(block, page), encoding='utf-8')
    print('\n'.join(goals_table(files, runs)))
