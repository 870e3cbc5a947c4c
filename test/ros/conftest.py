# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Tests at the edge to ROS: they run where rclpy is, and are left out where it is not.

In a lane of `make test` rclpy must be there (UDP_INFER_ROS_LANE says so), and nothing may be
skipped: a broken environment would otherwise look like a green one.
"""

import importlib.util
import os

import pytest

LANE = os.environ.get('UDP_INFER_ROS_LANE')

collect_ignore_glob = [] if LANE or importlib.util.find_spec('rclpy') else ['test_*.py']


@pytest.fixture
def make_bench(model):
    """Make benches with a node under test; two underscores in a parameter's name are a dot."""
    from ros_helpers import Bench
    benches = []

    def make(start=True, **values):
        given = {'model.id': model, 'model.threads': 1}
        given.update({name.replace('__', '.'): value for name, value in values.items()})
        benches.append(Bench(given, start=start))
        return benches[-1]
    yield make
    for bench in benches:
        bench.close()


def fail_a_skip(report):
    """Turn a report of something skipped into one of something failed, in a lane."""
    if LANE and report.skipped and not hasattr(report, 'wasxfail'):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = 'failed'
        report.longrepr = f'in the {LANE} lane nothing may be skipped: {reason}'


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Watch the tests of this folder."""
    outcome = yield
    fail_a_skip(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """Watch its modules: one may skip itself as a whole."""
    outcome = yield
    fail_a_skip(outcome.get_result())
