# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Download of a model file: resumed after an interruption, with progress, checked, never half a file.

With the standard library: pooch, which does the same, has no rosdep key, so that a robot set up by
rosdep could not use a URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
from http.client import HTTPException, HTTPResponse, InvalidURL
import logging
import os
from pathlib import Path
import re
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm
from udp_infer_ros.detection.checksum import CHUNK_BYTES, digest_of, wrong_checksum
from udp_infer_ros.detection.text import printable
from udp_infer_ros.errors import ModelError
from udp_infer_ros.redact import redacted

TIMEOUT_S = 30.0
"""The download fails if the server sends nothing for this long."""
ATTEMPTS = 3
LENGTH = re.compile('[0-9]{1,15}')
RANGE = re.compile(r'bytes ([0-9]{1,15})-[0-9]{1,15}/(?:[0-9]{1,15}|\*)')
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416
LOGGED_SHARES = 10
"""Without a terminal, progress is logged this many times per file."""
LOGGED_BYTES = 10_000_000
"""The same, if the server does not declare the size."""

log = logging.getLogger(__name__)


class _Part:
    """
    The received beginning of a file, and the version of the file on the server.

    The rest is requested only of the same version, by If-Range, so that the parts of two versions
    are not joined. Without a version there is nothing to resume.

    :param path: of the complete file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f'{path.name}.part')
        self._version = path.with_name(f'{path.name}.part.version')
        self.name = path.name
        self.resumed = False
        """Whether a response continued it."""

    @property
    def resumable(self) -> bool:
        """Return whether the rest can be requested."""
        return bool(self.headers())

    def headers(self) -> dict[str, str]:
        """Return the headers that request the rest; none to request the file."""
        if not (self._version.is_file() and self._size()):
            return {}
        version = self._version.read_text(encoding='ascii')
        return {'Range': f'bytes={self._size()}-', 'If-Range': version}

    def open_for(self, response: HTTPResponse) -> tuple[BinaryIO, int]:
        """
        Open the file for the body of a response.

        :return: the file, and the number of bytes already in it.
        :raises HTTPException: if the response is another range than the one requested.
        """
        if response.status == PARTIAL_CONTENT:
            found = RANGE.fullmatch(response.headers.get('Content-Range', ''))
            if found is None or int(found[1]) != self._size():
                self.discard()
                raise HTTPException('the server sent another part of the file')
            self.resumed = self.resumed or self._size() > 0
            return self.path.open('ab'), self._size()
        self.discard()
        version = response.headers.get('ETag') or response.headers.get('Last-Modified') or ''
        strong = version and not version.startswith('W/')
        if strong and version.isascii() and version.isprintable():
            self._version.write_text(version, encoding='ascii')
        return self.path.open('wb'), 0

    def discard(self) -> None:
        """Delete it."""
        self.resumed = False
        # The version first: if this is interrupted, the part is not resumed.
        self._version.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0


def download(url: str, path: Path, sha256: str) -> None:
    """
    Download a file, unless it exists with the right checksum.

    Of several processes, one downloads and the others wait for it. What an interrupted download
    left is continued if the server allows it.

    :param path: where to store it; its folder is created.
    :param sha256: checksum that the file must have, lowercase hexadecimal digits.
    :raises ModelError: if the server, the network, the disk or the checksum is the cause.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            if path.is_file() and digest_of(path) == sha256:
                return
            part = _Part(path)
            try:
                _download_checked(url, part, sha256)
                os.replace(part.path, path)
            except OSError:
                part.discard()  # The disk may be full.
                raise
            finally:
                if not part.resumable:
                    part.discard()
    except OSError as error:
        raise ModelError(
            'model.id', redacted(url),
            f'cannot be stored in {path.parent}: {error.strerror or error}',
            'free some space, or set XDG_CACHE_HOME to another folder') from error


def _download_checked(url: str, part: _Part, sha256: str) -> None:
    """Download a file; if a part was continued and the result is wrong, download all of it."""
    for _ in range(2):
        _download_with_retries(url, part)
        if (found := digest_of(part.path)) == sha256:
            return
        was_resumed = part.resumed
        part.discard()
        if not was_resumed:
            break
        log.warning(
            '%s: the checksum of the continued download is wrong, downloading all of it',
            part.name)
    raise wrong_checksum(url, expected=sha256, found=found)


