# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The health of a source, which is reported in the same way for all of them."""

from __future__ import annotations

from udp_infer_ros.errors import Drop
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.sources.intake import Intake

NOT_STARTED = PartHealth(name='source', message='not started')
NOT_FAULTS = (Drop.REPLACED, Drop.MAX_FPS, Drop.INFERENCE_ERROR)
"""Drops that follow from the load or from a limit, not from the source."""


class SourceReport:
    """
    Builds the health of a source from the counters of its intake. Used by one thread.

    :param intake: where the frames of the source go.
    """

    def __init__(self, intake: Intake) -> None:
        self._stats = intake.stats
        self._reported = intake.stats.dropped()

    def health(
        self, description: str, fault: str | None = None, *, at_end: bool = False,
    ) -> PartHealth:
        """
        Return the state since the previous call, as part `source`.

        :param description: what the source is, without a password.
        :param fault: why no frames arrive; None if they do.
        :param at_end: the source has delivered its last frame.
        """
        figures = self._stats.snapshot()
        lost = {
            cause.value: count for cause in Drop if cause not in NOT_FAULTS
            and (count := figures.dropped[cause.value] - self._reported[cause.value])}
        self._reported = dict(figures.dropped)
        level, message = Level.OK, f'{figures.offered_hz:.1f} Hz from {description}'
        if fault is not None:
            level, message = Level.ERROR, fault
        elif lost:
            counts = ', '.join(f'{count} {cause}' for cause, count in lost.items())
            level, message = Level.WARN, f'frames were lost: {counts}; last: {figures.last_error}'
        elif at_end:
            message = f'idle: {description} is at its end'
        return PartHealth(name='source', level=level, message=message, values={
            'source': description, 'offered': figures.offered,
            'rate_hz': round(figures.offered_hz, 2),
            **{f'dropped_{cause}': count for cause, count in figures.dropped.items()},
            'reconnects': figures.reconnects, 'stalls': figures.stalls,
            'last_error': figures.last_error})
