# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The connection to a model server that has the Open Inference Protocol, version 2, over gRPC.

Source: the protocol buffers of `tritonclient[grpc]`, which is imported when a server is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import os
import re
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from udp_infer_ros.detection.text import printable
from udp_infer_ros.detection.types import TensorInfo
from udp_infer_ros.environment import with_variables
from udp_infer_ros.errors import ModelError
from udp_infer_ros.redact import redacted
from udp_infer_ros.settings import ModelSettings

SCHEMES = ('grpc://', 'grpcs://')
DEFAULT_PORT = 8001
MAX_ANSWER_BYTES = 256 * 2**20
MAX_DETAILS_CHARACTERS = 200
CHANNEL_OPTIONS = (
    ('grpc.max_send_message_length', -1),
    ('grpc.max_receive_message_length', MAX_ANSWER_BYTES),
    # The channel connects again by itself, by default only every 120 s in the end.
    ('grpc.initial_reconnect_backoff_ms', 200),
    ('grpc.max_reconnect_backoff_ms', 1000),
    # For connections that end without a message, e.g. if a cable is pulled.
    ('grpc.keepalive_time_ms', 10_000),
    ('grpc.keepalive_timeout_ms', 3_000),
)
INPUT_TYPES = {
    'FP32': 'tensor(float)', 'FP16': 'tensor(float16)', 'UINT8': 'tensor(uint8)',
    'INT64': 'tensor(int64)', 'INT32': 'tensor(int32)', 'FP64': 'tensor(double)'}
"""Types of the protocol, and how ONNX Runtime writes them."""
NUMBERS = {
    'FP16': 'float16', 'FP32': 'float32', 'FP64': 'float64', 'BOOL': 'uint8', 'UINT8': 'uint8',
    'UINT16': 'uint16', 'UINT32': 'uint32', 'UINT64': 'uint64', 'INT8': 'int8', 'INT16': 'int16',
    'INT32': 'int32', 'INT64': 'int64'}
"""Types of the protocol, and how NumPy writes them."""
USED_METADATA = ('names', 'imgsz', 'task')
_ENTRY = r'[\x27"]{}[\x27"]\s{{0,9}}:\s{{0,9}}([{{\[][^}}\]]*[}}\]]|[\x27"]?\w+[\x27"]?)'
"""An entry of a Python or JSON dict whose value has no inner list or dict."""


class NotReadyError(ModelError):
    """The server or its model cannot be used now, and perhaps later."""


def is_server(model_id: str) -> bool:
    """Return whether `model.id` is the address of a server."""
    return model_id.lower().startswith(SCHEMES)


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """A parsed `model.id`: grpc://host:port/model/version."""

    target: str
    """host:port, or [IPv6]:port."""
    tls: bool
    model: str
    version: str
    """Empty: the server chooses, usually the latest."""

    @classmethod
    def parse(cls, model_id: str) -> ServerAddress:
        """
        Parse a `model.id`.

        :raises ModelError: if it is not such an address.
        """
        try:
            url = urlsplit(model_id)
            host, port = url.hostname or '', url.port or DEFAULT_PORT
        except ValueError:
            url, host, port = urlsplit(''), '', 0
        parts = [unquote(part) for part in url.path.strip('/').split('/')]
        if not host or '@' in url.netloc or url.query or url.fragment or (
                len(parts) > 2 or not all(parts)):
            raise ModelError(
                'model.id', redacted(model_id),
                'must be grpc://host:port/model or grpc://host:port/model/version',
                'the port is that of gRPC, usually 8001; set a token with model.headers')
        return cls(
            target=f'[{host}]:{port}' if ':' in host else f'{host}:{port}',
            tls=url.scheme == 'grpcs', model=parts[0], version=''.join(parts[1:]))


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """What a server states about a model."""

    server: str
    """Its name and version, e.g. `triton 2.51.0`."""
    version: str
    """Of the model; empty if the server does not state it."""
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    """With the types of the protocol, e.g. `FP32`."""
    metadata: Mapping[str, str]
    """Untrusted text: `names`, `imgsz` and `task`, if the server has them."""

    def difference(self, other: ServedModel) -> str:
        """Return what differs in a later answer; empty if that is the same kind of model."""
        for name, before, after in (
                ('inputs', self.inputs, other.inputs), ('outputs', self.outputs, other.outputs)):
            if before != after:
                return printable(
                    f'the {name} were {_listed(before)} and are {_listed(after)}',
                    MAX_DETAILS_CHARACTERS)
        names = [name for name in USED_METADATA
                 if self.metadata.get(name) != other.metadata.get(name)]
        return f'other {", ".join(names)}' if names else ''


