# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model for the Python backend of Triton: ONNX Runtime on the CPU, image by image."""

import os
from pathlib import Path
import sys

# The backend ignores PYTHONPATH.
sys.path[:0] = os.environ['PYTHONPATH'].split(os.pathsep)
import numpy as np  # noqa: E402, I100
import onnxruntime as ort  # noqa: E402
import triton_python_backend_utils as utils  # noqa: E402


class TritonPythonModel:
    """The interface that the backend calls."""

    def initialize(self, arguments):
        """Load the file."""
        folder = Path(arguments['model_repository'], arguments['model_version'])
        self.session = ort.InferenceSession(
            str(folder / 'model.onnx'), providers=['CPUExecutionProvider'])
        self.input = self.session.get_inputs()[0]

    def execute(self, requests):
        """Run the model for a batch of requests."""
        responses = []
        for request in requests:
            images = utils.get_input_tensor_by_name(request, self.input.name).as_numpy()
            rows = [self.session.run(None, {self.input.name: image[np.newaxis]})[0]
                    for image in images]
            name = self.session.get_outputs()[0].name
            responses.append(utils.InferenceResponse([utils.Tensor(name, np.concatenate(rows))]))
        return responses
