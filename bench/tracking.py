# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Compare trackers in front of a camera that moves.

    make bench-tracking

All trackers receive the same detections and images. Metrics are those of TrackEval, as
implemented in `trackers`. The table and the plot are written to docs/tracking.md.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
import json
import os
from pathlib import Path
import platform
import time
import warnings

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from scenes import Clip, MOTIONS, RATE_HZ, SceneFrame, sequence, VIEW
import supervision as sv
from trackers import BoTSORTTracker, ByteTrackTracker, OCSORTTracker
from trackers.eval import compute_clear_metrics, compute_hota_metrics, compute_identity_metrics
from udp_infer_ros.frame import Detections
from udp_infer_ros.settings import TrackSettings
from udp_infer_ros.tracking.association import iou
from udp_infer_ros.tracking.byte import ByteTracker
from udp_infer_ros.tracking.camera_motion import CameraMotion, Estimate

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'tracking.md'
PLOT = ROOT / 'docs' / 'images' / 'tracking.png'
BEGIN, END = '<!-- bench: make bench-tracking -->', '<!-- end of bench -->'
GRAY_WIDTH = 640
"""Width of the resized image of a network with an input of 640 x 640."""
WRONG_PX = 25.0
RULES = TrackSettings()
CONFIDENCE = RULES.high_threshold

Update = Callable[[SceneFrame, Detections], NDArray[np.int64]]
"""Returns the ids of the detections, -1 without a track."""


@dataclass(kw_only=True)
class Row:
    """The result of one tracker on one sequence."""

    kind: str
    motion: str
    seed: int
    step: int
    tracker: str
    idf1: float
    mota: float
    hota: float
    switches: int
    ms: float
    """Median time of a frame."""
    error_median_px: float
    """Error of the estimated motion, RMS over the corners of the image."""
    error_p95_px: float


