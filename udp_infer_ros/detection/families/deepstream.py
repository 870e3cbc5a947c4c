# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Exports for NVIDIA DeepStream."""

from __future__ import annotations

import numpy as np
from udp_infer_ros.detection.families.base import (
    Family, LETTERBOX, may_be_corners, ProbeResult)
from udp_infer_ros.detection.families.end2end import (
    decode_end2end, fits_six_columns, has_score_and_class)

MAX_LIST = 1000
"""Lists without overlapping boxes are shorter, or sorted by score."""


def is_deepstream(probe: ProbeResult) -> bool:
    """Return whether a dense head, or a long unsorted list, has corners, scores and classes."""
    table = probe.table
    if table is None or not has_score_and_class(table):
        return False
    is_dense = probe.box_list is None or (
        len(table) > MAX_LIST and bool((np.diff(table[:, 4]) > 0).any()))
    return is_dense and bool(table[:, :4].any()) and may_be_corners(table[:, :4])


DEEPSTREAM = Family(
    name='deepstream', models='exports of DeepStream-Yolo',
    layout='(1, n, 6), corners, overlapping',
    recognized_by='a row for every cell, corners in pixels, whole numbers as classes',
    fits=fits_six_columns, matches=is_deepstream, decode=decode_end2end, preprocessing=LETTERBOX,
    source='marcoslucianops/DeepStream-Yolo', needs_nms=True)
