# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The families of detectors, and how the family of a model is recognized.

A new family is one file with its signature, its decoder and its row, a place in ORDER and a
choice of `model.family` in settings.py. The table in docs/models.md is generated from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
import logging
from typing import get_args

from udp_infer_ros.detection.families.base import Family, ProbeResult
from udp_infer_ros.detection.families.batched_nms import BATCHED_NMS
from udp_infer_ros.detection.families.deepstream import DEEPSTREAM
from udp_infer_ros.detection.families.detr import DETR
from udp_infer_ros.detection.families.end2end import END2END, YOLOV7_END2END
from udp_infer_ros.detection.families.mmdeploy import MMDEPLOY
from udp_infer_ros.detection.families.nanodet import NANODET
from udp_infer_ros.detection.families.nanodet_split import NANODET_SPLIT
from udp_infer_ros.detection.families.paddle import PADDLE
from udp_infer_ros.detection.families.rfdetr import RFDETR
from udp_infer_ros.detection.families.rtdetr import (
    HF_RTDETR, RTDETR, ULTRALYTICS_RTDETR, ULTRALYTICS_RTDETR_SCORES)
from udp_infer_ros.detection.families.tensorflow import TENSORFLOW
from udp_infer_ros.detection.families.torchvision import TORCHVISION
from udp_infer_ros.detection.families.yolo import YOLO, YOLOV5, YOLOV6
from udp_infer_ros.detection.families.yolox import YOLOX, YOLOX_DECODED
from udp_infer_ros.detection.text import printable
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import FamilyName

log = logging.getLogger(__name__)

MAX_CHARACTERS = 300
BOX_LISTS = (ULTRALYTICS_RTDETR_SCORES, ULTRALYTICS_RTDETR, END2END)
ORDER = (
    # By the names of inputs and outputs.
    RTDETR, RFDETR, MMDEPLOY, BATCHED_NMS, TENSORFLOW, TORCHVISION, HF_RTDETR, DETR, PADDLE,
    YOLOV7_END2END,
    # By rows for every cell, of three anchors or one.
    DEEPSTREAM, YOLOV5, YOLOV6, NANODET, NANODET_SPLIT, YOLOX_DECODED, YOLOX,
    # By a column for every cell.
    YOLO,
    # Lists of boxes.
    *BOX_LISTS,
)
"""Specific before general: of several families that match a model, the first one is right."""
AMBIGUOUS = (
    # Without class names, the last logit may be a class or 'no object'.
    {HF_RTDETR.name, DETR.name},
    # At some input sizes, a number of channels is also a number of cells.
    {YOLO.name, YOLOV5.name}, {YOLO.name, NANODET.name},
    # The inputs of Paddle, but the outputs of another format, perhaps without post-processing.
    *({PADDLE.name, family.name} for family in ORDER if family not in (PADDLE, *BOX_LISTS)),
)
"""Pairs of families of which neither is preferred; a model that matches both is refused."""
FAMILIES: Mapping[str, Family] = {family.name: family for family in sorted(
    ORDER, key=lambda family: get_args(FamilyName).index(family.name))}
"""Every family by its name, in the order of the choices of `model.family`."""


def recognize(probe: ProbeResult, name: str, choice: str) -> tuple[Family, str]:
    """
    Find the family of a network.

    :param name: `model.id`, for errors.
    :param choice: `model.family`: the name of a family, or auto.
    :return: the family, and how it was found.
    :raises ModelError: if no family matches, two match of which neither is preferred, or the
        choice does not fit.
    """
    shapes = printable(', '.join(
        f'{key} {tuple(value.shape)}' for key, value in probe.outputs.items()), MAX_CHARACTERS)
    if choice != 'auto':
        family = FAMILIES[choice]
        if not family.fits(probe):
            raise ModelError(
                'model.family', choice, f'does not fit the outputs of {name}, which are {shapes}',
                f'expected is {family.layout}; set model.family to auto')
        return family, 'set by model.family'
    found = [family for family in ORDER if family.fits(probe) and family.matches(probe)]
    log.debug(
        '%s: outputs %s; families that match: %s', name, shapes,
        ', '.join(family.name for family in found) or 'none')
    if not found:
        raise ModelError(
            'model.id', name, f'has outputs of an unknown layout: {shapes}', _remedy(probe))
    first = found[0]
    rivals = [family.name for family in found[1:] if {first.name, family.name} in AMBIGUOUS]
    if rivals:
        raise ModelError(
            'model.id', name, f'has outputs that could be of several families: {shapes}',
            f'set model.family to one of {", ".join((first.name, *rivals))}, or name the classes '
            'in model.labels')
    return first, first.recognized_by


def _remedy(probe: ProbeResult) -> str:
    """Return what to do if no family matches: a choice among those with these shapes."""
    fitting = [name for name, family in FAMILIES.items() if family.fits(probe)]
    if not fitting:
        return 'no family has these shapes; export it in a format of docs/models.md'
    labels = '' if probe.class_count else 'name the classes in model.labels, or '
    return f'{labels}set model.family if it is one of: {", ".join(fitting)}'
