# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Clips and cameras for the tests of sources."""

from helpers import write_clip
import pytest
from sources.source_helpers import FakeCamera


@pytest.fixture
def make_clip(tmp_path):
    """Write a clip whose frames get brighter, 8 gray levels each, and return its path."""
    def make(frames=10, fps=20.0, name='clip.avi'):
        return write_clip(tmp_path / name, frames=frames, fps=fps, step=8)
    return make


@pytest.fixture
def camera():
    """Return a camera that can be made to fail; nothing hangs in it after the test."""
    camera = FakeCamera()
    yield camera
    camera.thaw()
