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

"""Who is told of a Result."""

from __future__ import annotations

from typing import Protocol

from udp_infer_ros.frame import BgrImage, Result


class Output(Protocol):
    """Something that tells others of a Result."""

    name: str
    """For logs and counters, e.g. `udp`."""

    def tell(self, result: Result, image: BgrImage) -> None:
        """
        Pass a Result on. May raise; the other outputs are told all the same.

        :param image: the frame's pixels, for drawing. Not to be kept or written to.
        """
        ...
