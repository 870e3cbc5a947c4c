# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The images of a folder are frames in the order of their numbers."""

import cv2
import numpy as np
import pytest
from udp_infer_ros.errors import DecodeError, SourceError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.reader import open_reader
from udp_infer_ros.sources.uri import SourceUri


def write_images(folder, names):
    """Write images that get brighter, 8 gray levels each, in the order of the names."""
    for i, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), np.full((48, 64, 3), 8 * i, dtype=np.uint8))


def open_images(path, **settings):
    """Open a folder or a glob."""
    return open_reader(SourceUri.parse(str(path)), SourceSettings(**settings))


def read_levels(reader):
    """Read to the end; return the position and the number of each image by its brightness."""
    found = []
    while reader.grab():
        found.append((reader.position_s, round(float(reader.decode().mean()) / 8)))
    return found


@pytest.mark.parametrize('glob', ['', '/*.png', '/frame_*'])
def test_images_are_sorted_by_the_numbers_in_their_names(tmp_path, glob):
    write_images(tmp_path, [f'frame_{i}.png' for i in (1, 2, 9, 10, 11)])
    (tmp_path / 'notes.txt').write_text('not an image')
    reader = open_images(f'{tmp_path}{glob}', fps=10.0)
    assert reader.description == f'{tmp_path}{glob}, 5 images, 64 x 48' and reader.finite
    assert read_levels(reader) == [
        (pytest.approx(i / 10), i) for i in range(5)]


def test_images_have_30_frames_per_second_unless_the_settings_say_otherwise(tmp_path):
    write_images(tmp_path, ['1.png'])
    assert open_images(tmp_path).interval_s == pytest.approx(1 / 30)
    assert open_images(tmp_path, fps=4.0).interval_s == 0.25


def test_images_below_folders_are_found_by_a_recursive_glob(tmp_path):
    (tmp_path / 'a' / 'b').mkdir(parents=True)
    write_images(tmp_path / 'a' / 'b', ['1.png'])
    write_images(tmp_path / 'a', ['2.png'])
    assert len(read_levels(open_images(f'{tmp_path}/**/*.png'))) == 2


def test_an_image_that_cannot_be_read_is_an_error_with_its_path(tmp_path):
    write_images(tmp_path, ['1.jpg', '2.jpg', '3.jpg', '4.jpg'])
    path = tmp_path / '2.jpg'
    path.write_bytes(path.read_bytes()[:-20])
    reader = open_images(tmp_path)
    (tmp_path / '3.jpg').unlink()
    assert reader.grab() and reader.decode().shape == (48, 64, 3)
    for name, rule in (('2.jpg', 'cannot be decoded'), ('3.jpg', 'cannot be read')):
        assert reader.grab()
        with pytest.raises(DecodeError) as caught:
            reader.decode()
        assert str(tmp_path / name) in str(caught.value) and rule in str(caught.value)
    assert reader.grab() and reader.decode().shape == (48, 64, 3)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(SourceError, match='contains no image; the names of images end in .bmp'):
        open_images(tmp_path)


def test_a_folder_whose_first_image_is_damaged_is_refused_with_its_path(tmp_path):
    (tmp_path / '1.png').write_bytes(b'not an image')
    with pytest.raises(SourceError, match=f'{tmp_path}/1.png = .*cannot be decoded'):
        open_images(tmp_path)
