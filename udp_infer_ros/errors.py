# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Errors in one form, `<name> = <value>: <rule>; <what to do>`, and why frames are dropped."""

from __future__ import annotations

from enum import Enum


class Drop(str, Enum):
    """Why an offered frame was not processed."""

    REPLACED = 'replaced'
    """A newer frame arrived before the worker was free."""
    MAX_FPS = 'max_fps'
    """The source delivers more than `source.max_fps`."""
    STALE = 'stale'
    """The frame was older than `source.max_age_s` when the worker took it."""
    BAD_MESSAGE = 'bad_message'
    """The image message contradicts itself or has an unknown encoding."""
    DECODE_ERROR = 'decode_error'
    """The compressed image or video packet could not be decoded."""
    INFERENCE_ERROR = 'inference_error'
    """The model raised an error."""


class UdpInferError(Exception):
    """
    Base class of the errors that this package raises on purpose.

    :param name: the parameter or field that is wrong, e.g. `detect.confidence`.
    :param value: the value found there.
    :param rule: what a valid value looks like, e.g. `must be from 0 to 1`.
    :param remedy: what the user can do about it, if the rule does not say so already.
    """

    def __init__(self, name: str, value: object, rule: str, remedy: str = '') -> None:
        text = f'{name} = {value!r}: {rule}'
        super().__init__(f'{text}; {remedy}' if remedy else text)
        self.name = name
        self.value = value
        self.rule = rule
        self.remedy = remedy


class SettingError(UdpInferError):
    """A parameter has an invalid value, or cannot be changed now."""


class ModelError(UdpInferError):
    """A model cannot be loaded, or is not a supported detector."""


class SourceError(UdpInferError):
    """A device, file or stream cannot be opened or delivers no frame."""


class FrameError(UdpInferError):
    """One frame is malformed. It is dropped and counted; the next one may be valid."""

    cause = Drop.BAD_MESSAGE
    """The counter that a frame dropped by this error belongs to."""


class StaleError(FrameError):
    """A frame is older than `source.max_age_s`."""

    cause = Drop.STALE


class DecodeError(FrameError):
    """The compressed data of one frame cannot be decoded."""

    cause = Drop.DECODE_ERROR
