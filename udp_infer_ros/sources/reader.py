# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The interface of readers, which read a device, file or stream frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from udp_infer_ros.frame import BgrImage
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.images import ImageReader
from udp_infer_ros.sources.uri import SourceUri
from udp_infer_ros.sources.video import VideoReader


class Reader(Protocol):
    """An open device, file or stream. Not thread-safe."""

    @property
    def description(self) -> str:
        """Return the name, without passwords, and the size and rate of the frames."""
        ...

    @property
    def interval_s(self) -> float:
        """Return the nominal time between two frames, seconds; 0 if unknown."""
        ...

    @property
    def position_s(self) -> float:
        """Return the position of the current frame in a file, seconds from the start."""
        ...

    @property
    def finite(self) -> bool:
        """Return whether the number of frames is known."""
        ...

    def grab(self) -> bool:
        """Move to the next frame, without decoding it; return False if there are no more."""
        ...

    def decode(self) -> BgrImage:
        """
        Decode the current frame.

        :return: (height, width, 3) uint8, BGR.
        :raises DecodeError: if it is damaged; the next one may be valid.
        """
        ...

    def close(self) -> None:
        """Release the device or file."""
        ...


OpenReader = Callable[[SourceUri, SourceSettings], Reader]


def open_reader(uri: SourceUri, settings: SourceSettings) -> Reader:
    """
    Open a device, file or stream, and decode its first frame.

    :return: a reader whose first `grab` moves to that frame.
    :raises SourceError: if it does not open, or its first frame cannot be decoded.
    """
    return ImageReader(uri, settings) if uri.kind == 'images' else VideoReader(uri, settings)
