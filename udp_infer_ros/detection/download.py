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
from http.client import HTTPException
import logging
import os
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tqdm import tqdm
from udp_infer_ros.errors import ModelError

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
"""The download fails if the server sends nothing for this long."""
ATTEMPTS = 3

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
            'model.id', url, f'cannot be stored in {path.parent}: {error.strerror or error}',
            'free some space, or set XDG_CACHE_HOME to another folder') from error


def wrong_checksum(model_id: str, *, expected: str, found: str) -> ModelError:
    """Return the error for a file with another checksum than `model.sha256`."""
    return ModelError(
        'model.sha256', expected, f'is not the checksum of {model_id}, which is {found}',
        'use it only if you trust that file')


def _download_with_retries(url: str, part: Path) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        log.info('downloading %s', url)
        try:
            _download_once(url, part)
            return
        except ModelError as error:
            refused = isinstance(error.__cause__, HTTPError) and error.__cause__.code < 500
            if refused or attempt == ATTEMPTS:
                raise


def _download_once(url: str, part: Path) -> None:
    """
    Download to a file.

    :raises ModelError: if the server or the network is the cause.
    :raises OSError: if the disk is.
    """
    with part.open('wb') as file:
        for chunk in _chunks(url):
            file.write(chunk)


def _chunks(url: str) -> Iterator[bytes]:
    try:
        with urlopen(url, timeout=TIMEOUT_S) as response:
            length = response.headers.get('Content-Length', '')
            total = int(length) if length.isdigit() else None
            received = 0
            with tqdm(
                total=total, unit='B', unit_scale=True, disable=None, desc=Path(url).name,
            ) as bar:
                while chunk := response.read(CHUNK_BYTES):
                    received += len(chunk)
                    bar.update(len(chunk))
                    yield chunk
        if total is not None and received != total:
            raise HTTPException(f'{received} of {total} bytes')
    except HTTPError as error:
        raise ModelError(
            'model.id', url, f'the server responded {error.code} {error.reason}',
            'check the address') from error
    except HTTPException as error:
        raise ModelError(
            'model.id', url, f'the download ended early: {error}', 'try again') from error
    except (URLError, ConnectionError, TimeoutError) as error:
        raise ModelError(
            'model.id', url, f'cannot be downloaded: {_cause(error)}',
            'check the network, or download it by other means and give its path') from error


def _cause(error: OSError) -> str:
    reason = getattr(error, 'reason', error)
    return getattr(reason, 'strerror', None) or str(reason)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
