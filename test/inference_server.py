# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A model server in this process, which runs an ONNX file or fails as a test requires."""

from concurrent.futures import ThreadPoolExecutor
import threading

import numpy as np
import onnxruntime as ort
import pytest

grpc = pytest.importorskip('grpc')
pb = pytest.importorskip('tritonclient.grpc.service_pb2')
stubs = pytest.importorskip('tritonclient.grpc.service_pb2_grpc')

NAMES = {'tensor(float)': 'FP32', 'tensor(float16)': 'FP16', 'tensor(uint8)': 'UINT8',
         'tensor(int64)': 'INT64'}
TYPES = {'FP32': np.float32, 'FP16': np.float16, 'UINT8': np.uint8}


class Served(stubs.GRPCInferenceServiceServicer):
    """
    The Open Inference Protocol in front of ONNX Runtime.

    Tests change the attributes while it runs.
    """

    def __init__(self, path):
        self.load(path)
        self.version = '1'
        self.live = self.ready = True
        self.states_version = True
        self.parameters = {}
        self.has_configuration = True
        self.error = None
        """Status code and details of each inference; None for an answer."""
        self.change = lambda response: None
        """Changes each response."""
        self.go_on = threading.Event()
        self.go_on.set()
        self.headers = []
        self.inferences = 0
        self.running = self.most_running = 0
        self._lock = threading.Lock()

    def load(self, path):
        """Serve another file."""
        self.session = ort.InferenceSession(str(path), providers=['CPUExecutionProvider'])

    def ServerLive(self, request, context):  # noqa: N802, D102
        return pb.ServerLiveResponse(live=self.live)

    def ModelReady(self, request, context):  # noqa: N802, D102
        self._require(request.name, context)
        return pb.ModelReadyResponse(ready=self.ready)

    def ServerMetadata(self, request, context):  # noqa: N802, D102
        self.headers.append(dict(context.invocation_metadata()))
        return pb.ServerMetadataResponse(name='test server', version='1.2')

    def ModelMetadata(self, request, context):  # noqa: N802, D102
        self._require(request.name, context)

        def described(tensors):
            return [pb.ModelMetadataResponse.TensorMetadata(
                name=tensor.name, datatype=NAMES[tensor.type],
                shape=[size if isinstance(size, int) else -1 for size in tensor.shape])
                for tensor in tensors]
        return pb.ModelMetadataResponse(
            name=request.name, versions=[self.version] * self.states_version, platform='onnx',
            inputs=described(self.session.get_inputs()),
            outputs=described(self.session.get_outputs()))

    def ModelConfig(self, request, context):  # noqa: N802, D102
        if not self.has_configuration:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, 'no such method')
        response = pb.ModelConfigResponse()
        for name, text in self.parameters.items():
            response.config.parameters[name].string_value = text
        return response

    def ModelInfer(self, request, context):  # noqa: N802, D102
        with self._lock:
            self.inferences += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        context.add_callback(self._end)
        self._require(request.model_name, context)
        self.go_on.wait(20)
        if self.error:
            context.abort(*self.error)
        feeds = {
            tensor.name: np.frombuffer(raw, TYPES[tensor.datatype]).reshape(tuple(tensor.shape))
            for tensor, raw in zip(request.inputs, request.raw_input_contents)}
        response = pb.ModelInferResponse(
            model_name=request.model_name, model_version=self.version)
        for output, array in zip(
                self.session.get_outputs(), self.session.run(None, feeds)):
            response.outputs.add(
                name=output.name, datatype=NAMES[output.type], shape=array.shape)
            response.raw_output_contents.append(array.tobytes())
        self.change(response)
        return response

    def _end(self):
        with self._lock:
            self.running -= 1

    def _require(self, name, context):
        if name != 'm':
            context.abort(grpc.StatusCode.NOT_FOUND, f'unknown model {name}')


class InferenceServer:
    """
    A server on a port of its own, which can be stopped and started again on this port.

    :param path: the ONNX file.
    :param credentials: of TLS.
    """

    def __init__(self, path, credentials=None):
        self.served = Served(path)
        self.port = 0
        self._credentials = credentials
        self.start()

    @property
    def uri(self):
        """Return the model.id."""
        return f'grpc{"s" if self._credentials else ""}://127.0.0.1:{self.port}/m'

    def start(self):
        """Start, on the same port as before."""
        self._server = grpc.server(
            ThreadPoolExecutor(16), options=[('grpc.so_reuseport', 0)])
        stubs.add_GRPCInferenceServiceServicer_to_server(self.served, self._server)
        address = f'127.0.0.1:{self.port}'
        self.port = (
            self._server.add_secure_port(address, self._credentials) if self._credentials else
            self._server.add_insecure_port(address))
        self._server.start()

    def stop(self):
        """Stop, and end all connections and calls at once, as if the process was killed."""
        self._server.stop(grace=None).wait()
