# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Download of a model file: retries, progress bar, checksum, never half a file.

With the standard library: pooch, which does the same, has no rosdep key, so that a robot set up by
rosdep could not use a URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import hashlib
from http.client import HTTPException, InvalidURL
import logging
import os
from pathlib import Path
import re
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from tqdm import tqdm
from udp_infer_ros.detection.text import printable
from udp_infer_ros.errors import ModelError
from udp_infer_ros.redact import redacted

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
"""The download fails if the server sends nothing for this long."""
ATTEMPTS = 3
LENGTH = re.compile('[0-9]{1,15}')

log = logging.getLogger(__name__)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def download(url: str, path: Path, sha256: str) -> None:
    """
    Download a file, unless it exists with the right checksum.

    Of several processes, one downloads and the others wait for it.

    :param path: where to store it; its folder is created.
    :param sha256: checksum that the file must have, lowercase hexadecimal digits.
    :raises ModelError: if the server, the network, the disk or the checksum is the cause.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            if path.is_file() and digest_of(path) == sha256:
                return
            # The name of a complete file is given at the end. What an interrupted download left
            # is overwritten.
            part = path.with_name(f'{path.name}.part')
            try:
                _download_with_retries(url, part)
                if (found := digest_of(part)) != sha256:
                    raise wrong_checksum(url, expected=sha256, found=found)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(
            'model.id', redacted(url),
            f'cannot be stored in {path.parent}: {error.strerror or error}',
            'free some space, or set XDG_CACHE_HOME to another folder') from error


def wrong_checksum(model_id: str, *, expected: str, found: str) -> ModelError:
    """Return the error for a file with another checksum than `model.sha256`."""
    return ModelError(
        'model.sha256', expected, f'is not the checksum of {redacted(model_id)}, which is {found}',
        'use it only if you trust that file')


def _download_with_retries(url: str, part: Path) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        log.info('downloading %s', redacted(url))
        try:
            _download_once(url, part)
            return
        except ModelError as error:
            cause = error.__cause__
            refused = isinstance(cause, (InvalidURL, ValueError)) or (
                isinstance(cause, HTTPError) and cause.code < 500)
            if refused or attempt == ATTEMPTS:
                raise


def _download_once(url: str, part: Path) -> None:
    """
    Download to a file.

    :raises ModelError: if the server or the network is the cause.
    :raises OSError: if the disk is.
    """
    with part.open('wb') as file:
        for chunk in _chunks(url, part.stem):
            file.write(chunk)


def _chunks(url: str, name: str) -> Iterator[bytes]:
    shown = redacted(url)
    try:
        if '@' in urlsplit(url).netloc:
            raise InvalidURL('a user and a password are not sent')
        with urlopen(url, timeout=TIMEOUT_S) as response:
            length = response.headers.get('Content-Length', '')
            total = int(length) if LENGTH.fullmatch(length) else None
            received = 0
            with tqdm(total=total, unit='B', unit_scale=True, disable=None, desc=name) as bar:
                while chunk := response.read(CHUNK_BYTES):
                    received += len(chunk)
                    bar.update(len(chunk))
                    yield chunk
        if total is not None and received != total:
            raise HTTPException(f'{received} of {total} bytes')
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
        raise ModelError(
            'model.id', shown, f'the download ended early: {printable(str(error))}',
            'try again') from error
    except OSError as error:  # Of the network: this function writes no file.
        raise ModelError(
            'model.id', shown, f'cannot be downloaded: {_cause(error)}',
            'check the network, or download it by other means and give its path') from error


def _cause(error: OSError) -> str:
    reason = getattr(error, 'reason', error)
    return printable(getattr(reason, 'strerror', None) or str(reason))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
