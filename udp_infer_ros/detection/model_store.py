# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""From `model.id` to the path of a file, which is downloaded once if it is not on this machine."""

from __future__ import annotations

from difflib import get_close_matches
import logging
import os
from pathlib import Path
import re
from urllib.parse import unquote, urlsplit

from udp_infer_ros.detection.catalog import CATALOG, Catalog, CatalogModel
from udp_infer_ros.detection.checksum import digest_of, wrong_checksum
from udp_infer_ros.errors import ModelError
from udp_infer_ros.redact import redacted

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).resolve().parent.parent / 'models'
MAX_NAME_CHARACTERS = 100
EXPORT_PYTORCH = 'export it to ONNX, e.g. with yolo export model=<file> format=onnx'
OTHER_FORMATS = {
    '.pt': ('a PyTorch file', EXPORT_PYTORCH),
    '.pth': ('a PyTorch file', EXPORT_PYTORCH),
    '.engine': ('a TensorRT engine', 'give the ONNX file that it was built from, and set '
                'model.device to tensorrt'),
    '.tflite': ('a TensorFlow Lite file', 'export the model to ONNX, or convert it with tf2onnx'),
}
"""Files that are often mistaken for ONNX files: what they are, and what to do."""


def bundled_models() -> tuple[str, ...]:
    """Return the names of the models in this package."""
    return tuple(sorted(path.stem for path in BUNDLED.glob('*.onnx')))


def cache_folder() -> Path:
    """Return the folder of downloaded models."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'udp_infer_ros'


def cached_path(model: CatalogModel) -> Path:
    """Return where a model of the catalog is, or will be after its download."""
    if not model.url:
        return BUNDLED / f'{model.name}.onnx'
    return cache_folder() / model.sha256[:16] / f'{model.name}.onnx'


def locate(model_id: str, sha256: str = '', catalog: Catalog = CATALOG) -> Path:
    """
    Find a model file, and download it if it is a URL or a model of the catalog.

    :param model_id: a name, a path, package://package/path or an http(s) URL.
    :param sha256: checksum that the file must have; required for a URL.
    :param catalog: the models with names.
    :raises ModelError: if there is no such file, it cannot be read, or it has another checksum.
    """
    try:
        path = _locate(model_id, sha256, catalog)
        log.debug('model.id = %s is the file %s', redacted(model_id), redacted(str(path)))
        return path
    except OSError as error:
        raise _unusable(model_id, str(error.strerror)) from error
    except RuntimeError as error:
        raise _unusable(model_id, 'the home folder is unknown') from error
    except ValueError as error:  # Its text may contain a part of the address.
        raise _unusable(model_id, 'it is not a valid path or address') from error


def _unusable(model_id: str, cause: str) -> ModelError:
    return ModelError(
        'model.id', redacted(model_id), f'cannot be used: {cause}',
        'check the spelling, and that the user of this process may read the file')


def _locate(model_id: str, sha256: str, catalog: Catalog) -> Path:
    url = urlsplit(model_id)
    _require_onnx(model_id, Path(url.path).suffix)
    if url.scheme in ('http', 'https'):
        return _downloaded(model_id, _checked_digest(model_id, sha256))
    if model_id in bundled_models():
        path = BUNDLED / f'{model_id}.onnx'
    elif model_id in catalog:
        path = _of_catalog(catalog[model_id], sha256.lower())
    elif url.scheme == 'package':
        path = _in_package(model_id)
    elif '://' in model_id and url.scheme not in ('', 'file'):
        raise ModelError(
            'model.id', redacted(model_id), f'has an unknown scheme {url.scheme}://',
            'known are package://, http://, https:// and file://')
    else:
        path = Path(model_id.removeprefix('file://')).expanduser()
        if not model_id or not path.is_file():
            raise _unknown(model_id, catalog)
    with path.open('rb'):
        pass  # ONNX Runtime reports a missing permission as a damaged file.
    str(path).encode()  # ONNX Runtime has no other encoding of paths.
    if sha256 and (digest := digest_of(path)) != sha256.lower():
        raise wrong_checksum(model_id, expected=sha256, found=digest)
    return path


def _of_catalog(model: CatalogModel, sha256: str) -> Path:
    if sha256 not in ('', model.sha256):
        raise wrong_checksum(model.name, expected=sha256, found=model.sha256)
    path = cached_path(model)
    try:
        _download(model.url, path, model.sha256)
    except ModelError as error:
        # The user set only a name, neither the address nor the checksum.
        rule = error.rule if error.name == 'model.id' else (
            'the downloaded file has another checksum than the catalog')
        raise ModelError(
            'model.id', model.name, f'{rule} ({model.url})', error.remedy
            if error.name == 'model.id' else 'use another model, or give the path of a file',
        ) from error
    return path


def _unknown(model_id: str, catalog: Catalog) -> ModelError:
    if '/' in model_id or model_id.endswith('.onnx'):
        path = Path(model_id)
        return ModelError(
            'model.id', redacted(model_id),
            'is a folder, not an ONNX file' if path.expanduser().is_dir() else 'no such file',
            'check the path' if path.is_absolute() or model_id.startswith(('~', 'file://'))
            else f'a relative path starts at {Path.cwd()}')
    names = sorted({*bundled_models(), *catalog})
    near = get_close_matches(model_id, names, n=1)
    return ModelError(
        'model.id', redacted(model_id), 'must be the name of a model or the path of an ONNX file',
        (f'did you mean {near[0]}? ' if near else '')
        + f'the names are {", ".join(names)}')


def _require_onnx(model_id: str, suffix: str) -> None:
    if suffix.lower() in OTHER_FORMATS:
        found, remedy = OTHER_FORMATS[suffix.lower()]
        raise ModelError('model.id', redacted(model_id), f'is {found}, not an ONNX file', remedy)


def _in_package(model_id: str) -> Path:
    # Searches as ament_index does, so that it works without ROS.
    package, _, rest = model_id.removeprefix('package://').partition('/')
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        path = Path(prefix) / 'share' / package / rest
        if package and rest and prefix and path.is_file():
            return path
    raise ModelError(
        'model.id', redacted(model_id),
        f'there is no {rest or "file"!r} in the share folder of {package!r}',
        'write package://<package>/<path>, and source the workspace that has the package')


def _checked_digest(model_id: str, sha256: str) -> str:
    digest = sha256.lower()
    if len(digest) != 64 or not set(digest) <= set('0123456789abcdef'):
        raise ModelError(
            'model.sha256', sha256,
            f'must be 64 hexadecimal digits, because {redacted(model_id)} is downloaded',
            'sha256sum prints them for a file that you trust')
    return digest


def _downloaded(url: str, sha256: str) -> Path:
    # The name of the file is the name of the model, which is logged.
    name = Path(unquote(urlsplit(redacted(url)).path)).name
    name = re.sub(r'[^\w.+-]', '_', name)[-MAX_NAME_CHARACTERS:].lstrip('.')
    path = cache_folder() / sha256[:16] / (name.strip('_') and name or 'model.onnx')
    _download(url, path, sha256)
    return path


def _download(url: str, path: Path, sha256: str) -> None:
    # Imported here because a model that is on this machine does not need HTTP.
    from udp_infer_ros.detection.download import download
    download(url, path, sha256)
