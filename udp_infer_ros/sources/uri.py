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

"""What `source.uri` names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re
from urllib.parse import urlsplit, urlunsplit

from udp_infer_ros.errors import SourceError


@dataclass(frozen=True)
class SourceUri:
    """A camera, a file or a stream."""

    kind: str
    """device, file or stream."""
    target: int | str
    """What OpenCV opens. May hold a password: never log it."""
    shown: str
    """What people may see."""

    @classmethod
    def parse(cls, text: str) -> SourceUri:
        """
        Tell what a `source.uri` names.

        :param text: an index, /dev/videoN, a URL or a path; `~` is the home folder.
        :raises SourceError: if it names a file or device that does not exist.
        """
        if text.isascii() and text.isdigit():
            return cls('device', int(text), f'/dev/video{int(text)}')
        if '://' in text and not text.startswith('file://'):
            return cls('stream', text, without_password(text))
        path = Path(text.removeprefix('file://')).expanduser()
        if not path.exists():
            raise SourceError(
                'source.uri', text, 'no such file or device',
                f'a relative path starts at {Path.cwd()}')
        if match := re.fullmatch(r'/dev/video(\d+)', str(path)):
            return cls('device', int(match[1]), str(path))
        return cls('file', str(path), str(path))


def without_password(url: str) -> str:
    """Give a URL as it may be shown: user and password become `***`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return '(a malformed URL)'
    _, at, host = parts.netloc.rpartition('@')
    return urlunsplit(parts._replace(netloc=f'***@{host}')) if at else url
