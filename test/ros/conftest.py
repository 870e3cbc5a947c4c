# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Tests of the ROS interface: they run where rclpy is installed, and are not collected elsewhere.

In a lane of `make test`, which sets UDP_INFER_ROS_LANE, rclpy must be installed and a skipped
test fails, so that a broken environment is not reported as success.
"""

import importlib.util
import os

import pytest

LANE = os.environ.get('UDP_INFER_ROS_LANE')

collect_ignore_glob = [] if LANE or importlib.util.find_spec('rclpy') else ['test_*.py']


@pytest.fixture
def make_bench(model):
    """Return a function that starts a node under test; two underscores stand for a dot."""
    from ros_helpers import Bench
    benches = []

    def make(start=True, cli_args=None, **values):
        parameters = {'model.id': model, 'model.threads': 1}
        parameters.update({name.replace('__', '.'): value for name, value in values.items()})
        benches.append(Bench(parameters, start=start, cli_args=cli_args))
        return benches[-1]
    yield make
    for bench in benches:
        bench.close()


def fail_a_skip(report):
    """Turn a report of a skip into one of a failure, in a lane."""
    if LANE and report.skipped and not hasattr(report, 'wasxfail'):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = 'failed'
        report.longrepr = f'no test may be skipped in the {LANE} lane: {reason}'


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Check the tests of this folder."""
    outcome = yield
    fail_a_skip(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """Check its modules: one may skip itself as a whole."""
    outcome = yield
    fail_a_skip(outcome.get_result())
