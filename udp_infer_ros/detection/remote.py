# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A network that a model server runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import replace
import logging
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from udp_infer_ros.detection.backend import BackendInfo
from udp_infer_ros.detection.model_server import (
    ModelServer, NotReadyError, NUMBERS, ServedModel)
from udp_infer_ros.detection.text import printable
from udp_infer_ros.detection.types import Outputs, TensorInfo
from udp_infer_ros.errors import ModelChangedError, ModelError
from udp_infer_ros.redact import redacted
from udp_infer_ros.settings import ModelSettings
from udp_infer_ros.stats import Rate, WINDOW

log = logging.getLogger(__name__)

START_TIMEOUT_S = 5.0
"""For the checks at the start."""
FIRST_CALL_TIMEOUT_S = 30.0
"""Until the first answer: servers prepare a network when it is first used."""
RETRY_S = 0.1
CHECK_PERIOD_S = 2.0
"""
A server that restarts between two calls, or loads a file again, does not report that. Therefore
the description of the model is read again at this interval, by five short calls.
"""
WIRE_NAMES = {
    'float32': 'FP32', 'float16': 'FP16', 'uint8': 'UINT8', 'int64': 'INT64', 'int32': 'INT32',
    'float64': 'FP64'}
CONTENTS = {
    'FP32': 'fp32_contents', 'FP64': 'fp64_contents', 'INT64': 'int64_contents',
    'INT32': 'int_contents', 'UINT8': 'uint_contents'}
"""Where an answer has its numbers if not as bytes."""


