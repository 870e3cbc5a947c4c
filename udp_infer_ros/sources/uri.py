# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Parsing of `source.uri`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re
from typing import Literal

from udp_infer_ros.environment import with_variables
from udp_infer_ros.errors import SourceError
from udp_infer_ros.redact import redacted as without_secrets

SourceKind = Literal['device', 'file', 'images', 'stream', 'pipeline']
FINITE_KINDS: tuple[SourceKind, ...] = ('file', 'images')
"""Kinds of sources that have an end and can wait; all others are live."""
_GLOB = re.compile(r'[*?\[]')


@dataclass(frozen=True, kw_only=True)
class SourceUri:
    """A parsed `source.uri`."""

    kind: SourceKind
    target: int | str
    """The argument for OpenCV or the path. It may contain a password: do not log it."""
    redacted: str
    """The name for logs and results, without passwords."""

    @classmethod
    def parse(cls, text: str) -> SourceUri:
        """
        Parse a `source.uri`.

        :param text: an index, a path below /dev, a URL, a GStreamer pipeline, a path or a glob;
            `~` is the home folder, `${NAME}` an environment variable.
        :raises SourceError: if a file or an environment variable in it does not exist.
        """
        # Redact before the variables are replaced, because their values may be passwords.
        redacted = without_secrets(text)
        text = with_variables(text, 'source.uri', SourceError)
        try:
            return cls._parse(text, redacted)
        except (ValueError, OSError, RuntimeError) as error:  # of int and pathlib
            reason = getattr(error, 'strerror', None) or type(error).__name__
            raise SourceError(
                'source.uri', redacted, f'is no device, file or address ({reason})') from error

    @classmethod
    def _parse(cls, text: str, redacted: str) -> SourceUri:
        if text.isascii() and text.isdigit():
            return cls(kind='device', target=int(text), redacted=f'/dev/video{int(text)}')
        if ' ! ' in text:
            return cls(kind='pipeline', target=text, redacted=redacted)
        if '://' in text and not text.startswith('file://'):
            return cls(kind='stream', target=text, redacted=redacted)
        path = Path(text.removeprefix('file://')).expanduser()
        if '${' not in redacted:
            redacted = without_secrets(str(path))
        if match := re.fullmatch(r'/dev/video(\d+)', str(path)):
            return cls(kind='device', target=int(match[1]), redacted=str(path))
        # A missing file below /dev is assumed to be a camera that is not plugged in.
        if path.is_relative_to('/dev') and not path.is_relative_to('/dev/shm'):
            return cls(kind='device', target=str(path), redacted=redacted)
        if path.is_dir() or (_GLOB.search(str(path)) and not path.exists()):
            return cls(kind='images', target=str(path), redacted=redacted)
        if not path.exists():
            raise SourceError(
                'source.uri', redacted, 'no such file or device',
                f'a relative path starts at {Path.cwd()}')
        return cls(kind='file', target=str(path), redacted=redacted)
