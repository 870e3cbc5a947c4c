# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""How the node is, in the words of /diagnostics: a level, a sentence and figures for each part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header
from udp_infer_ros.detection.detector import ModelInfo
from udp_infer_ros.settings import Settings
from udp_infer_ros.stats import Snapshot

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
Report = tuple[bytes, str]
"""A level and what there is to say."""


@dataclass(frozen=True)
class Health:
    """What the node knows of itself at one moment."""

    state: str
    """active, inactive, unconfigured, disabled or idle."""
    source: str
    """What the source is, e.g. `topic /image_raw`; empty if there is none."""
    stalled_s: float | None
    """How long no frame has come, if that is too long."""
    publishers: int | None
    """Of the image topic."""
    model: ModelInfo | None
    settings: Settings
    now: Snapshot
    before: Snapshot
    """The counters one report ago: what is told is what is new."""


def diagnostics(node_name: str, health: Health, header: Header) -> DiagnosticArray:
    """
    Write a report.

    :param node_name: fully qualified; stands before the names of the parts and is the hardware id.
    """
    array = DiagnosticArray(header=header)
    for part, (level, message), values in (
            ('source', source_report(health), _source_values(health)),
            ('model', model_report(health), _model_values(health)),
            ('tracker', tracker_report(health), _tracker_values(health)),
            ('udp', udp_report(health), _udp_values(health))):
        array.status.append(DiagnosticStatus(
            level=level, name=f'{node_name.lstrip("/")}: {part}', message=message,
            hardware_id=node_name,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()]))
    return array


def source_report(health: Health) -> Report:
    """Judge whether frames come."""
    if not health.source:
        return OK, f'{health.state}, no source is open'
    if health.state == 'idle':
        return OK, f'idle: {health.source} is at its end'
    if health.stalled_s is not None:
        text = f'no image for {health.stalled_s:.0f} s on {health.source}'
        if health.publishers == 0:
            return ERROR, f'{text}: nobody publishes there; check the name, or remap image_raw'
        if health.publishers:
            return ERROR, f'{text}: publishers: {health.publishers}, but nothing arrives; check ' \
                'their QoS and the network'
        return ERROR, f'{text}; it is opened again until it answers'
    lost = {
        cause: health.now.dropped[cause] - health.before.dropped.get(cause, 0)
        for cause in health.now.dropped if cause not in ('replaced', 'inference_error')}
    told = ', '.join(f'{count} {cause}' for cause, count in lost.items() if count > 0)
    if told:
        return WARN, f'frames were lost: {told}; last: {health.now.last_error}'
    return OK, f'{health.now.offered_hz:.1f} Hz from {health.source}'


def model_report(health: Health) -> Report:
    """Judge whether the model keeps up."""
    if health.model is None:
        return OK, f'{health.state}, no model is loaded'
    if health.state == 'disabled':
        return OK, 'disabled by ~/enable, the model stays in memory'
    failed = health.now.dropped['inference_error'] - health.before.dropped['inference_error']
    if failed > 0:
        return ERROR, f'inference failed on {failed} frames; last: {health.now.last_error}'
    replaced = health.now.dropped['replaced'] - health.before.dropped['replaced']
    offered = health.now.offered - health.before.offered
    if replaced > 0:
        return OK, (
            f'{health.now.processed_hz:.1f} Hz; {replaced} of {offered} frames skipped, because '
            'newer ones came')
    return OK, f'{health.now.processed_hz:.1f} Hz'


def tracker_report(health: Health) -> Report:
    """Tell whether there is a tracker."""
    if health.settings.track.type == 'none':
        return OK, 'off: detections have no ids'
    return OK, f'{health.settings.track.type}'


def udp_report(health: Health) -> Report:
    """Judge whether datagrams leave."""
    targets = health.settings.udp.targets
    if not targets:
        return OK, 'off: udp.targets is empty'
    failing = [
        target for target in targets
        if _new(health.now.errors, health.before.errors, f'udp {target}')]
    if not failing:
        return OK, f'sending to {", ".join(targets)}'
    level = ERROR if len(failing) == len(targets) else WARN
    return level, (
        f'cannot send to {", ".join(failing)}; check the network, it goes on by itself')


def _new(now: Mapping[str, int], before: Mapping[str, int], key: str) -> int:
    return now.get(key, 0) - before.get(key, 0)


def _source_values(health: Health) -> dict[str, object]:
    now = health.now
    return {
        'state': health.state, 'source': health.source, 'offered': now.offered,
        'rate_hz': round(now.offered_hz, 2),
        **{f'dropped_{cause}': count for cause, count in now.dropped.items()},
        'reconnects': now.reconnects, 'stalls': now.stalls, 'last_error': now.last_error}


def _model_values(health: Health) -> dict[str, object]:
    now = health.now
    values: dict[str, object] = {
        'processed': now.processed, 'rate_hz': round(now.processed_hz, 2),
        'memory_mib': round(resident_mib(), 1)}
    for stage, times in now.latency_ms.items():
        values[f'{stage}_p50_ms'] = round(times.p50_ms, 2)
        values[f'{stage}_p95_ms'] = round(times.p95_ms, 2)
    if health.model is not None:
        model = health.model
        values.update({
            'model': model.name, 'family': model.family, 'provider': model.provider,
            'provider_reason': model.provider_reason, 'threads': model.threads,
            'input': f'{model.input_width} x {model.input_height}',
            'classes': len(model.labels)})
    return values


def _tracker_values(health: Health) -> dict[str, object]:
    track = health.settings.track
    return {'type': track.type, 'lost_s': track.lost_s, 'min_hits': track.min_hits}


def _udp_values(health: Health) -> dict[str, object]:
    values: dict[str, object] = {'payload': health.settings.udp.payload}
    for target in health.settings.udp.targets:
        values[f'sent {target}'] = health.now.sent.get(target, 0)
        values[f'errors {target}'] = health.now.errors.get(f'udp {target}', 0)
    return values


def resident_mib() -> float:
    """Tell how much memory this process has, in MiB."""
    with open('/proc/self/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20
