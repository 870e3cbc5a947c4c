# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Errors with texts of the form `<name> = <value>: <rule>; <what to do>`, and drop causes."""

from __future__ import annotations

from enum import Enum

from udp_infer_ros.redact import redacted


class Drop(str, Enum):
    """The cause for which an offered frame was dropped."""

    REPLACED = 'replaced'
    """A newer frame arrived before the worker took this one."""
    MAX_FPS = 'max_fps'
    """The frame rate of the source exceeds `source.max_fps`."""
    STALE = 'stale'
    """The frame was older than `source.max_age_s` when the worker took it."""
    BAD_MESSAGE = 'bad_message'
    """The image message is inconsistent or has an unknown encoding."""
    DECODE_ERROR = 'decode_error'
    """The compressed image or video packet could not be decoded."""
    INFERENCE_ERROR = 'inference_error'
    """The model, its postprocessing or the tracker raised an error."""


class UdpInferError(Exception):
    """
    Base class of the errors that this package reports to its users.

    :param name: the parameter or field that is wrong, e.g. `detect.confidence`.
    :param value: the invalid value; the text contains it without passwords.
    :param rule: which values are valid, e.g. `must be from 0 to 1`.
    :param remedy: how to correct it; empty if the rule is sufficient.
    """

    def __init__(self, name: str, value: object, rule: str, remedy: str = '') -> None:
        text = f'{name} = {redacted(repr(value))}: {rule}'
        super().__init__(f'{text}; {remedy}' if remedy else text)
        self.name = name
        self.value = value
        self.rule = rule
        self.remedy = remedy


class SettingError(UdpInferError):
    """A parameter has an invalid value, or cannot be changed now."""


class ModelError(UdpInferError):
    """A model cannot be loaded, or is not a supported detector."""


class ModelChangedError(ModelError):
    """A server has another model now than when it was loaded; it has to be loaded again."""


class SharedCallError(Exception):
    """A call of the network for several frames failed; the thread that made it reports it."""


class SourceError(UdpInferError):
    """A device, file or stream cannot be opened or delivers no frames."""


class FrameError(UdpInferError):
    """A frame is malformed. It is dropped and counted; the next one may be valid."""

    cause = Drop.BAD_MESSAGE
    """The cause under which the frame is counted."""


class StaleError(FrameError):
    """A frame is older than `source.max_age_s`."""

    cause = Drop.STALE


class DecodeError(FrameError):
    """The compressed data of one frame cannot be decoded."""

    cause = Drop.DECODE_ERROR
