# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The names of the classes."""

from __future__ import annotations

from collections.abc import Sequence
import json
from pathlib import Path

from udp_infer_ros.detection.model_file import MAX_CLASSES, names_in_order
from udp_infer_ros.detection.text import printable
from udp_infer_ros.errors import ModelError
import yaml

MAX_FILE_BYTES = 4_000_000
MAX_ERROR_CHARACTERS = 200
SUFFIXES = ('.txt', '.names', '.yaml', '.yml', '.json')
COCO_SLOTS = 91
"""Numbers of the COCO categories, 0 to 90, some of them unused."""


def configured_labels(values: Sequence[str]) -> tuple[str, ...]:
    """
    Read `model.labels`.

    :param values: the names, or the path of one text file (one name per line), YAML or JSON file
        (a list or dict of names, at the top or under `names`).
    :raises ModelError: if the file cannot be read or has no names.
    """
    if len(values) != 1 or Path(values[0]).suffix not in SUFFIXES:
        return tuple(values)
    try:
        names = _read(Path(values[0]).expanduser())
    # RuntimeError: no such user, or too many levels.
    except (OSError, ValueError, RuntimeError, yaml.YAMLError) as error:
        raise ModelError(
            'model.labels', values[0],
            f'cannot be read: {printable(str(error), MAX_ERROR_CHARACTERS)}',
            'give the path of a file with class names, or the names') from error
    if not names:
        raise ModelError(
            'model.labels', values[0], 'must contain class names',
            'write one per line, or a list or dict of them, at the top or under names')
    return names


def label_classes(
    name: str, *, configured: Sequence[str], in_file: Sequence[str], class_count: int | None,
    has_background: bool,
) -> tuple[str, ...]:
    """
    Name the classes of a network.

    :param name: `model.id`, for errors.
    :param configured: names from `model.labels`, which take precedence.
    :param in_file: names from the metadata of the file.
    :param class_count: number of classes of the network; None if its outputs do not contain it.
    :param has_background: whether the last class may be the background.
    :return: one printable name per class, `class_<index>` if there are no names; empty if the
        number of classes is unknown as well.
    :raises ModelError: if there are not as many names as classes, or too many.
    """
    labels = tuple(
        printable(label) or f'class_{i}' for i, label in enumerate(configured or in_file))
    if max(class_count or 0, len(labels)) > MAX_CLASSES:
        raise ModelError(
            'model.id', name, f'must have at most {MAX_CLASSES} classes, which is the limit of '
            'vision_msgs', 'use a model with fewer classes')
    if class_count is None:
        return labels
    allowed = {class_count, class_count - 1} if has_background else {class_count}
    if len(labels) in allowed:
        return labels
    if not labels:
        # The COCO checkpoints of RF-DETR use every slot; in all others the last is background.
        background = has_background and class_count != COCO_SLOTS
        return tuple(f'class_{i}' for i in range(class_count - background))
    parameter, value, verb = (
        ('model.labels', list(configured), 'has') if configured else ('model.id', name, 'names'))
    raise ModelError(
        parameter, value, f'{verb} {len(labels)} classes, but the network has {class_count}',
        f'give {class_count} names in model.labels')


def _read(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise FileNotFoundError('no such file')
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f'larger than {MAX_FILE_BYTES} bytes')
    text = path.read_text(encoding='utf-8')
    if path.suffix in ('.txt', '.names'):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    tree = json.loads(text) if path.suffix == '.json' else yaml.safe_load(text)
    if isinstance(tree, dict) and 'names' in tree:
        tree = tree['names']
    return names_in_order(tree)
