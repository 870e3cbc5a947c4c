# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Where a network runs: ONNX Runtime's providers, checked, because it falls back in silence."""

from __future__ import annotations

from collections.abc import Sequence
import os

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from udp_infer_ros.errors import ModelError
from udp_infer_ros.settings import ModelSettings

CPU = 'CPUExecutionProvider'
CUDA = 'CUDAExecutionProvider'
PROVIDERS = {
    'cpu': (CPU,),
    'cuda': (CUDA, CPU),
    'tensorrt': ('TensorrtExecutionProvider', CUDA, CPU),
    'openvino': ('OpenVINOExecutionProvider', CPU),
}
"""`model.device` to providers; the first is the device, the others take what it cannot run."""
INSTALL = {
    'cuda': 'install onnxruntime-gpu in place of onnxruntime, with CUDA and cuDNN',
    'tensorrt': 'install onnxruntime-gpu in place of onnxruntime, and TensorRT',
    'openvino': 'install onnxruntime-openvino in place of onnxruntime',
}
AUTO = ('cuda', 'openvino', 'cpu')
"""The order in which auto tries. Not tensorrt: it compiles for minutes at the first start."""
ORT_ERRORS = (
    ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf, ort_errors.NoSuchFile, ort_errors.NotImplemented,
    ort_errors.RuntimeException, ort_errors.EPFail)
"""Direct children of Exception, one by one: ONNX Runtime has no base class for them."""


def open_session(settings: ModelSettings, path: str) -> tuple[ort.InferenceSession, str]:
    """
    Load a network where `model.device` says.

    :param path: the ONNX file.
    :return: the session, and why it is on the device that it is on.
    :raises ModelError: if the file is damaged, or a device that was asked for is not there.
    """
    available = ort.get_available_providers()
    if settings.device == 'auto':
        tried: list[str] = []
        for device in AUTO:
            if PROVIDERS[device][0] not in available:
                continue
            session = _session(settings, path, PROVIDERS[device])
            if session.get_providers()[0] == PROVIDERS[device][0]:
                failed = f', because {" and ".join(tried)} did not start' if tried else ''
                return session, f'auto: the best of this onnxruntime{failed}'
            tried.append(PROVIDERS[device][0])
    wanted = PROVIDERS.get(settings.device, PROVIDERS['cpu'])
    if wanted[0] not in available:
        raise ModelError(
            'model.device', settings.device,
            f'needs {wanted[0]}, which this onnxruntime {ort.__version__} does not have',
            f'{INSTALL[settings.device]}; it has {", ".join(available)}')
    session = _session(settings, path, [name for name in wanted if name in available])
    if session.get_providers()[0] != wanted[0]:
        raise ModelError(
            'model.device', settings.device,
            f'{wanted[0]} did not start, ONNX Runtime fell back to {session.get_providers()[0]}',
            INSTALL[settings.device] + '; its log says which library is missing')
    return session, 'set by model.device'


def usable_cores() -> int:
    """Count the cores that this process may use, by affinity and by its cgroup's quota."""
    cores = len(os.sched_getaffinity(0))
    try:
        with open('/sys/fs/cgroup/cpu.max', encoding='ascii') as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == 'max' else max(1, min(cores, round(int(quota) / int(period))))


def one_line(error: Exception) -> str:
    """Write an error of ONNX Runtime without its line breaks, not too long."""
    return ' '.join(str(error).split())[:300]


def _session(
    settings: ModelSettings, path: str, providers: Sequence[str],
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads or usable_cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry(
        'session.intra_op.allow_spinning', str(int(settings.spinning)))
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(path, options, providers=list(providers))
    except ORT_ERRORS as error:
        raise ModelError(
            'model.id', settings.id, f'must be a whole ONNX file that ONNX Runtime '
            f'{ort.__version__} can load, but: {one_line(error)}',
            'export or copy it again') from error
