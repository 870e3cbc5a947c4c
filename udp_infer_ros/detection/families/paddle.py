# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""PaddleDetection exports with post-processing."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    are_class_ids, are_scores, Family, first_output, ProbeResult, select, STRETCH_IMAGENET)
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def fits_paddle(probe: ProbeResult) -> bool:
    """Return whether the first output has six columns."""
    if not probe.outputs:
        return False
    output = first_output(probe.outputs)
    return output.ndim in (2, 3) and output.shape[-1] == 6


def is_paddle(probe: ProbeResult) -> bool:
    """Return whether there is an input that only Paddle has, and the class is first."""
    table = first_output(probe.outputs).reshape(-1, 6)
    return bool({'scale_factor', 'im_shape'} & set(probe.inputs)) and (
        are_class_ids(table[:, 0]) and are_scores(table[table[:, 0] >= 0, 1]))


def decode_paddle(outputs: Outputs, min_score: float, size: InputSize) -> Candidates:
    """
    Decode (n, 6): class, score, x1, y1, x2, y2; unused rows have class -1.

    Source: PaddlePaddle/PaddleDetection, PP-YOLOE and PicoDet with post-processing.
    """
    table = first_output(outputs).astype(np.float32, copy=False).reshape(-1, 6)
    table = table[table[:, 0] >= 0]
    return select(table[:, 2:], table[:, 1], table[:, 0], min_score)


PADDLE = Family(
    name='paddle', models='PP-YOLOE, PicoDet with post-processing',
    layout='(n, 6), class first', recognized_by='an input scale_factor or im_shape',
    fits=fits_paddle, matches=is_paddle, decode=decode_paddle, preprocessing=STRETCH_IMAGENET,
    source='PaddlePaddle/PaddleDetection')
