# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The health report of a source, common to all sources."""

from __future__ import annotations

from udp_infer_ros.errors import Drop
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.sources.intake import Intake

NOT_STARTED = PartHealth(name='source', message='not started')
NOT_FAULTS = (Drop.REPLACED, Drop.MAX_FPS, Drop.INFERENCE_ERROR)
"""Drops caused by load, by a limit or by the model, not by the source."""


class SourceReport:
    """
    Creates the health reports of a source from the counters of its intake. Not thread-safe.

    :param intake: receives the frames of the source.
    """

    def __init__(self, intake: Intake) -> None:
        self._stats = intake.stats
        self._reported = intake.stats.dropped()

    def health(
        self, description: str, fault: str | None = None, *, at_end: bool = False,
    ) -> PartHealth:
        """
        Return the state since the previous call, as part `source`.

        :param description: the name of the source, without passwords.
        :param fault: why no frames arrive; None if they do.
        :param at_end: whether the source has delivered its last frame.
        """
        stats = self._stats.snapshot()
        lost = {
            cause.value: count for cause in Drop if cause not in NOT_FAULTS
            and (count := stats.dropped[cause.value] - self._reported[cause.value])}
        self._reported = dict(stats.dropped)
        level, message = Level.OK, f'{stats.offered_hz:.1f} Hz from {description}'
        if fault is not None:
            level, message = Level.ERROR, fault
        elif lost:
            counts = ', '.join(f'{count} {cause}' for cause, count in lost.items())
            level, message = Level.WARN, f'frames were lost: {counts}; last: {stats.last_error}'
        elif at_end:
            message = f'idle: {description} is at its end'
        return PartHealth(name='source', level=level, message=message, values={
            'source': description, 'offered': stats.offered,
            'rate_hz': round(stats.offered_hz, 2),
            **{f'dropped_{cause}': count for cause, count in stats.dropped.items()},
            'reconnects': stats.reconnects, 'stalls': stats.stalls,
            'last_error': stats.last_error})
