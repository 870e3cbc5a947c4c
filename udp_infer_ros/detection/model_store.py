# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From `model.id` to the path of a file, which is downloaded once if it is a URL."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from udp_infer_ros.detection.download import digest_of, download, wrong_checksum
from udp_infer_ros.errors import ModelError

BUNDLED = Path(__file__).resolve().parent.parent / 'models'


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
    if sha256 and (digest := digest_of(path)) != sha256.lower():
        raise wrong_checksum(model_id, expected=sha256, found=digest)
    return path


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
    download(url, path, sha256)
    return path
