# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Descriptions of a loaded model, of the detections in a picture, and of the catalog, as text."""

from __future__ import annotations

from udp_infer_ros.detection.catalog import CATALOG, Catalog, CatalogModel
from udp_infer_ros.detection.concurrency import Concurrency
from udp_infer_ros.detection.model_store import cached_path
from udp_infer_ros.frame import Detections
from udp_infer_ros.model_info import ModelInfo

SHOWN_LABELS = 10
SHOWN_DETECTIONS = 20


def describe_model(info: ModelInfo) -> str:
    """Return some lines about a loaded model."""
    labels = ', '.join(info.labels[:SHOWN_LABELS])
    more = len(info.labels) - SHOWN_LABELS
    rows = {
        'model': info.name,
        'address' if info.frame_bytes else 'file': info.path,
        **_note(info),
        'family': f'{info.family} ({info.family_reason})',
        'input': f'{info.input_width} x {info.input_height}, {info.input_dtype} '
                 f'({info.input_reason})',
        'image': info.preprocessing,
        'classes': f'{len(info.labels)}: {labels}{f" and {more} more" if more > 0 else ""}',
        'device': info.runs_on,
        'one run': f'{info.warm_up_ms:.1f} ms',
    }
    return '\n'.join(f'{name:8} {text}' for name, text in rows.items())


def describe_concurrency(concurrency: Concurrency) -> str:
    """Return a line about the frames of a file that are processed at once."""
    return f'a file   {concurrency}'


def _note(info: ModelInfo) -> dict[str, str]:
    model = CATALOG.get(info.name)
    if model is None or not model.note or info.path != str(cached_path(model)):
        return {}
    return {'note': model.note}


def describe_detections(found: Detections) -> str:
    """Return a line with the number of detections, and one for each of the best."""
    lines = [f'found    {len(found)}, confidence, corners in pixels']
    for name, score, corners in list(zip(
            found.class_name.tolist(), found.score.tolist(),
            found.xyxy.tolist()))[:SHOWN_DETECTIONS]:
        lines.append(f'         {name} {score:.2f}  {" ".join(f"{x:.0f}" for x in corners)}')
    more = len(found) - SHOWN_DETECTIONS
    return '\n'.join(lines + ([f'         and {more} more'] if more > 0 else []))


def list_models(catalog: Catalog = CATALOG) -> str:
    """Return a table of the models with names, and whether they are on this machine."""
    rows = [('model.id', 'file', 'MB', 'AP', 'input', 'license')]
    rows += [(
        model.name, _place(model), f'{model.megabytes:.1f}', f'{model.ap:.1f}',
        f'{model.input_px} x {model.input_px}', model.license) for model in catalog.values()]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['  '.join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return '\n'.join(lines) + (
        '\n\nAP: average precision on COCO val2017 in percent, as published by the authors. '
        'A model that is not\nhere is downloaded when it is used for the first time.')


def _place(model: CatalogModel) -> str:
    if not cached_path(model).is_file():
        return 'not here'
    return 'downloaded' if model.url else 'bundled'
