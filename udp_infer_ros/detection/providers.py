# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The execution providers of ONNX Runtime: which device is which, how to get it, its options."""

from __future__ import annotations

from collections.abc import Iterable
import hashlib
import json
import logging
import os
from pathlib import Path
import re
import shutil

import onnxruntime as ort
from udp_infer_ros.detection.checksum import digest_of
from udp_infer_ros.detection.model_store import cache_folder

log = logging.getLogger(__name__)

CPU = 'CPUExecutionProvider'
CUDA = 'CUDAExecutionProvider'
OPENVINO = 'OpenVINOExecutionProvider'
TENSORRT = 'TensorrtExecutionProvider'
PROVIDERS = {
    'cpu': (CPU,),
    'cuda': (CUDA, CPU),
    'tensorrt': (TENSORRT, CUDA, CPU),
    'openvino': (OPENVINO, CPU),
}
"""`model.device` to providers; the first is the device, the others run what it cannot."""
INSTALL = {
    'cpu': 'install onnxruntime again',
    'cuda': 'install onnxruntime-gpu in place of onnxruntime, with CUDA and cuDNN',
    'tensorrt': 'install onnxruntime-gpu in place of onnxruntime, and TensorRT',
    'openvino': 'install onnxruntime-openvino in place of onnxruntime',
}
AUTO = ('cuda', 'openvino', 'cpu')
"""The order in which auto tries. Not tensorrt: it compiles for minutes at the first start."""

EXTERNAL = re.compile(rb'\n\x08location\x12([\x01-\x7f])')
"""In an ONNX file, before the name of a file with weights; the group is the length of the name."""

Options = dict[str, str]
"""Names and values as in the documentation of the provider."""


def with_options(
    names: Iterable[str], path: Path, threads: int, calls: int,
) -> list[tuple[str, Options]]:
    """
    Return providers with their options, for `InferenceSession`.

    :param path: the ONNX file.
    :param threads: CPU threads for one inference.
    :param calls: the number of inferences at once.
    """
    options = {OPENVINO: lambda: _openvino(threads, calls), TENSORRT: lambda: _tensorrt(path)}
    return [(name, options[name]() if name in options else {}) for name in names]


def discard_engines(path: Path) -> bool:
    """
    Delete what TensorRT stored for a model, e.g. because another version of TensorRT wrote it.

    :return: whether there was an engine, and it is deleted.
    """
    try:
        folder = _engine_folder(path)
        found = any(folder.glob('*.engine'))
        if found:
            shutil.rmtree(folder)
        return found
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder.
        return False


def _openvino(threads: int, calls: int) -> Options:
    """
    Return options for the CPU; OpenVINO does not know the quota of a cgroup.

    By default, OpenVINO binds its threads to cores, where they wait for other processes that run
    on the same cores. A cache of the compiled model does not make the start faster on a CPU.
    """
    properties = {
        # On the CPU of ONNX Runtime, the thread that makes a call is one of `threads`.
        'INFERENCE_NUM_THREADS': str(threads + calls - 1), 'NUM_STREAMS': str(calls),
        'ENABLE_CPU_PINNING': 'NO',
        # bfloat16 is faster where the CPU has it, but steps of 2 px above 256 are too coarse.
        'INFERENCE_PRECISION_HINT': 'f32'}
    return {'device_type': 'CPU', 'load_config': json.dumps({'CPU': properties})}


def _tensorrt(path: Path) -> Options:
    """
    Return options that compile a model once, in half precision.

    Half precision has steps of 0.5 px up to 1024. Sums of squares may exceed its range, so the
    normalizations of transformers stay in single precision.
    """
    options = {'trt_fp16_enable': 'True', 'trt_layer_norm_fp32_fallback': 'True'}
    try:
        folder = _engine_folder(path)
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            log.info('TensorRT compiles the model, which can take minutes, and stores it')
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder.
        log.warning('TensorRT compiles the model at every start, it cannot be stored: %s', error)
        return options
    return {
        **options,
        'trt_engine_cache_enable': 'True', 'trt_engine_cache_path': str(folder),
        'trt_timing_cache_enable': 'True', 'trt_timing_cache_path': str(folder)}


def _engine_folder(path: Path) -> Path:
    """
    Return the folder of what TensorRT stores for a model.

    Each model and version of ONNX Runtime has its own: ONNX Runtime names an engine by the graph,
    without the weights and the size of the input, and would use the engine of another model.
    """
    return cache_folder() / 'tensorrt' / f'{_digest(path)[:16]}-{ort.__version__}'


def _digest(path: Path) -> str:
    """Return a checksum of an ONNX file and of the files with its weights, if it names any."""
    data = path.read_bytes()
    names = {data[found.end():found.end() + found[1][0]] for found in EXTERNAL.finditer(data)}
    parts = [digest_of(path.parent / os.fsdecode(name)) for name in sorted(names)]
    return hashlib.sha256(data + ''.join(parts).encode()).hexdigest()
