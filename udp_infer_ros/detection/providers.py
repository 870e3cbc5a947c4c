# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The execution providers of ONNX Runtime: which device is which, and how to get it."""

CPU = 'CPUExecutionProvider'
CUDA = 'CUDAExecutionProvider'
PROVIDERS = {
    'cpu': (CPU,),
    'cuda': (CUDA, CPU),
    'tensorrt': ('TensorrtExecutionProvider', CUDA, CPU),
    'openvino': ('OpenVINOExecutionProvider', CPU),
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
