# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What `source.uri` names."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
import re

from udp_infer_ros.errors import SourceError

ONLY_A_FILE = ('file', 'images')
"""The kinds of sources that have an end, and no frame that would be lost by waiting."""
_GLOB = re.compile(r'[*?\[]')
_VARIABLE = re.compile(r'\$\{(\w+)\}')
_SCHEME = r'[A-Za-z][A-Za-z0-9+.-]*:/+'
# Up to the last @: a password that was not escaped may itself have an @, a / or a ? in it.
_USER = re.compile(rf'({_SCHEME}).*@', re.DOTALL)
_USER_IN_PIPELINE = re.compile(rf'({_SCHEME})\S*@')
_SECRET = re.compile(
    r'((?:pas|pwd|pw|token|secret|key|auth|sig|cred)[\w.-]*=)[^&#;\s]*', re.IGNORECASE)


@dataclass(frozen=True)
class SourceUri:
    """A camera, a file or a stream."""

    kind: str
    """device, file, images, stream or pipeline."""
    target: int | str
    """What OpenCV opens. May hold a password: never log it."""
    shown: str
    """What people may see."""

    @property
    def live(self) -> bool:
        """Tell whether it has no end: what does not come in time is lost, and opened again."""
        return self.kind not in ONLY_A_FILE

    @classmethod
    def parse(cls, text: str) -> SourceUri:
        """
        Tell what a `source.uri` names.

        :param text: an index, a path below /dev, a URL, a GStreamer pipeline, a path or a glob;
            `~` is the home folder, `${NAME}` a variable of the environment.
        :raises SourceError: if it names a file or a variable that does not exist.
        """
        # What is shown is the text before the variables are put in: they may be passwords.
        shown, text = without_password(text), _with_variables(text)
        if text.isascii() and text.isdigit():
            return cls('device', int(text), f'/dev/video{int(text)}')
        if ' ! ' in text:
            return cls('pipeline', text, shown)
        if '://' in text and not text.startswith('file://'):
            return cls('stream', text, shown)
        path = Path(text.removeprefix('file://')).expanduser()
        if match := re.fullmatch(r'/dev/video(\d+)', str(path)):
            return cls('device', int(match[1]), str(path))
        # Below /dev a file that is not there is a camera that is not plugged in.
        if path.is_relative_to('/dev') and not path.is_relative_to('/dev/shm'):
            return cls('device', str(path), str(path))
        if path.is_dir() or (_GLOB.search(str(path)) and not path.exists()):
            return cls('images', str(path), str(path))
        if not path.exists():
            raise SourceError(
                'source.uri', shown, 'no such file or device',
                f'a relative path starts at {Path.cwd()}')
        return cls('file', str(path), str(path))


def without_password(text: str) -> str:
    """
    Give a `source.uri` as it may be shown.

    User and password become `***`, and so does the value of whatever looks like a password, a
    token or a key in a query or in the properties of a GStreamer element. In doubt too much is
    hidden.
    """
    user = _USER_IN_PIPELINE if ' ! ' in text else _USER
    return _SECRET.sub(r'\1***', user.sub(r'\1***@', text))


def _with_variables(text: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SourceError(
                'source.uri', without_password(text),
                f'the environment has no variable {match[1]}', 'set it where the node starts')
        return os.environ[match[1]]
    return _VARIABLE.sub(value, text)
