# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Download of a model file with pooch: retries, progress bar, checksum, never half a file."""

from __future__ import annotations

from functools import partial
import logging
from pathlib import Path

import pooch
from requests import exceptions
from tqdm import tqdm
from udp_infer_ros.detection.model_store import wrong_checksum
from udp_infer_ros.errors import ModelError

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
"""The download fails if the server sends nothing for this long."""
RETRIES = 2

log = logging.getLogger(__name__)


def download(url: str, path: Path, sha256: str) -> None:
    """
    Download a file, unless it is there already.

    :param path: where to store it; its folder is created.
    :param sha256: checksum that the file must have.
    :raises ModelError: if the server, the network, the disk or the checksum is the cause.
    """
    pooch.get_logger().setLevel(logging.WARNING)  # Each attempt is logged below.
    store = pooch.create(
        path=path.parent, base_url='', registry={path.name: sha256}, urls={path.name: url},
        retry_if_failed=RETRIES)
    try:
        store.fetch(path.name, downloader=partial(_download_once, sha256=sha256))
    except exceptions.HTTPError as error:
        raise _refused(url, error) from error
    except exceptions.ChunkedEncodingError as error:
        raise ModelError(
            'model.id', url, f'the download ended early: {_first_cause(error)}',
            'try again') from error
    except exceptions.RequestException as error:
        raise ModelError(
            'model.id', url, f'cannot be downloaded: {_first_cause(error)}',
            'check the network, or download it by other means and give its path') from error
    except OSError as error:
        raise ModelError(
            'model.id', url, f'cannot be stored in {path.parent}: {_first_cause(error)}',
            'free some space, or set XDG_CACHE_HOME to another folder') from error


def _download_once(url: str, part: str, store: pooch.Pooch, *, sha256: str) -> None:
    """
    Download to a temporary file, which pooch renames if the checksum is right.

    pooch repeats a request after an error of `requests`, but not after a ModelError.
    """
    log.info('downloading %s', url)
    # A total above 0, which pooch replaces, because pooch tests the truth of the bar. Without
    # disable, the bar would be drawn into log files.
    with tqdm(total=1, unit='B', unit_scale=True, disable=None, desc=Path(part).name) as bar:
        fetch = pooch.HTTPDownloader(
            progressbar=bar, chunk_size=CHUNK_BYTES, timeout=TIMEOUT_S,
            headers={'Accept-Encoding': 'identity'})
        try:
            fetch(url, part, store)
        except exceptions.HTTPError as error:
            if error.response is not None and error.response.status_code < 500:
                raise _refused(url, error) from error
            raise
        total = bar.total
    size = Path(part).stat().st_size
    if total and size != total:
        # urllib3 before 2.0 does not notice.
        raise exceptions.ChunkedEncodingError(f'{size} of {total} bytes')
    digest = pooch.file_hash(part)
    if digest != sha256:
        raise wrong_checksum(url, expected=sha256, found=digest)


def _refused(url: str, error: exceptions.HTTPError) -> ModelError:
    response = error.response
    status = error if response is None else f'{response.status_code} {response.reason}'
    return ModelError('model.id', url, f'the server responded {status}', 'check the address')


def _first_cause(error: BaseException) -> str:
    """Return the text of the error that led to this one; that of requests has many lines."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return getattr(error, 'strerror', None) or str(error)
