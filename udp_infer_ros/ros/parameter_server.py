# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The parameters of the node, and their changes while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from udp_infer_ros.errors import UdpInferError
from udp_infer_ros.parameter import ParameterSet
from udp_infer_ros.redact import redacted
from udp_infer_ros.ros import params
from udp_infer_ros.ros.tasks import in_background, outcome_of, replace_callback, Turn


P = TypeVar('P', bound=ParameterSet)
Checked = TypeVar('Checked', bound=ParameterSet, contravariant=True)


class Prepares(Protocol[Checked]):
    """What uses the parameters: the engine of a node."""

    def prepare(self, settings: Checked) -> Callable[[], None]:
        """
        Check a change, which may be slow; return a function that applies it.

        :raises SettingError: if it is refused.
        """


class ParameterServer(Generic[P]):
    """
    Declares the parameters of the node, and checks and applies changes.

    A change is checked in the background, because host names may have to be resolved, and is then
    applied to the engine between two frames. Changes are applied in the order of the requests.
    Everything else runs in the executor's thread.

    :param node: the node that has the parameters.
    :param engine: returns the engine of the node; None while the node is unconfigured.
    :param defaults: the parameters.
    :raises SettingError: if a parameter has an invalid value.
    """

    def __init__(
        self, node: Node, engine: Callable[[], Prepares[P] | None], defaults: P,
    ) -> None:
        self._node = node
        self._engine = engine
        self.settings: P = params.declare(node, defaults)
        self.changes = Turn(node)
        """Held during a change, and while a model loads, because it is used to check changes."""
        self._declaring = False
        self._checked: tuple[P, Callable[[], Callable[[], None]]] | None = None
        for text in params.unknown(params.overrides(node), self.settings.parameters()):
            node.get_logger().warning(text)
        node.add_on_set_parameters_callback(self._on_set_parameters)
        if hasattr(node, 'add_pre_set_parameters_callback'):  # Not in Humble.
            node.add_pre_set_parameters_callback(
                lambda items: params.normalized(self.settings.parameters(), items))
        replace_callback(node, 'set_parameters', self._on_request)
        replace_callback(node, 'set_parameters_atomically', self._on_atomic_request)

    async def _on_request(
        self, request: SetParameters.Request, response: SetParameters.Response,
    ) -> SetParameters.Response:
        async with self.changes:
            for message in request.parameters:
                response.results.append(await self._set([message]))
        return response

    async def _on_atomic_request(
        self, request: SetParametersAtomically.Request,
        response: SetParametersAtomically.Response,
    ) -> SetParametersAtomically.Response:
        async with self.changes:
            response.result = await self._set(request.parameters)
        return response

    async def _set(self, messages: Any) -> SetParametersResult:
        """Check a change in the background, then set the parameters in rclpy."""
        parameters = [RosParameter.from_parameter_msg(message) for message in messages]
        names = set(self.settings.parameters())
        try:
            settings, engine = self._changed(parameters), self._engine()
            names.update(settings.parameters())
            if engine is not None and settings != self.settings:
                check = in_background(self._node, partial(engine.prepare, settings))
                self._checked = settings, await outcome_of(check)
            self._declare(settings)
            return self._node.set_parameters_atomically(parameters)
        except (UdpInferError, ParameterException) as error:
            self._node.get_logger().debug(f'change refused: {redacted(str(error))}')
            return SetParametersResult(successful=False, reason=str(error))
        finally:
            self._checked = None
            self._declare(self.settings, remove=names.difference(self.settings.parameters()))

    def _declare(self, settings: P, *, remove: Iterable[str] = ()) -> None:
        """Declare the parameters of settings, whose values decide which there are."""
        self._declaring = True
        try:
            params.declare_missing(self._node, settings)
            params.undeclare(self._node, remove)
        finally:
            self._declaring = False

    def _on_set_parameters(self, parameters: list[RosParameter[Any]]) -> SetParametersResult:
        """Accept or refuse a change; apply an accepted one between two frames."""
        if self._declaring:
            return SetParametersResult(successful=True)
        try:
            settings, engine = self._changed(parameters), self._engine()
            if engine is not None and settings != self.settings:
                checked = self._checked
                commit = checked[1]() if checked and checked[0] == settings else (
                    engine.prepare(settings))
                commit()
        except UdpInferError as error:
            self._node.get_logger().debug(f'change refused: {error}')
            return SetParametersResult(successful=False, reason=str(error))
        before, self.settings = self.settings, settings
        self._log_changes(before)
        return SetParametersResult(successful=True)

    def _log_changes(self, before: P) -> None:
        old, new = before.flat(), self.settings.flat()
        for name in (name for name in new if new[name] != old.get(name)):
            self._node.get_logger().debug(
                f'{name}: {redacted(repr(old.get(name)))} -> {redacted(repr(new[name]))}')

    def _changed(self, parameters: list[RosParameter[Any]]) -> P:
        settings = params.changed(self.settings, parameters)
        params.refuse_changes(
            self.settings, settings, configured=self._engine() is not None)
        return settings