class ModelServer:
    """
    A connection to a server. Its methods may be called from several threads at once.

    The channel connects when it is first used, and again after the connection was lost.

    :param settings: the address, the headers and the certificates.
    :raises ModelError: if the address is invalid, or a file or a package is missing.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.address = ServerAddress.parse(settings.id)
        self._id = redacted(settings.id)
        self._metadata = _headers(settings.headers)
        self._grpc, self._messages, stubs = _client(self._id)
        self._channel = self._open(settings.ca_file)
        self._stub = stubs.GRPCInferenceServiceStub(self._channel)

    def describe(self, timeout_s: float, *, wait: bool = False) -> ServedModel:
        """
        Check that the server and the model are ready, and read what the server states about it.

        :param wait: whether to wait for a connection; otherwise a failed attempt is an error.
        :raises NotReadyError: if the server does not answer in time, or is not ready.
        :raises ModelError: if the server refuses, or does not state what is needed.
        """
        deadline_s = time.monotonic() + timeout_s
        model = {'name': self.address.model, 'version': self.address.version}

        def ask(method: str, **fields: str) -> Any:
            request = getattr(self._messages, f'{method}Request')(**fields)
            return self._call(method, request, deadline_s - time.monotonic(), wait=wait)
        if not ask('ServerLive').live:
            raise self._not_ready('the server is not live')
        if not ask('ModelReady', **model).ready:
            raise self._not_ready('the model is not ready, or is not on the server')
        server, stated = ask('ServerMetadata'), ask('ModelMetadata', **model)
        if not stated.inputs or not stated.outputs:
            raise self.error(
                'the server does not state the inputs and the outputs of the model',
                'list them in the configuration of the server')
        for tensor in stated.outputs:
            if tensor.datatype not in NUMBERS:
                raise self.error(
                    f'must have tensors of numbers as outputs, but {printable(tensor.name)!r} is '
                    f'{printable(tensor.datatype)!r}', 'use a detection model')
        return ServedModel(
            server=printable(f'{server.name} {server.version}'),
            version=self.address.version or _latest(stated.versions),
            inputs=_tensors(stated.inputs, INPUT_TYPES), outputs=_tensors(stated.outputs, {}),
            metadata=self._configured(deadline_s - time.monotonic(), model))

    def request(self) -> Any:
        """Return an empty request for an inference."""
        return self._messages.ModelInferRequest(
            model_name=self.address.model, model_version=self.address.version)

    def infer(self, request: Any, timeout_s: float) -> Any:
        """
        Run the model. A call that takes longer is canceled, on the server too.

        :return: the response, unchecked.
        :raises ModelError: if there is none in time.
        """
        return self._call('ModelInfer', request, timeout_s)

    def error(self, rule: str, remedy: str = '') -> ModelError:
        """Return an error about this server."""
        return ModelError('model.id', self._id, rule, remedy)

    def close(self) -> None:
        """Close the connection; calls that wait for an answer fail."""
        self._channel.close()

    def _open(self, ca_file: str) -> Any:
        if not self.address.tls:
            return self._grpc.insecure_channel(self.address.target, CHANNEL_OPTIONS)
        roots = None
        if ca_file:
            try:
                with open(ca_file, 'rb') as file:
                    roots = file.read()
            except OSError as error:
                raise ModelError(
                    'model.ca_file', ca_file, f'cannot be read: {error.strerror}',
                    'give a file with PEM certificates') from error
        return self._grpc.secure_channel(
            self.address.target, self._grpc.ssl_channel_credentials(roots), CHANNEL_OPTIONS)

    def _configured(self, timeout_s: float, model: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parameters of the model configuration, an extension that Triton has."""
        request = self._messages.ModelConfigRequest(**model)
        try:
            answer = self._call('ModelConfig', request, timeout_s)
        except NotReadyError:
            raise
        except ModelError:  # Another server.
            return {}
        given = {name: item.string_value for name, item in answer.config.parameters.items()}
        return _used_metadata(given)

    def _call(self, method: str, request: Any, timeout_s: float, *, wait: bool = False) -> Any:
        try:
            return getattr(self._stub, method)(
                request, timeout=max(0.0, timeout_s), metadata=self._metadata,
                wait_for_ready=wait)
        except self._grpc.RpcError as error:
            # Without the cause, whose text has the details of the server, perhaps with a token.
            raise self._failure(error.code().name, error.details() or '') from None
        except ValueError as error:
            raise self.error('the connection is closed') from error

    def _failure(self, code: str, details: str) -> ModelError:
        """Return the error for a failed call."""
        for _, secret in self._metadata:
            for word in secret.split():
                details = details.replace(word, '***')
        details = printable(redacted(details), MAX_DETAILS_CHARACTERS)
        at = f'the server at {self.address.target}'
        if code == 'UNAVAILABLE':
            return self._not_ready(f'{at} is not available: {details}')
        if code == 'DEADLINE_EXCEEDED':
            return self._not_ready(f'{at} did not answer in time', 'model.timeout_s is the limit')
        # MLServer answers with UNKNOWN.
        if code == 'NOT_FOUND' or (code == 'UNKNOWN' and 'not found' in details.lower()):
            return self._not_ready(f'{at} does not have this model: {details}')
        if code == 'UNIMPLEMENTED':
            return self.error(
                f'{at} does not have the Open Inference Protocol over gRPC: {details}',
                'give its gRPC port; many servers have another port for HTTP')
        if code in ('UNAUTHENTICATED', 'PERMISSION_DENIED'):
            return self.error(
                f'{at} refuses the call: {details}', 'set model.headers, e.g. with a token')
        return self.error(f'{at} answered with {code}: {details}', 'its log may have more')

    def _not_ready(self, rule: str, remedy: str = '') -> NotReadyError:
        return NotReadyError('model.id', self._id, rule, remedy or (
            'start it, and check the address and the name of the model; with '
            'model.wait_for_server the node waits'))


