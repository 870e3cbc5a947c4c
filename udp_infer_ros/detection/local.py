# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""ONNX Runtime in this process, with a check that it runs on the requested device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import ctypes
import logging
import os
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray
import onnxruntime as ort
from udp_infer_ros.detection.backend import BackendInfo
from udp_infer_ros.detection.providers import (
    AUTO, CPU, discard_engines, INSTALL, PROVIDERS, TENSORRT, with_options)
from udp_infer_ros.detection.text import printable
from udp_infer_ros.detection.types import Outputs, TensorInfo
from udp_infer_ros.errors import ModelError
from udp_infer_ros.redact import redacted
from udp_infer_ros.settings import ModelSettings

log = logging.getLogger(__name__)

MAX_ERROR_CHARACTERS = 300


class LocalBackend:
    """
    A network in this process.

    `infer` may be called from several threads at once: `InferenceSession.run` is thread-safe, and
    nothing else changes until `close`.
    """

    def __init__(
        self, session: ort.InferenceSession, *, model_id: str, info: BackendInfo,
    ) -> None:
        self.inputs = tuple(map(_tensor_info, session.get_inputs()))
        self.outputs: tuple[str, ...] = tuple(output.name for output in session.get_outputs())
        self.metadata: Mapping[str, str] = session.get_modelmeta().custom_metadata_map
        self.info = info
        self._model_id = model_id
        self._run = session.run

    @classmethod
    def load(cls, settings: ModelSettings, path: Path, calls: int = 1) -> LocalBackend:
        """
        Load a model file on `model.device`.

        :param calls: the number of calls of `infer` at once.
        :raises ModelError: if the file is damaged, or the device is not available.
        """
        session, reason = open_session(settings, str(path), calls)
        _return_free_memory()
        info = BackendInfo(
            name=printable(path.stem), location=printable(str(path), MAX_ERROR_CHARACTERS),
            provider=session.get_providers()[0], provider_reason=reason,
            threads=settings.threads or usable_cores())
        try:
            return cls(session, model_id=redacted(settings.id), info=info)
        except UnicodeDecodeError as error:
            raise ModelError(
                'model.id', redacted(settings.id), 'must have names and metadata in UTF-8',
                'export it again') from error

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Outputs:
        """
        Run the network once. May be called from several threads at once.

        :param feeds: an array for each input.
        :raises ModelError: if the network does not run on these inputs.
        """
        try:
            arrays = self._run(None, dict(feeds))
        except Exception as error:  # The errors of ONNX Runtime have no public base class.
            raise ModelError(
                'model.id', self._model_id, f'does not run: {_one_line(error)}',
                'check whether the tool that exported it can run it') from error
        return dict(zip(self.outputs, arrays))

    def values(self) -> Mapping[str, object]:
        """Return no figures."""
        return {}

    def close(self) -> None:
        """Release the network; its memory is freed when the last `infer` returns."""
        self._run = _run_closed


def open_session(
    settings: ModelSettings, path: str, calls: int = 1,
) -> tuple[ort.InferenceSession, str]:
    """
    Load a network on `model.device`.

    :param path: the ONNX file.
    :param calls: the number of calls at once.
    :return: the session, and why it runs on this device.
    :raises ModelError: if the file is damaged, or the device is not available. ONNX Runtime
        itself would fall back to the CPU without an error.
    """
    available = ort.get_available_providers()
    log.debug('onnxruntime %s has %s', ort.__version__, ', '.join(available))
    if settings.device == 'auto':
        return _open_first(settings, path, calls, available)
    providers = PROVIDERS[settings.device]
    if providers[0] not in available:
        raise ModelError(
            'model.device', settings.device,
            f'needs {providers[0]}, which this onnxruntime {ort.__version__} does not have',
            f'{INSTALL[settings.device]}; it has {", ".join(available)}')
    session = _open(settings, path, calls, [name for name in providers if name in available])
    used = session.get_providers()[0]
    if used != providers[0]:
        raise ModelError(
            'model.device', settings.device,
            f'{providers[0]} did not start, ONNX Runtime fell back to {used}',
            INSTALL[settings.device] + '; its log says which library is missing')
    return session, 'set by model.device'


def usable_cores() -> int:
    """Return the number of cores for this process, by its affinity and its cgroup's quota."""
    cores = len(os.sched_getaffinity(0))
    try:
        with open('/sys/fs/cgroup/cpu.max', encoding='ascii') as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == 'max' else max(1, min(cores, round(int(quota) / int(period))))


def _open_first(
    settings: ModelSettings, path: str, calls: int, available: Sequence[str],
) -> tuple[ort.InferenceSession, str]:
    """Load a network on the first device of AUTO that starts."""
    failed: list[str] = []
    for device in AUTO:
        provider = PROVIDERS[device][0]
        if provider not in available:
            continue
        try:
            session = _open(settings, path, calls, PROVIDERS[device])
        except ModelError as error:
            if provider == CPU:
                raise
            log.debug('%s', error)
        else:
            if session.get_providers()[0] == provider:
                because = f', because {" and ".join(failed)} did not start' if failed else ''
                return session, f'auto: the best of this onnxruntime{because}'
        log.debug('%s did not start; trying the next one', provider)
        failed.append(provider)
    raise ModelError(
        'model.device', 'auto', f'no provider of onnxruntime {ort.__version__} started',
        f'{INSTALL["cpu"]}; it has {", ".join(available)}')


def _open(
    settings: ModelSettings, path: str, calls: int, providers: Sequence[str], *,
    again: bool = False,
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    threads = settings.threads or usable_cores()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry(
        'session.intra_op.allow_spinning', str(int(settings.spinning)))
    # Threads that spin between two runs would take the cores from the rest of a frame.
    options.add_session_config_entry('session.force_spinning_stop', '1')
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(
            path, options, providers=with_options(providers, Path(path), threads, calls))
    except Exception as error:  # The errors of ONNX Runtime have no public base class.
        if TENSORRT in providers and not again and discard_engines(Path(path)):
            log.warning('TensorRT compiles the model again, because: %s', _one_line(error))
            return _open(settings, path, calls, providers, again=True)
        raise ModelError(
            'model.id', redacted(settings.id), f'must be a complete ONNX file that ONNX Runtime '
            f'{ort.__version__} can load, but: {_one_line(error)}',
            _load_remedy(path)) from error


def _load_remedy(path: str) -> str:
    target = os.path.realpath(path)
    if target == os.path.abspath(path):
        return 'export or copy it again'
    return f'export or copy it again; if it has external data, give {target!r}, not the link'


def _return_free_memory() -> None:
    """Return what the optimization of the network has freed, which glibc keeps, to the system."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)  # None in other C libraries
    if trim is not None:
        trim(0)


def _tensor_info(argument: Any) -> TensorInfo:
    """Convert ONNX Runtime's description of an input."""
    shape = tuple(
        size if isinstance(size, int) and size > 0 else None for size in argument.shape)
    return TensorInfo(name=argument.name, shape=shape, dtype=argument.type)


def _one_line(error: Exception) -> str:
    return printable(str(error), MAX_ERROR_CHARACTERS)


def _run_closed(*arguments: object) -> NoReturn:
    raise RuntimeError('the model is closed')