def _download_with_retries(url: str, part: _Part) -> None:
    logged = None
    for attempt in range(1, ATTEMPTS + 1):
        headers = part.headers()
        if headers != logged:
            log.info('downloading %s%s', redacted(url), ', the rest of it' if headers else '')
        logged = headers
        try:
            _download_once(url, part, headers)
            return
        except ModelError as error:
            cause = error.__cause__
            if isinstance(cause, HTTPError) and cause.code == RANGE_NOT_SATISFIABLE:
                part.discard()
            elif _is_refusal(cause):
                raise
            if attempt == ATTEMPTS:
                raise


def _is_refusal(cause: BaseException | None) -> bool:
    """Return whether the same request would fail again."""
    return isinstance(cause, (InvalidURL, ValueError)) or (
        isinstance(cause, HTTPError) and cause.code < 500)


def _download_once(url: str, part: _Part, headers: dict[str, str]) -> None:
    """
    Download to a file.

    :param headers: of the request.
    :raises ModelError: if the server or the network is the cause.
    :raises OSError: if the disk is.
    """
    with _network_errors(url):
        if '@' in urlsplit(url).netloc:
            raise InvalidURL('a user and a password are not sent')
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    with response:
        try:
            file, received = part.open_for(response)
        except HTTPException as error:
            raise _ended_early(url, error) from error
        length = response.headers.get('Content-Length', '')
        total = received + int(length) if LENGTH.fullmatch(length) else None
        with file, _Progress(part.name, received, total) as progress:
            while total is None or progress.received < total:
                left = CHUNK_BYTES if total is None else total - progress.received
                with _network_errors(url):
                    chunk = response.read1(min(left, CHUNK_BYTES))
                    if not chunk and total is not None:
                        raise HTTPException(f'{progress.received} of {total} bytes')
                if not chunk:
                    return
                file.write(chunk)
                file.flush()  # A signal may end the process; then the rest is requested.
                progress.add(len(chunk))


class _Progress:
    """
    The progress of a download: a bar on a terminal, otherwise lines in the log.

    :param received: bytes that are already there.
    :param total: bytes of the file; None if the server does not declare it.
    """

    def __init__(self, name: str, received: int, total: int | None) -> None:
        self.received = received
        self._name = name
        self._total = total
        self._step = total / LOGGED_SHARES if total else LOGGED_BYTES
        self._bar = tqdm(
            total=total, initial=received, unit='B', unit_scale=True, disable=None, desc=name)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def add(self, count: int) -> None:
        """Count received bytes."""
        before = self.received
        self.received += count
        self._bar.update(count)
        if self._bar.disable and self.received // self._step > before // self._step:
            of_total = '' if self._total is None else f' of {self._total / 1e6:.1f}'
            log.info('%s: %.1f%s MB', self._name, self.received / 1e6, of_total)


@contextmanager
def _network_errors(url: str) -> Iterator[None]:
    """Convert the errors of the network and of the server to ModelError."""
    shown = redacted(url)
    try:
        yield
    except (InvalidURL, ValueError) as error:
        # The text of the error may contain a part of the address.
        raise ModelError(
            'model.id', shown, 'must be an address in ASCII without user and password',
            'percent-encode it, or download the file by other means and give its path') from error
    except HTTPError as error:
        raise ModelError(
            'model.id', shown,
            f'the server responded {error.code} {redacted(printable(str(error.reason)))}',
            'check the address') from error
    except HTTPException as error:
        raise _ended_early(url, error) from error
    except OSError as error:
        raise ModelError(
            'model.id', shown, f'cannot be downloaded: {_cause(error)}',
            'check the network, or download it by other means and give its path') from error


def _ended_early(url: str, error: HTTPException) -> ModelError:
    return ModelError(
        'model.id', redacted(url), f'the download ended early: {printable(str(error))}',
        'try again')


def _cause(error: OSError) -> str:
    reason = getattr(error, 'reason', error)
    return printable(getattr(reason, 'strerror', None) or str(reason))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info('waiting for another process that downloads to %s', folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
