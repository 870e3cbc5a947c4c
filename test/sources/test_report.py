# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The health of a source is an error, a warning or fine, for the same reasons everywhere."""

import time

import pytest
from udp_infer_ros.errors import DecodeError, Drop
from udp_infer_ros.health import Level
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import Intake
from udp_infer_ros.sources.report import SourceReport
from udp_infer_ros.stats import Stats


@pytest.fixture
def intake():
    """Return an intake; its counters are not new."""
    stats = Stats()
    stats.count_drop(Drop.STALE)
    return Intake(SourceSettings(), stats, now_ns=time.time_ns)


@pytest.mark.parametrize('cause, level', [
    (Drop.STALE, Level.WARN), (Drop.BAD_MESSAGE, Level.WARN), (Drop.DECODE_ERROR, Level.WARN),
    (Drop.REPLACED, Level.OK), (Drop.MAX_FPS, Level.OK), (Drop.INFERENCE_ERROR, Level.OK)])
def test_drops_since_the_previous_call_are_a_warning_if_the_source_caused_them(
        intake, cause, level):
    report = SourceReport(intake)
    assert report.health('a camera').level == Level.OK, 'what was lost before is no news'
    intake.stats.count_drop(cause)
    assert report.health('a camera').level == level
    assert report.health('a camera').level == Level.OK


def test_a_warning_names_the_causes_and_the_latest_error(intake):
    report = SourceReport(intake)
    for i in range(3):
        intake.drop(DecodeError('frame', i, 'cannot be decoded'))
    intake.stats.count_drop(Drop.STALE)
    assert report.health('a camera').message == (
        'frames were lost: 1 stale, 3 decode_error; last: frame dropped: frame = 2: cannot be '
        'decoded')


def test_a_fault_is_an_error_whatever_was_lost(intake):
    report = SourceReport(intake)
    intake.stats.count_drop(Drop.STALE)
    part = report.health('a camera', 'no image for 5 s')
    assert (part.name, part.level, part.message) == ('source', Level.ERROR, 'no image for 5 s')


def test_the_values_are_the_counters_of_the_source(intake):
    intake.stats.count_reconnect()
    intake.stats.record_error('it failed')
    report = SourceReport(intake)
    part = report.health('a camera')
    assert part.message == '0.0 Hz from a camera'
    assert part.values == {
        'source': 'a camera', 'offered': 0, 'rate_hz': 0.0, 'reconnects': 1, 'stalls': 0,
        'last_error': 'it failed',
        **{f'dropped_{cause.value}': int(cause is Drop.STALE) for cause in Drop}}


def test_a_source_at_its_end_is_idle(intake):
    assert SourceReport(intake).health('a.mp4', at_end=True).message == (
        'idle: a.mp4 is at its end')
