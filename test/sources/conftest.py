# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Clips that are made on the spot."""

from helpers import write_clip
import pytest


@pytest.fixture
def make_clip(tmp_path):
    """Write a clip whose frames get brighter, 8 grey levels each, and give its path."""
    def make(frames=10, fps=20.0, name='clip.avi'):
        return write_clip(tmp_path / name, frames=frames, fps=fps, step=8)
    return make
