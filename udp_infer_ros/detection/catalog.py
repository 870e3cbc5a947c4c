# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The models that `model.id` can name: where they are, their checksums, and how they are run.

The downloaded files do not name their classes, so an entry has the names, and also the family:
the checksum identifies the file, so there is nothing to recognize.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from udp_infer_ros.settings import FamilyName, ModelSettings

OPENCV_ZOO = (
    'https://media.githubusercontent.com/media/opencv/opencv_zoo/'
    '966be4cb6eefc2a4f586ed0581bf4bbaa2533070/models')
"""A commit, so that the files cannot change."""
YOLOX = 'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0'
NANODET = 'https://github.com/RangiLyu/nanodet/releases/download/v1.0.0-alpha-1'
COCO = (
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella',
    'handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle',
    'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich', 'orange',
    'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch', 'potted plant',
    'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone',
    'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors',
    'teddy bear', 'hair drier', 'toothbrush')
"""The 80 classes of COCO 2017."""


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """A model with a name."""

    name: str
    """As in `model.id`."""
    url: str = ''
    """Empty for a bundled model."""
    sha256: str = ''
    megabytes: float
    """Size of the file, 10^6 bytes."""
    ap: float
    """Average precision on COCO val2017 (IoU 0.5 to 0.95), as its author publishes it, percent."""
    input_px: int
    """Side of the square input, pixels."""
    license: str = 'Apache-2.0'  # noqa: A003
    source: str
    """The project that publishes the weights."""
    family: FamilyName = 'auto'
    labels: tuple[str, ...] = ()
    """Class names; empty if the file has them."""
    note: str = ''
    """For the description of the model."""

    def complete(self, settings: ModelSettings) -> ModelSettings:
        """Return settings with the family and the class names, unless they are set."""
        return replace(
            settings, labels=settings.labels or self.labels,
            family=self.family if settings.family == 'auto' else settings.family)


Catalog = Mapping[str, CatalogModel]
"""Models by name."""

CATALOG: Catalog = {model.name: model for model in (
    CatalogModel(
        name='nanodet_g_416', megabytes=7.6, ap=22.9, input_px=416, source='RangiLyu/nanodet',
        note='NanoDet-g; this file has the input and the outputs of YOLOv8, not of NanoDet'),
    CatalogModel(
        # The pages of opencv_zoo call this file NanoDet-Plus-m-1.5x and state an AP of 30.4. Its
        # size and its outputs, a pair for each of three strides, are those of NanoDet-m, for
        # which NanoDet states 23.5.
        name='nanodet_m_416',
        url=f'{OPENCV_ZOO}/object_detection_nanodet/object_detection_nanodet_2022nov.onnx',
        sha256='4b82da9944b88577175ee23a459dce2e26e6e4be573def65b1055dc2d9720186',
        megabytes=3.8, ap=23.5, input_px=416, source='RangiLyu/nanodet, opencv/opencv_zoo',
        family='nanodet_split', labels=COCO),
    CatalogModel(
        name='yolox_nano_416', url=f'{YOLOX}/yolox_nano.onnx',
        sha256='c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d',
        megabytes=3.7, ap=25.8, input_px=416, source='Megvii-BaseDetection/YOLOX',
        family='yolox', labels=COCO),
    CatalogModel(
        name='nanodet_plus_m_416', url=f'{NANODET}/nanodet-plus-m_416.onnx',
        sha256='59d2f166088889c902f523bf08079391993491324f0d84847e3c4016a8f7cc3d',
        megabytes=4.7, ap=30.4, input_px=416, source='RangiLyu/nanodet', family='nanodet',
        labels=COCO),
    CatalogModel(
        name='yolox_tiny_416', url=f'{YOLOX}/yolox_tiny.onnx',
        sha256='427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7',
        megabytes=20.2, ap=32.8, input_px=416, source='Megvii-BaseDetection/YOLOX',
        family='yolox', labels=COCO),
    CatalogModel(
        # The demo of opencv_zoo swaps red and blue. The file is that of YOLOX's release, byte for
        # byte, whose own demo does not.
        name='yolox_s_640',
        url=f'{OPENCV_ZOO}/object_detection_yolox/object_detection_yolox_2022nov.onnx',
        sha256='c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063',
        megabytes=35.9, ap=40.5, input_px=640,
        source='Megvii-BaseDetection/YOLOX, opencv/opencv_zoo', family='yolox', labels=COCO),
)}
"""The models with names, by average precision."""
