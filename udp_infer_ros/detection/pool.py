# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The loaded networks that the engines of one process share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
import os
from pathlib import Path
import threading
from typing import NamedTuple

from udp_infer_ros.detection.backend import Backend, BackendInfo
from udp_infer_ros.detection.catalog import CATALOG, Catalog
from udp_infer_ros.detection.local import LocalBackend, usable_cores
from udp_infer_ros.detection.model_server import is_server
from udp_infer_ros.detection.model_store import locate
from udp_infer_ros.detection.providers import CPU, OPENVINO
from udp_infer_ros.detection.remote import connect, RemoteBackend
from udp_infer_ros.detection.scheduler import Feeds, Scheduler
from udp_infer_ros.detection.types import Outputs
from udp_infer_ros.settings import ModelSettings

ACCELERATOR_BATCH = 8


class ModelPool:
    """
    Loaded networks, each once for all engines with the same model file, device and options.

    Safe to use from several threads: `_lock` guards `_networks` and their numbers of leases. Each
    network has a lock of its own, which is held while it is loaded, so that engines of other
    networks do not wait.

    :param cameras: the number of engines that share the CPU cores.
    """

    def __init__(self, cameras: int = 1) -> None:
        self.cameras = max(1, cameras)
        """As given, at least 1."""
        self._lock = threading.Lock()
        self._networks: dict[Hashable, _Network] = {}

    def load(
        self, settings: ModelSettings, catalog: Catalog = CATALOG,
        abort: threading.Event | None = None,
    ) -> Backend:
        """
        Return a network, which is loaded unless another engine uses it. May block.

        :param catalog: the models with names.
        :param abort: ends the wait for a server.
        :return: a lease of the network; the last one that is closed releases it.
        :raises ModelError: if the network cannot be loaded.
        """
        cores = usable_cores()
        concurrency = settings.concurrency or 1
        frames = self.cameras * concurrency
        # A session with n threads has n - 1 of its own; each call adds the thread that makes it.
        threads = settings.threads or max(1, cores - frames + 1)
        calls = max(concurrency, min(frames, cores - threads + 1))
        found = _find(replace(settings, threads=threads), calls, catalog, abort)
        key = found.key
        with self._lock:
            network = self._networks.setdefault(key, _Network())
            network.leases += 1
        try:
            with network.loading:
                if network.scheduler is None:
                    backend = network.backend = found.load()
                    network.scheduler = _schedule(backend, calls, frames, settings.max_batch)
                else:
                    found.discard()
        except BaseException:
            self._give_back(key, network)
            raise
        assert network.backend is not None
        return Lease(
            network.backend, network.scheduler, lambda: self._give_back(key, network))

    def _give_back(self, key: Hashable, network: _Network) -> None:
        with self._lock:
            network.leases -= 1
            if network.leases:
                return
            del self._networks[key]
        if network.backend is not None:
            network.backend.close()


@dataclass(eq=False, kw_only=True)
class _Network:
    loading: threading.Lock = field(default_factory=threading.Lock)
    leases: int = 0
    backend: Backend | None = None
    """Set while `loading` is held, as the scheduler."""
    scheduler: Scheduler | None = None


class _Found(NamedTuple):
    """A network that is not loaded yet."""

    key: Hashable
    """What it has in common with others that are the same."""
    load: Callable[[], Backend]
    discard: Callable[[], None]
    """Releases what was opened to find it; to be called instead of `load`."""


class Lease:
    """
    The right of one engine to use a network of the pool, as a `Backend`.

    :param give_back: is called once, by the first `close`.
    """

    def __init__(
        self, backend: Backend, scheduler: Scheduler, give_back: Callable[[], None],
    ) -> None:
        self.inputs = backend.inputs
        self.outputs = backend.outputs
        self.metadata = backend.metadata
        self._backend = backend
        self._scheduler = scheduler
        self._give_back: Callable[[], None] | None = give_back

    @property
    def info(self) -> BackendInfo:
        """Return where the network runs."""
        return self._backend.info

    def infer(self, feeds: Feeds) -> Outputs:
        """
        Run the network once. May be called from several threads at once.

        :param feeds: an array for each input.
        :raises ModelError: if the network does not run on these inputs.
        :raises SharedCallError: if a call with this frame failed in the thread of another.
        """
        return self._scheduler.infer(feeds)

    def values(self) -> Mapping[str, object]:
        """Return figures of the network for the diagnostics, those of other engines included."""
        counts = self._scheduler.counts
        return {
            'model_calls': counts.calls,
            'frames_per_call': round(counts.frames / max(1, counts.calls), 2),
            'largest_batch': counts.largest, **self._backend.values()}

    def close(self) -> None:
        """Return the network to the pool. No `infer` follows."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


def _schedule(backend: Backend, calls: int, frames: int, max_batch: int) -> Scheduler:
    if backend.info.remote:
        # The server combines the calls that arrive together, unless batches are made here.
        return Scheduler(
            backend, calls=1 if max_batch > 1 else frames, max_batch=max_batch or 1)
    if backend.info.provider in (CPU, OPENVINO):
        return Scheduler(backend, calls=calls, max_batch=max_batch or 1)
    return Scheduler(backend, calls=1, max_batch=max_batch or ACCELERATOR_BATCH)


def _find(
    settings: ModelSettings, calls: int, catalog: Catalog, abort: threading.Event | None,
) -> _Found:
    """
    Choose where a network runs. This is the only place that knows every kind of backend.

    :param calls: the number of inferences at once.
    :raises ModelError: if there is no such model.
    """
    if is_server(settings.id):
        identity, server, served = connect(settings, abort)
        return _Found(
            identity, lambda: RemoteBackend(server, served, settings), server.close)
    path = locate(settings.id, settings.sha256, catalog)
    options = (
        settings.device, settings.threads, calls, settings.spinning, settings.max_batch)
    return _Found(
        (*_identity(path), *options), lambda: LocalBackend.load(settings, path, calls),
        lambda: None)


def _identity(path: Path) -> tuple[str, int, int, int]:
    """Return what distinguishes a file from others and from its later versions."""
    status = os.stat(path)
    return os.path.realpath(path), status.st_ino, status.st_size, status.st_mtime_ns
