# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A description of a model file, as the node would load it."""

from __future__ import annotations

from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.settings import ModelSettings

SHOWN_LABELS = 10


def describe_model(model_id: str) -> str:
    """
    Load a model as the node would, and describe it.

    :param model_id: as in the parameter `model.id`.
    :return: some lines of text.
    :raises ModelError: if the node would refuse it.
    """
    info = Detector.load(ModelSettings(id=model_id)).info
    labels = ', '.join(info.labels[:SHOWN_LABELS])
    more = len(info.labels) - SHOWN_LABELS
    rows = {
        'model': info.name,
        'file': info.path,
        'family': f'{info.family} ({info.family_reason})',
        'input': f'{info.input_width} x {info.input_height}, {info.input_dtype}',
        'image': info.preprocessing,
        'classes': f'{len(info.labels)}: {labels}{f" and {more} more" if more > 0 else ""}',
        'device': f'{info.provider} ({info.provider_reason}), {info.threads} threads',
        'one run': f'{info.warm_up_ms:.1f} ms',
    }
    return '\n'.join(f'{name:8} {text}' for name, text in rows.items())
