# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Requests to a recorder of rosbag2 in snapshot mode to write what it holds in memory."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time
from typing import Any

from rclpy.node import Node
from udp_infer_ros.dataset_settings import DatasetSettings
from udp_infer_ros.errors import SettingError

DISCOVERY_S = 1.0
"""A service that is not available for so long after a call is due is absent."""


class SnapshotClient:
    """
    Calls `dataset.snapshot_service` after a delay, at most once per period.

    `request` is called in the worker, everything else in the executor's thread. `_lock` guards
    `_due` and `_last_s`.

    :param clock_s: a monotonic clock, seconds.
    """

    def __init__(self, node: Node, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._due: tuple[float, str] | None = None
        self._last_s: float | None = None
        self._client: Any = None
        self.written = 0
        self.failed = 0

    def check(self, settings: DatasetSettings) -> None:
        """
        Check that the service can be called, if there is one.

        :raises SettingError: if its type is not installed.
        """
        if not settings.snapshot_service:
            return
        try:
            import rosbag2_interfaces.srv  # noqa: F401
        except ImportError as error:
            raise SettingError(
                'dataset.snapshot_service', settings.snapshot_service,
                'needs rosbag2_interfaces',
                'install ros-<distribution>-rosbag2-interfaces') from error

    def request(self, settings: DatasetSettings) -> None:
        """Plan a call, unless one is planned or the period since the last one has not passed."""
        if not settings.snapshot_service:
            return
        now_s = self._clock_s()
        with self._lock:
            recent = self._last_s is not None and (
                now_s - self._last_s < settings.snapshot_period_s)
            if recent or self._due is not None:
                return
            self._last_s = now_s
            self._due = now_s + settings.snapshot_delay_s, settings.snapshot_service

    def poll(self, service: str) -> None:
        """
        Call the service if that is due.

        :param service: `dataset.snapshot_service`, so that the service is discovered in advance.
        """
        if service:
            self._client_of(service)
        with self._lock:
            due, now_s = self._due, self._clock_s()
            if due is None or now_s < due[0]:
                return
            client = self._client_of(due[1])
            ready = client.service_is_ready()
            if not ready and now_s < due[0] + DISCOVERY_S:
                return
            self._due = None
        if not ready:
            self._fail(due[1], 'the service is not available')
            return
        from rosbag2_interfaces.srv import Snapshot
        client.call_async(Snapshot.Request()).add_done_callback(
            lambda future: self._answered(due[1], future))

    def values(self) -> dict[str, object]:
        """Return the counters, for the health report."""
        return {'snapshots_written': self.written, 'snapshots_failed': self.failed}

    def close(self) -> None:
        """Destroy the client."""
        if self._client is not None:
            self._node.destroy_client(self._client)
            self._client = None

    def _client_of(self, name: str) -> Any:
        from rosbag2_interfaces.srv import Snapshot
        resolved = self._node.resolve_service_name(name)
        if self._client is None or self._client.srv_name != resolved:
            self.close()
            self._client = self._node.create_client(Snapshot, resolved)
        return self._client

    def _answered(self, name: str, future: Any) -> None:
        if future.result() is not None and future.result().success:
            self.written += 1
        else:
            self._fail(name, 'the recorder refused it; is it in snapshot mode?')

    def _fail(self, name: str, reason: str) -> None:
        self.failed += 1
        self._node.get_logger().warning(
            f'dataset.snapshot_service = {name}: no bag was written: {reason}', once=True)
