# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The tensor contains the image at the place of the letterbox, and padding elsewhere."""

import cv2
import numpy as np
import pytest
from udp_infer_ros.detection.letterbox import Letterbox
from udp_infer_ros.detection.model_file import ImageInput
from udp_infer_ros.detection.preprocess import Preprocessor
from udp_infer_ros.detection.types import (
    IMAGENET_MEAN, IMAGENET_STD, InputSize, Preprocessing)


def target(width, height, dtype=np.float32, channels_last=False, batched=True):
    """Build the description of an input."""
    return ImageInput(
        name='images', size=InputSize(width=width, height=height), dtype=np.dtype(dtype),
        channels_last=channels_last, batched=batched)


def reference(image, to, how):
    """Build the tensor step by step."""
    box = Letterbox.fit(
        (image.shape[1], image.shape[0]), (to.size.width, to.size.height),
        keep_aspect=how.resize != 'stretch', center=how.resize == 'letterbox')
    canvas = np.full((to.size.height, to.size.width, 3), how.pad, dtype=np.uint8)
    canvas[box.top:box.top + box.height, box.left:box.left + box.width] = cv2.resize(
        image, (box.width, box.height))
    if how.color == 'rgb':
        canvas = canvas[:, :, ::-1]
    tensor = canvas
    if to.dtype != np.uint8:
        tensor = (canvas.astype(np.float64) - how.mean) / how.std
    tensor = tensor if to.channels_last else tensor.transpose(2, 0, 1)
    return (tensor[None] if to.batched else tensor).astype(to.dtype)


@pytest.mark.parametrize('resize', ['letterbox', 'letterbox_top_left', 'stretch'])
@pytest.mark.parametrize('color, pad', [('rgb', 114), ('bgr', 0)])
@pytest.mark.parametrize('dtype, channels_last, batched, mean, std', [
    (np.float32, False, True, (0, 0, 0), (255, 255, 255)),
    (np.float32, False, True, IMAGENET_MEAN, IMAGENET_STD),
    (np.float16, False, True, (0, 0, 0), (255, 255, 255)),
    (np.uint8, True, True, (0, 0, 0), (1, 1, 1)),
    (np.float32, True, True, (127.5,) * 3, (127.5,) * 3),
    (np.float32, False, False, (0, 0, 0), (1, 1, 1)),
])
def test_the_tensor_equals_the_one_built_step_by_step(
        resize, color, pad, dtype, channels_last, batched, mean, std):
    to = target(96, 64, dtype, channels_last, batched)
    how = Preprocessing(resize=resize, color=color, mean=mean, std=std, pad=pad)
    preprocess = Preprocessor(to, how)
    random = np.random.default_rng(1)
    for height, width in ((50, 81), (64, 96), (17, 300), (50, 81)):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        before = image.copy()
        prepared = preprocess(image)
        tensor, box = prepared.tensor, prepared.letterbox
        assert tensor.dtype == dtype and tensor.flags['C_CONTIGUOUS']
        assert (box.image_width, box.image_height) == (width, height)
        np.testing.assert_allclose(
            tensor.astype(np.float64), reference(image, to, how).astype(np.float64),
            atol=2e-3 if dtype == np.float16 else 3e-5)
        assert (image == before).all()
        preprocess.release(prepared)


def test_an_image_with_padded_rows_is_read_correctly():
    wide = np.random.default_rng(2).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    view = wide[:, :64]
    preprocess = Preprocessor(target(64, 64), Preprocessing(resize='letterbox'))
    tensor = preprocess(view).tensor
    np.testing.assert_array_equal(tensor, preprocess(np.ascontiguousarray(view)).tensor)


def test_a_tensor_is_overwritten_only_after_its_release():
    preprocess = Preprocessor(target(64, 64), Preprocessing(resize='letterbox'))
    black, white = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)
    first = preprocess(black)
    copy = first.tensor.copy()
    second = preprocess(white)
    np.testing.assert_array_equal(first.tensor, copy)
    preprocess.release(first)
    assert preprocess(white).tensor is first.tensor
    np.testing.assert_array_equal(first.tensor, second.tensor)
