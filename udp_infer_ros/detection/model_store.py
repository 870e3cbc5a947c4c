# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From `model.id` to the path of a file, which is downloaded once if it is a URL."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from udp_infer_ros.errors import ModelError

BUNDLED = Path(__file__).resolve().parent.parent / 'models'
CHUNK_BYTES = 1 << 20


def bundled_models() -> tuple[str, ...]:
    """Return the names of the models in this package."""
    return tuple(sorted(path.stem for path in BUNDLED.glob('*.onnx')))


def cache_folder() -> Path:
    """Return the folder of downloaded models."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'udp_infer_ros'


def locate(model_id: str, sha256: str = '') -> Path:
    """
    Find a model file, and download it if it is a URL.

    :param model_id: a bundled model, a path, package://package/path or an http(s) URL.
    :param sha256: checksum that the file must have; required for a URL.
    :raises ModelError: if there is no such file, or it has another checksum.
    """
    scheme = urlsplit(model_id).scheme
    if scheme in ('http', 'https'):
        return _downloaded(model_id, _checked_digest(model_id, sha256))
    if model_id in bundled_models():
        path = BUNDLED / f'{model_id}.onnx'
    elif scheme == 'package':
        path = _in_package(model_id)
    else:
        path = Path(model_id.removeprefix('file://')).expanduser()
        if not model_id or not path.is_file():
            raise ModelError(
                'model.id', model_id, 'must be a bundled model or the path of an ONNX file',
                f'bundled models: {", ".join(bundled_models())}; '
                f'a relative path starts at {Path.cwd()}')
    if sha256 and (digest := _digest(path)) != sha256.lower():
        raise wrong_checksum(model_id, expected=sha256, found=digest)
    return path


def wrong_checksum(model_id: str, *, expected: str, found: str) -> ModelError:
    """Return the error for a file with another checksum than `model.sha256`."""
    return ModelError(
        'model.sha256', expected, f'is not the checksum of {model_id}, which is {found}',
        'use it only if you trust that file')


def _in_package(model_id: str) -> Path:
    # Searches as ament_index does, so that it works without ROS.
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
            'downloaded', 'sha256sum prints them for a file that you trust')
    return digest


def _downloaded(url: str, sha256: str) -> Path:
    name = Path(unquote(urlsplit(url).path)).name or 'model.onnx'
    path = cache_folder() / sha256[:16] / name
    if path.is_file() and _digest(path) == sha256:
        return path
    try:
        # Imported here so that pooch is only needed for a download.
        from udp_infer_ros.detection.download import download
    except ImportError as error:
        raise ModelError(
            'model.id', url, f'cannot be downloaded: {error}',
            'install python3-pooch, or download the file by other means and give its path',
        ) from error
    download(url, path, sha256)
    return path


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