def _client(model_id: str) -> tuple[Any, Any, Any]:
    """Import gRPC, the messages and the stubs of the protocol."""
    # Otherwise gRPC also prints what it recovers from.
    os.environ.setdefault('GRPC_VERBOSITY', 'ERROR')
    try:
        import grpc
        from tritonclient.grpc import service_pb2, service_pb2_grpc
    except ImportError as error:
        raise ModelError(
            'model.id', model_id, f'needs the client for model servers: {error}',
            "pip install 'tritonclient[grpc]'") from error
    return grpc, service_pb2, service_pb2_grpc


def _headers(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the headers with the values of environment variables. Do not log them."""
    pairs = [line.partition(':') for line in lines]
    return tuple(
        (name.strip().lower(), with_variables(value.strip(), 'model.headers', ModelError))
        for name, _, value in pairs)


def _tensors(stated: Iterable[Any], types: Mapping[str, str]) -> tuple[TensorInfo, ...]:
    return tuple(TensorInfo(
        name=tensor.name, shape=tuple(size if size > 0 else None for size in tensor.shape),
        dtype=types.get(tensor.datatype, tensor.datatype)) for tensor in stated)


def _listed(tensors: Iterable[TensorInfo]) -> str:
    return ', '.join(map(str, tensors))


def _latest(versions: Iterable[str]) -> str:
    """Return the highest version, numbers as numbers."""
    return printable(max(versions, default='', key=lambda text: (len(text), text)))


def _used_metadata(given: Mapping[str, str]) -> Mapping[str, str]:
    """
    Return the class names, the input size and the task, if they are there.

    As parameters of their own, or, as Ultralytics writes them, entries of a dict in `metadata`.
    """
    used = {name: given[name] for name in USED_METADATA if name in given}
    for name in USED_METADATA:
        entry = re.search(_ENTRY.format(name), given.get('metadata', ''))
        if entry and name not in used:
            used[name] = entry[1] if entry[1][0] in '{[' else entry[1].strip('\'"')
    return used
