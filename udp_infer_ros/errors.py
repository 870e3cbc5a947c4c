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

"""What can go wrong, in sentences: `<name> = <value>: <rule>; <what to do>`."""

from __future__ import annotations


class UdpInferError(Exception):
    """
    The base of every error that this package raises on purpose.

    :param name: the parameter or field that is wrong, e.g. `detect.confidence`.
    :param value: the value that was found there.
    :param rule: what a good value looks like, e.g. `must be from 0 to 1`.
    :param remedy: what the reader can do about it, if there is more to say than the rule.
    """

    def __init__(self, name: str, value: object, rule: str, remedy: str = '') -> None:
        text = f'{name} = {value!r}: {rule}'
        super().__init__(f'{text}; {remedy}' if remedy else text)
        self.name = name
        self.value = value
        self.rule = rule
        self.remedy = remedy


class SettingError(UdpInferError):
    """A parameter has a value that it cannot have."""


class ModelError(UdpInferError):
    """A model file cannot be loaded, or is not a detector that this package understands."""


class SourceError(UdpInferError):
    """A device, file or stream cannot be opened or gives no frame."""


class FrameError(UdpInferError):
    """One frame is malformed. It is counted and skipped; the next one may be good."""


class StaleError(FrameError):
    """A frame is older than it may be."""


class DecodeError(FrameError):
    """Compressed data of one frame cannot be decoded."""
