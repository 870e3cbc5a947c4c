# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""PaddleDetection exports with post-processing."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    Family, first_output, ProbeResult, select, STRETCH_IMAGENET)
from udp_infer_ros.detection.types import Candidates, InputSize, Outputs


def is_paddle(probe: ProbeResult) -> bool:
    """Return whether there is an input that only Paddle has, and an output of six columns."""
    return bool({'scale_factor', 'im_shape'} & set(probe.inputs)) and any(
        output.ndim in (2, 3) and output.shape[-1] == 6 for output in probe.outputs.values())


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
    matches=is_paddle, decode=decode_paddle, preprocessing=STRETCH_IMAGENET,
    source='PaddlePaddle/PaddleDetection')
