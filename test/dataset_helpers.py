# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Outputs, results and limits for the tests of the dataset."""

from dataclasses import replace
import json
from random import Random

import cv2
from helpers import make_detections, make_result, wait_until
import numpy as np
from udp_infer_ros.model_info import ModelInfo
from udp_infer_ros.outputs.dataset.output import DatasetOutput
from udp_infer_ros.settings import Settings

NAMES = ('person', 'car')
DAY_S = 86400
NOON_S = 1_764_158_400
"""2025-11-26 12:00:00 UTC."""
MODEL = ModelInfo(
    name='model', path='', family='yolo', family_reason='', labels=NAMES, input_width=64,
    input_height=64, input_reason='', input_dtype='', preprocessing='', provider='',
    provider_reason='', threads=1, warm_up_ms=0.0)


def make_settings(directory, rules=('all',), **values):
    """Build settings; two underscores stand for a dot. The rule `all` collects every frame."""
    given = {'dataset.all.type': 'random', 'dataset.all.fraction': 1.0}
    given |= {f'dataset.{name.replace("__", ".")}': value for name, value in values.items()}
    return Settings().with_values({
        'dataset.directory': str(directory), 'dataset.rules': list(rules),
        'dataset.min_free_bytes': 0, **given})


def make_output(settings, *, model=MODEL, seed=1, **keywords):
    """Build an output with settings in effect."""
    output = DatasetOutput(random=Random(seed), **keywords)
    output.prepare(settings, previous=None, model=model)()
    return output


def at(time_s, count=3, *, detections=None, candidates=None, encoded=None):
    """Build a result with a stamp."""
    result = make_result(count, names=NAMES)
    return replace(
        result, frame=replace(result.frame, stamp_ns=round(time_s * 1e9)),
        detections=make_detections(count, names=NAMES) if detections is None else detections,
        candidates=candidates, encoded=encoded)


def picture(width=640, height=480, seed=3):
    """Build an image with texture that survives JPEG."""
    small = np.random.default_rng(seed).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def collect(output, results, image=None):
    """Write results one after the other, each when the previous one is stored or refused."""
    for result in results:
        output.write(result, picture() if image is None else image)
        wait_until(output.is_idle)


def read(folder):
    """Read annotations.json of a folder."""
    return json.loads((folder / 'annotations.json').read_bytes())