class Ours:
    """
    This package's tracker.

    :param mode: none: no compensation. auto: with estimates. wrong: a third of them is wrong.
    """

    def __init__(self, mode: str, seed: int) -> None:
        self._mode = mode
        self._tracker = ByteTracker(RULES)
        self._camera = CameraMotion()
        self._random = np.random.default_rng(seed)
        self._view: NDArray[np.float64] | None = None
        self.errors_px: list[float] = []
        self.times_s: list[float] = []

    def __call__(self, frame: SceneFrame, detections: Detections) -> NDArray[np.int64]:
        """Track."""
        size = (GRAY_WIDTH, GRAY_WIDTH * VIEW[1] // VIEW[0])
        resized = cv2.resize(frame.image, size)  # preprocessing needs this anyway
        begin_s = time.perf_counter()
        estimate = None
        if self._mode != 'none':
            gray = np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
            estimate = self._camera.estimate(gray, VIEW)
        end_s = time.perf_counter()
        if estimate is not None:
            self._compare(estimate, frame.view)
            if self._mode == 'wrong' and self._random.random() < 1.0 / 3.0:
                estimate = self._wrong(estimate)
        resumed_s = time.perf_counter()
        ids = self._tracker.update(detections, stamp_ns(frame), estimate)
        self._camera.accept(detections)
        self.times_s.append(end_s - begin_s + time.perf_counter() - resumed_s)
        return ids

    def _compare(self, estimate: Estimate, view: NDArray[np.float64]) -> None:
        previous, self._view = self._view, view
        if previous is None or estimate.matrix is None:
            return
        linear = view[:, :2] @ np.linalg.inv(previous[:, :2])
        shift = view[:, 2] - linear @ previous[:, 2]
        corners = np.array(((0, 0), (VIEW[0], 0), (0, VIEW[1]), VIEW), dtype=float)
        difference = corners @ (estimate.matrix[:, :2] - linear).T + estimate.matrix[:, 2] - shift
        self.errors_px.append(float(np.sqrt(np.mean(np.sum(difference ** 2, axis=1)))))

    def _wrong(self, estimate: Estimate) -> Estimate:
        angle = self._random.uniform(0.0, 2.0 * np.pi)
        matrix = np.array(np.eye(2, 3) if estimate.matrix is None else estimate.matrix)
        matrix[:, 2] += WRONG_PX * np.array((np.cos(angle), np.sin(angle)))
        return Estimate(outcome='moving', matrix=matrix)


class Other:
    """A tracker with the interface of `trackers` or supervision."""

    def __init__(
        self, update: Callable[[sv.Detections, NDArray[np.uint8]], sv.Detections],
    ) -> None:
        self._update = update
        self.errors_px: list[float] = []
        self.times_s: list[float] = []

    def __call__(self, frame: SceneFrame, detections: Detections) -> NDArray[np.int64]:
        """Track."""
        given = detections.to_supervision()
        given.data['row'] = np.arange(len(detections))
        begin_s = time.perf_counter()
        result = self._update(given, frame.image)
        self.times_s.append(time.perf_counter() - begin_s)
        ids = np.full(len(detections), -1, dtype=np.int64)
        if len(result) and result.tracker_id is not None:
            ids[result.data['row'].astype(int)] = result.tracker_id
        return ids


def make_trackers(rate_hz: float, seed: int) -> dict[str, Ours | Other]:
    """Return new trackers, with thresholds for scores from 0.4 on and tracks lost for 1 s."""
    buffer = round(30.0 * RULES.lost_s)  # of 30 frames per second, scaled by the rate
    common = {'lost_track_buffer': buffer, 'frame_rate': rate_hz}
    byte = ByteTrackTracker(
        track_activation_threshold=CONFIDENCE, high_conf_det_threshold=CONFIDENCE, **common)
    oc = OCSORTTracker(high_conf_det_threshold=CONFIDENCE, **common)
    bot = BoTSORTTracker(
        track_activation_threshold=CONFIDENCE, high_conf_det_threshold=CONFIDENCE, **common)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # supervision deprecates it
        supervision = sv.ByteTrack(
            track_activation_threshold=CONFIDENCE, lost_track_buffer=buffer,
            frame_rate=round(rate_hz))
    return {
        'ours': Ours('auto', seed),
        'ours, none': Ours('none', seed),
        'ours, 1/3 wrong': Ours('wrong', seed),
        'BoT-SORT': Other(lambda found, image: bot.update(found, image)),
        'ByteTrack': Other(lambda found, image: byte.update(found)),
        'OC-SORT': Other(lambda found, image: oc.update(found)),
        'supervision': Other(lambda found, image: supervision.update_with_detections(found))}


def stamp_ns(frame: SceneFrame) -> int:
    """Return the time of a frame."""
    return round(frame.index / RATE_HZ * 1e9)


def evaluate(kind: str, motion: str, seed: int, step: int) -> list[Row]:
    """Run all trackers on one sequence."""
    cv2.setNumThreads(1)
    frames = _clip().sequence(motion, seed, step) if kind == 'clip' else sequence(
        kind, motion, seed, step)
    trackers = make_trackers(RATE_HZ / step, seed)
    references = _references(step) if kind == 'clip' else {}
    runs = {name: Run(references.get(name)) for name in trackers}
    for frame in frames:
        found = detections_of(frame)
        for name, tracker in trackers.items():
            runs[name].add(frame, found, tracker(frame, found))
    return [row(name, trackers[name], run, kind, motion, seed, step)
            for name, run in runs.items()]


Reference = Mapping[int, Mapping[int, int]]
"""The identity of each detection, by frame and number of the detection."""


class Run:
    """
    The true identities, the assigned ids, and the overlap of their boxes, by frame.

    :param reference: identities of the detections, instead of those of the frames.
    """

    def __init__(self, reference: Reference | None) -> None:
        self._reference = reference
        self._identities = Identities()
        self.truth: list[NDArray[np.int64]] = []
        self.ids: list[NDArray[np.int64]] = []
        self.overlaps: list[NDArray[np.float64]] = []

    def add(self, frame: SceneFrame, found: Detections, track_id: NDArray[np.int64]) -> None:
        """Add a frame."""
        numbers, boxes = frame.identity, frame.truth
        if self._reference is not None:
            of_frame = self._reference[frame.index]
            known = [i for i, number in enumerate(numbers.tolist()) if number in of_frame]
            numbers, boxes = (
                np.array([of_frame[int(numbers[i])] for i in known], dtype=np.intp), boxes[known])
        self.truth.append(self._identities.of(numbers, frame.index / RATE_HZ))
        tracked = track_id >= 0
        self.ids.append(track_id[tracked])
        self.overlaps.append(overlap(boxes, found.xyxy[tracked]))


class Identities:
    """Assigns a new identity to an object that was out of view for longer than `track.lost_s`."""

    def __init__(self) -> None:
        self._identity: dict[int, int] = {}
        self._last_s: dict[int, float] = {}
        self._count = 0

    def of(self, numbers: NDArray[np.intp], now_s: float) -> NDArray[np.int64]:
        """Return the identities of the objects in a frame."""
        for number in numbers.tolist():
            if now_s - self._last_s.get(number, -np.inf) > RULES.lost_s:
                self._identity[number] = self._count
                self._count += 1
            self._last_s[number] = now_s
        return np.array([self._identity[n] for n in numbers.tolist()], dtype=np.int64)


def row(
    name: str, tracker: Ours | Other, run: Run, kind: str, motion: str, seed: int, step: int,
) -> Row:
    """Compute the metrics of one tracker."""
    truth, overlaps = _from_0(run.truth), run.overlaps
    ids = _from_0(run.ids)
    clear = compute_clear_metrics(truth, ids, overlaps)
    errors = tracker.errors_px or [np.nan]
    return Row(
        kind=kind, motion=motion, seed=seed, step=step, tracker=name,
        idf1=float(compute_identity_metrics(truth, ids, overlaps)['IDF1']),
        mota=float(clear['MOTA']), switches=int(clear['IDSW']),
        hota=float(compute_hota_metrics(truth, ids, overlaps)['HOTA']),
        ms=float(np.median(tracker.times_s)) * 1e3,
        error_median_px=float(np.median(errors)), error_p95_px=float(np.percentile(errors, 95)))


def _from_0(frames: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Return ids from 0 to their count, as the metrics require."""
    numbers = {number: i for i, number in enumerate(sorted({int(n) for a in frames for n in a}))}
    return [np.array([numbers[int(n)] for n in a], dtype=np.int64) for a in frames]


def detections_of(frame: SceneFrame) -> Detections:
    """Return the detections of a frame."""
    n = len(frame.score)
    return Detections(
        xyxy=frame.detected, score=frame.score, class_id=frame.class_id,
        class_name=np.full(n, 'object'), track_id=np.full(n, -1, dtype=np.int64))


def overlap(a: NDArray[np.float64], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the IoU of boxes, (n, 4) and (m, 4) corners."""
    def centered(xyxy: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.hstack((
            (xyxy[:, :2] + xyxy[:, 2:]) / 2.0, xyxy[:, 2:] - xyxy[:, :2])).astype(np.float64)
    return iou(centered(a)[:, np.newaxis], centered(b))


_clips: list[Clip] = []


def _clip() -> Clip:
    if not _clips:
        _clips.append(Clip())
    return _clips[0]


_known: dict[int, dict[str, Reference]] = {}


def _references(step: int) -> dict[str, Reference]:
    """Return the ids that each tracker assigns in the clip where the camera does not move."""
    if step not in _known:
        trackers = make_trackers(RATE_HZ / step, 0)
        # With wrong estimates, and without any, the tracker is the same.
        trackers['ours, 1/3 wrong'] = Ours('auto', 0)
        references: dict[str, dict[int, dict[int, int]]] = {name: {} for name in trackers}
        for frame in _clip().sequence('still', 0, step):
            found = detections_of(frame)
            for name, tracker in trackers.items():
                ids = tracker(frame, found).tolist()
                references[name][frame.index] = {
                    number: i for number, i in zip(frame.identity.tolist(), ids) if i >= 0}
        _known[step] = dict(references)
    return _known[step]


def mean(rows: Iterable[Row], column: str) -> float:
    """Return the mean of a column."""
    return float(np.nanmean([getattr(item, column) for item in rows]))


def table(rows: list[Row]) -> list[str]:
    """Return a Markdown table of one kind and rate: IDF1 and id switches by motion and tracker."""
    names = list(dict.fromkeys(item.tracker for item in rows))
    lines = ['| motion | ' + ' | '.join(names) + ' |', '|---' * (len(names) + 1) + '|']
    for motion in dict.fromkeys(item.motion for item in rows):
        cells = []
        for name in names:
            chosen = [item for item in rows if (item.motion, item.tracker) == (motion, name)]
            cells.append(f'{mean(chosen, "idf1"):.3f} / {mean(chosen, "switches"):.0f}')
        lines.append(f'| {motion} | ' + ' | '.join(cells) + ' |')
    return lines


def summary(rows: list[Row]) -> list[str]:
    """Return a Markdown table over all sequences: one row for each tracker."""
    lines = [
        '| tracker | IDF1 | MOTA | HOTA | id switches | ms a frame |', '|---|---|---|---|---|---|']
    for name in dict.fromkeys(item.tracker for item in rows):
        chosen = [item for item in rows if item.tracker == name]
        lines.append(
            f'| {name} | {mean(chosen, "idf1"):.3f} | {mean(chosen, "mota"):.3f} '
            f'| {mean(chosen, "hota"):.3f} | {mean(chosen, "switches"):.0f} '
            f'| {np.median([item.ms for item in chosen]):.2f} |')
    return lines


def page(rows: list[Row]) -> str:
    """Return the section of docs/tracking.md."""
    ours = [item for item in rows if item.tracker == 'ours' and item.kind != 'clip']
    seeds = len({item.seed for item in rows})
    lines = [
        '## Compared', '',
        f'IDF1 / id switches, means of {seeds} sequences of each motion, 36 s at 10 Hz. All '
        'trackers receive the same detections and images of 1280 x 720, with sensor noise, JPEG '
        'artifacts or blur. The metrics are those of TrackEval, as implemented in `trackers`. '
        '`make bench-tracking` measures it again.', '',
        f'Measured on {time.strftime("%Y-%m-%d")}: {os.cpu_count()} cores, Python '
        f'{platform.python_version()}, OpenCV {cv2.__version__}; trackers 2.6.1 (BoT-SORT with '
        'its own compensation, ByteTrack, OC-SORT), supervision 0.30.9. *ours, none*: without '
        'compensation. *ours, 1/3 wrong*: a third of the estimates is 25 px off.', '',
        '![IDF1 by motion and tracker](images/tracking.png)']
    titles = {'rendered': 'Rendered scenes', 'photo': 'Photographs with moving cut-outs',
              'clip': 'A clip with cuts, with the detections of the bundled model; the ids of '
                      'each tracker, compared with its own ids without motion'}
    for kind in dict.fromkeys(item.kind for item in rows):
        for step in sorted({item.step for item in rows if item.kind == kind}):
            lines += ['', f'**{titles[kind]}**' + (
                '' if step == 1 else f', one of {step} frames') + ':', '']
            lines += table([item for item in rows if (item.kind, item.step) == (kind, step)])
    lines += ['', '**All sequences**:', '', *summary(rows), '']
    if ours:
        lines += [
            'Error of the estimated transform at the corners of the image, without the clip, '
            f'whose own motion is unknown: median {mean(ours, "error_median_px"):.2f} px, 95th '
            f'percentile {mean(ours, "error_p95_px"):.2f} px (means over the sequences).', '']
    return '\n'.join(lines)


def plot(rows: list[Row]) -> None:
    """Draw IDF1 by motion and tracker, over the scenes and photographs at the full rate."""
    matplotlib.use('Agg')
    from matplotlib import pyplot
    chosen = [item for item in rows if item.kind != 'clip' and item.step == 1] or rows
    motions = list(dict.fromkeys(item.motion for item in chosen))
    names = list(dict.fromkeys(item.tracker for item in chosen))
    figure, axes = pyplot.subplots(figsize=(11, 4.2), layout='constrained')
    for k, name in enumerate(names):
        values = [mean([item for item in chosen if (item.motion, item.tracker) == (motion, name)],
                       'idf1') for motion in motions]
        axes.bar(np.arange(len(motions)) + (k - len(names) / 2.0) * 0.11, values, 0.11, label=name)
    axes.set_xticks(np.arange(len(motions)), motions, rotation=20, ha='right')
    axes.set_ylabel('IDF1')
    axes.set_ylim(0.0, 1.0)
    axes.legend(ncols=len(names), loc='upper center', bbox_to_anchor=(0.5, 1.12), frameon=False)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Run the sequences; write the results if all were chosen."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('--kinds', nargs='+', default=['rendered', 'photo', 'clip'])
    parser.add_argument('--motions', nargs='+', default=list(MOTIONS))
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--steps', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--out', type=Path, default=ROOT / 'build' / 'bench' / 'tracking.json')
    parser.add_argument('--write', action='store_true', help='write docs/tracking.md and the plot')
    arguments = parser.parse_args()
    cases = [(kind, motion, seed, step) for kind in arguments.kinds for step in arguments.steps
             for motion in arguments.motions for seed in range(arguments.seeds)]
    rows: list[Row] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for result in pool.map(evaluate, *zip(*cases)):
            rows += result
            first = result[0]
            print(f'{first.kind:9} 1/{first.step} {first.motion:18} {first.seed}  ' + '  '.join(
                f'{item.tracker} {item.idf1:.3f}/{item.switches}' for item in result), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps([asdict(item) for item in rows]))
    text = page(rows)
    print(text)
    if arguments.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f'{before}{BEGIN}\n{text}{END}{after}')
        plot(rows)


if __name__ == '__main__':
    main()
