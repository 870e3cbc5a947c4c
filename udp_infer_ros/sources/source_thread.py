# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The thread in which a source runs."""

from __future__ import annotations

from collections.abc import Callable
import logging

from udp_infer_ros.errors import SourceError
from udp_infer_ros.health import PartHealth
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.sources.report import SourceReport
from udp_infer_ros.threads import BackgroundThread

log = logging.getLogger(__name__)


class SourceThread:
    """
    A thread that offers frames to an intake, and closes the intake after the last one.

    The thread writes `_fault` before it ends; `health` reads it afterwards.

    :param run: offers frames until there are no more, or the intake is closed.
    :param intake: receives the frames.
    """

    def __init__(self, run: Callable[[Intake], None], intake: Intake) -> None:
        self._run = run
        self._intake = intake
        self._report = SourceReport(intake)
        self._fault: str | None = None
        self._thread = BackgroundThread(self._run_and_close, name='source')

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """
        Close the intake, and wait for the end of the thread.

        :return: whether the thread ended in time.
        """
        self._intake.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def health(self, description: str, fault: str | None = None) -> PartHealth:
        """
        Return the state since the previous call, as part `source`.

        :param fault: why no frames arrive while the thread runs; None if they do.
        """
        if self._thread.is_alive():
            return self._report.health(description, fault)
        return self._report.health(description, self._fault, at_end=True)

    def _run_and_close(self) -> None:
        try:
            self._run(self._intake)
        except SourceError as error:
            self._fail(str(error))
        except Exception as error:  # Libraries raise errors of any type.
            self._fail(f'reading failed: {error}')
        finally:
            self._intake.close()

    def _fail(self, text: str) -> None:
        self._fault = text
        self._intake.stats.record_error(text)
        log.error('%s', text)
