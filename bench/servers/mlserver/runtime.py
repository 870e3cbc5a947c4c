# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A runtime for MLServer: ONNX Runtime on the CPU."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
import onnxruntime as ort


class Detector(MLModel):
    """A model of one file."""

    async def load(self):
        """Load the file."""
        self.session = ort.InferenceSession('model.onnx', providers=['CPUExecutionProvider'])
        return True

    async def predict(self, payload):
        """Run the model."""
        feeds = {item.name: NumpyCodec.decode_input(item) for item in payload.inputs}
        outputs = zip(self.session.get_outputs(), self.session.run(None, feeds))
        return InferenceResponse(
            model_name=self.name, model_version=self.version,
            outputs=[NumpyCodec.encode_output(output.name, array) for output, array in outputs])