class RemoteBackend:
    """
    A network on a server.

    A call that fails is not repeated. The next one first waits, within its own deadline, until
    the server is ready, and checks that the model is still the same. Without a server, a camera
    so has one call per `model.timeout_s`, and the channel connects again by itself. The check is
    also made every two seconds.

    `infer` may be called from several threads at once: `_lock` guards the counters, the
    description of the model, and the time of its next check.

    :param server: the connection, which `close` closes.
    :param served: what the server states about the model.
    """

    def __init__(
        self, server: ModelServer, served: ServedModel, settings: ModelSettings,
    ) -> None:
        self.inputs = served.inputs
        self.outputs = tuple(tensor.name for tensor in served.outputs)
        self.metadata = served.metadata
        self._location = printable(redacted(settings.id))
        self._server = server
        self._timeout_s = settings.timeout_s
        self._lock = threading.Lock()
        self._served = served
        self._answered = False
        self._next_check_s = time.monotonic() + CHECK_PERIOD_S
        self._changed: ModelChangedError | None = None
        self._calls = 0
        self._failures = 0
        self._failures_in_a_row = 0
        self._rate = Rate()
        self._call_bytes = 0
        self._round_trip_ms: deque[float] = deque(maxlen=WINDOW)

    @property
    def info(self) -> BackendInfo:
        """Return where the network runs; some servers state the version with the answers only."""
        address, served = self._server.address, self._served
        version = f', version {served.version}' if served.version else ''
        return BackendInfo(
            name=printable(address.model), location=self._location,
            provider=f'{served.server} at {address.target}{version}',
            provider_reason='set by model.id', threads=0, remote=True)

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> Outputs:
        """
        Run the network once. May be called from several threads at once.

        :param feeds: an array for each input.
        :raises ModelChangedError: if the server has another model now; no later call succeeds.
        :raises ModelError: if the server does not answer in time, or not as it should.
        """
        if self._changed is not None:
            raise self._changed
        limit_s = self._timeout_s if self._answered else max(
            self._timeout_s, FIRST_CALL_TIMEOUT_S)
        deadline_s = time.monotonic() + limit_s
        try:
            outputs = self._infer(feeds, deadline_s)
        except BaseException:
            with self._lock:
                self._calls += 1
                self._failures += 1
                self._failures_in_a_row += 1
                self._next_check_s = 0.0
            raise
        self._succeeded()
        return outputs

    def values(self) -> Mapping[str, object]:
        """Return figures of the calls for the diagnostics."""
        with self._lock:
            p50_ms, p95_ms = np.percentile(self._round_trip_ms or (0.0,), (50, 95)).tolist()
            rate_hz = self._rate.per_s(time.monotonic())
            return {
                'server': self._served.server, 'model_version': self._served.version,
                'server_calls': self._calls, 'server_failures': self._failures,
                'server_mb_per_s': round(rate_hz * self._call_bytes / 1e6, 2),
                'round_trip_p50_ms': round(p50_ms, 2), 'round_trip_p95_ms': round(p95_ms, 2)}

    def close(self) -> None:
        """Close the connection; calls that wait for an answer fail."""
        self._server.close()

    def _infer(self, feeds: Mapping[str, NDArray[Any]], deadline_s: float) -> Outputs:
        if self._must_check():
            self._accept(self._wait(deadline_s))
        request = self._server.request()
        for name, array in feeds.items():
            request.inputs.add(
                name=name, shape=array.shape, datatype=WIRE_NAMES[array.dtype.name])
            request.raw_input_contents.append(array.tobytes())
        begin_s = time.monotonic()
        response = self._server.infer(request, deadline_s - begin_s)
        end_s = time.monotonic()
        version = printable(response.model_version)
        if version and version != self._served.version:
            served = self._server.describe(deadline_s - end_s)
            self._accept(replace(served, version=version))
        outputs = {tensor.name: self._read(tensor, response) for tensor in self._served.outputs}
        with self._lock:
            self._rate.tick(end_s)
            self._round_trip_ms.append((end_s - begin_s) * 1e3)
            self._call_bytes = sum(
                array.nbytes for array in (*feeds.values(), *outputs.values()))
        return outputs

    def _must_check(self) -> bool:
        """Return whether this call has to check the model first; for one of several at once."""
        now_s = time.monotonic()
        with self._lock:
            if now_s < self._next_check_s:
                return False
            self._next_check_s = now_s + CHECK_PERIOD_S
            return True

    def _wait(self, deadline_s: float) -> ServedModel:
        """
        Wait until the server and the model are ready.

        :raises NotReadyError: at the deadline.
        """
        while True:
            try:
                return self._server.describe(deadline_s - time.monotonic(), wait=True)
            except NotReadyError:
                if time.monotonic() + RETRY_S >= deadline_s:
                    raise
            time.sleep(RETRY_S)

    def _accept(self, served: ServedModel) -> None:
        """
        Continue with a model that the server states now.

        :raises ModelChangedError: if it is not the same kind of model.
        """
        difference = self._served.difference(served)
        if difference:
            error = self._server.error('')
            self._changed = ModelChangedError(
                error.name, error.value, f'the server has another model now: {difference}',
                'configure again')
            raise self._changed
        with self._lock:
            before, self._served = self._served, served
        if before.version not in ('', served.version):
            log.info('model %s: the server has version %s now, before %s', self.info.name,
                     served.version, before.version)

    def _succeeded(self) -> None:
        with self._lock:
            self._calls += 1
            self._answered = True
            failures, self._failures_in_a_row = self._failures_in_a_row, 0
        if failures:
            log.info('model %s: the server answers again, after %d failed calls',
                     self.info.name, failures)

    def _read(self, stated: TensorInfo, response: Any) -> NDArray[Any]:
        """
        Return an output.

        :param response: untrusted.
        :raises ModelError: if the output is not as stated by the server.
        """
        for position, tensor in enumerate(response.outputs):
            if tensor.name == stated.name:
                break
        else:
            raise self._server.error(f'the answer has no output {printable(stated.name)!r}')
        shape = tuple(tensor.shape)
        if tensor.datatype != stated.dtype or len(shape) != len(stated.shape) or any(
                size < 0 or expected not in (None, size)
                for size, expected in zip(shape, stated.shape)):
            raise self._server.error(
                f'the answer has an output {printable(stated.name)} {shape} '
                f'{printable(tensor.datatype)}, which should be {printable(str(stated))}')
        dtype = np.dtype(NUMBERS[stated.dtype])
        try:
            if position < len(response.raw_output_contents):
                return np.frombuffer(
                    response.raw_output_contents[position], dtype).reshape(shape)
            numbers = getattr(tensor.contents, CONTENTS.get(stated.dtype, ''), ())
            return np.array(numbers, dtype).reshape(shape)
        except ValueError as error:
            raise self._server.error(
                f'the answer has an output {printable(stated.name)} whose data does not fit its '
                f'shape {shape}') from error


def connect(
    settings: ModelSettings, abort: threading.Event | None = None,
) -> tuple[Hashable, ModelServer, ServedModel]:
    """
    Connect to the server of `model.id`, and wait for it if `model.wait_for_server` is set.

    :param abort: ends the wait.
    :return: what distinguishes the model from others, the connection, and the model.
    :raises ModelError: if the server or the model cannot be used.
    """
    if settings.sha256:
        raise ModelError(
            'model.sha256', settings.sha256, 'cannot be checked for a model on a server',
            'remove it')
    server = ModelServer(settings)
    try:
        served = _ready(server, settings, abort or threading.Event())
    except BaseException:
        server.close()
        raise
    identity = (settings.id, settings.headers, settings.ca_file, settings.timeout_s,
                settings.max_batch, served.inputs, served.outputs, *served.metadata.items())
    return identity, server, served


def _ready(server: ModelServer, settings: ModelSettings, abort: threading.Event) -> ServedModel:
    reported = ''
    while True:
        try:
            return server.describe(START_TIMEOUT_S)
        except NotReadyError as error:
            if not settings.wait_for_server or abort.wait(RETRY_S):
                raise
            if error.rule != reported:
                reported = error.rule
                log.warning('waiting for the model server: %s', reported)
