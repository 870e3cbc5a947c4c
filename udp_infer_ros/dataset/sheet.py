# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A picture with small copies of the images of a dataset and their boxes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import supervision as sv
from udp_infer_ros.dataset.folders import Item
from udp_infer_ros.frame import BgrImage

COLUMNS, ROWS = 6, 5
TILE_WIDTH, TILE_HEIGHT, CAPTION_PX, GAP_PX = 300, 225, 22, 6
BACKGROUND, TEXT = 40, (230, 230, 230)


def contact_sheet(items: Sequence[Item], classes: Sequence[str]) -> BgrImage:
    """
    Return a picture of up to 30 images, evenly spread over all, with their rule below each.

    :param items: at least one.
    :param classes: a class has a color by its place.
    :return: (height, width, 3), BGR.
    :raises ValueError: if a picture cannot be read.
    """
    count = min(len(items), COLUMNS * ROWS)
    chosen = [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    width, height = TILE_WIDTH + GAP_PX, TILE_HEIGHT + CAPTION_PX + GAP_PX
    sheet = np.full((rows * height + GAP_PX, columns * width + GAP_PX, 3), BACKGROUND, np.uint8)
    for i, item in enumerate(chosen):
        x, y = GAP_PX + i % columns * width, GAP_PX + i // columns * height
        tile = _tile(item, classes)
        left, top = (TILE_WIDTH - tile.shape[1]) // 2, (TILE_HEIGHT - tile.shape[0]) // 2
        sheet[y + top:y + top + tile.shape[0], x + left:x + left + tile.shape[1]] = tile
        text = f'{item.image.get("rule", "")}  {item.image["file_name"]}'
        cv2.putText(
            sheet, text[:44], (x, y + TILE_HEIGHT + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.37, TEXT, 1,
            cv2.LINE_AA)
    return sheet


def _tile(item: Item, classes: Sequence[str]) -> BgrImage:
    """Return a small copy of an image with its boxes."""
    picture = cv2.imread(str(item.path))
    if picture is None:
        raise ValueError(f'{item.path} cannot be read as a picture')
    height, width = picture.shape[:2]
    scale = min(TILE_WIDTH / width, TILE_HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tile: BgrImage = np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    for record in item.annotations:
        color = sv.ColorPalette.DEFAULT.by_idx(classes.index(record['name'])).as_bgr()
        x, y, w, h = (value * scale for value in record['bbox'])
        cv2.rectangle(tile, (round(x), round(y)), (round(x + w), round(y + h)), color, 1)
        cv2.putText(
            tile, record['name'], (round(x) + 2, round(y) + 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35,
            color, 1, cv2.LINE_AA)
    return tile
