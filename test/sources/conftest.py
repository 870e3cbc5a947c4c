# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Clips that are made on the spot."""

from helpers import write_clip
import pytest


@pytest.fixture
def make_clip(tmp_path):
    """Write a clip whose frames get brighter, 8 grey levels each, and give its path."""
    def make(frames=10, fps=20.0, name='clip.avi'):
        return write_clip(tmp_path / name, frames=frames, fps=fps, step=8)
    return make
