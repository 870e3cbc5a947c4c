# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From a model's name to its file, which is fetched once where it has to be."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
import logging
import os
from pathlib import Path
import tempfile
from typing import IO
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from tqdm import tqdm
from udp_infer_ros.errors import ModelError

BUNDLED = Path(__file__).resolve().parent.parent / 'models'
CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
"""A server that sends nothing for so long is given up."""

log = logging.getLogger(__name__)


def bundled_models() -> tuple[str, ...]:
    """Name the models that come with the package."""
    return tuple(sorted(path.stem for path in BUNDLED.glob('*.onnx')))


def cache_folder() -> Path:
    """Tell where fetched models are kept."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'udp_infer_ros'


def locate(model_id: str, sha256: str = '') -> Path:
    """
    Find a model's file.

    :param model_id: a bundled model, a path, package://package/path or an http(s) URL.
    :param sha256: checksum that the file must have; a URL needs one.
    :raises ModelError: if there is no such file, or it is not the one with that checksum.
    """
    scheme = urlsplit(model_id).scheme
    if scheme in ('http', 'https'):
        return _fetched(model_id, _checked_digest(model_id, sha256))
    if model_id in bundled_models():
        path = BUNDLED / f'{model_id}.onnx'
    elif scheme == 'package':
        path = _in_package(model_id)
    else:
        path = Path(model_id.removeprefix('file://')).expanduser()
        if not model_id or not path.is_file():
            raise ModelError(
                'model.id', model_id, 'must be a bundled model or the path of an ONNX file',
                f'bundled are: {", ".join(bundled_models())}; '
                f'a relative path starts at {Path.cwd()}')
    if sha256:
        with path.open('rb') as file:
            _require_digest(model_id, _digest(file), sha256)
    return path


def _in_package(model_id: str) -> Path:
    # As ament_index finds it, without needing ROS for it.
    package, _, rest = model_id.removeprefix('package://').partition('/')
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        path = Path(prefix) / 'share' / package / rest
        if package and rest and prefix and path.is_file():
            return path
    raise ModelError(
        'model.id', model_id, f'there is no {rest or "file"} in the share folder of {package!r}',
        'write package://<package>/<path>, and source the workspace that has the package')


def _checked_digest(model_id: str, sha256: str) -> str:
    digest = sha256.lower()
    if len(digest) != 64 or not set(digest) <= set('0123456789abcdef'):
        raise ModelError(
            'model.sha256', sha256, f'must be 64 hexadecimal digits, because {model_id} is '
            'fetched from elsewhere', 'sha256sum prints them for a file that you trust')
    return digest


def _fetched(url: str, sha256: str) -> Path:
    name = Path(unquote(urlsplit(url).path)).name or 'model.onnx'
    folder = cache_folder()
    path = folder / sha256[:16] / name
    if path.is_file():
        with path.open('rb') as file:
            if _digest(file) == sha256:
                return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Half a file never gets the name of a whole one.
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            try:
                _download(url, part)
                part.seek(0)
                _require_digest(url, _digest(part), sha256)
                os.replace(part.name, path)
            except BaseException:
                os.unlink(part.name)
                raise
    except HTTPError as error:
        raise ModelError(
            'model.id', url, f'the server answers {error.code} {error.reason}',
            'check the address') from error
    except HTTPException as error:
        raise ModelError(
            'model.id', url, f'the download was cut off: {error!r}', 'try again') from error
    except OSError as error:
        if error.filename or error.errno is not None and not _from_network(error):
            raise ModelError(
                'model.id', url, f'cannot be kept in {folder}: {error.strerror or error}',
                'make room there, or set XDG_CACHE_HOME to another folder') from error
        raise ModelError(
            'model.id', url, f'cannot be fetched: {getattr(error, "reason", error)}',
            'check the network, or fetch it by hand and give its path') from error
    return path


def _from_network(error: OSError) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError))


def _download(url: str, file: IO[bytes]) -> None:
    log.info('fetching %s', url)
    with urlopen(url, timeout=TIMEOUT_S) as answer:
        length = answer.headers.get('Content-Length')
        total = int(length) if length and length.isdigit() else None
        with tqdm(
            total=total, unit='B', unit_scale=True, disable=None, desc=Path(url).name,
        ) as bar:
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and file.tell() != total:
        raise HTTPException(f'{file.tell()} of {total} bytes came')
    file.flush()


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _require_digest(model_id: str, found: str, wanted: str) -> None:
    if found != wanted.lower():
        raise ModelError(
            'model.sha256', wanted, f'is not the checksum of {model_id}, which is {found}',
            'use it only if you trust that file')
