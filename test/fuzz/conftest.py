# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Property tests with hypothesis; they are not collected where it is not installed.

UDP_INFER_FUZZ multiplies the number of examples. At 1, the default, the examples are the same in
every run. Otherwise they are random; the header has the seed, for `pytest --hypothesis-seed`.
"""

import importlib.util
from pathlib import Path
import random

from helpers import FUZZ_FACTOR as FACTOR
import pytest

if importlib.util.find_spec('hypothesis'):
    from hypothesis import HealthCheck, settings
    settings.register_profile(
        'fuzz', derandomize=FACTOR == 1.0, database=None, deadline=None, print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
    settings.load_profile('fuzz')
else:
    collect_ignore_glob = ['test_*.py', 'ros/test_*.py']


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Choose the seed before hypothesis reads it."""
    if FACTOR != 1.0 and config.getoption('hypothesis_seed', None) is None:
        config.option.hypothesis_seed = str(random.randrange(2**32))


def pytest_report_header(config):
    """Print how many examples are run, and the seed."""
    seed = config.getoption('hypothesis_seed', None)
    return f'fuzz: factor {FACTOR:g}, ' + (
        'the same examples in every run' if seed is None else f'--hypothesis-seed={seed}')


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the tests of this folder as slow, and allow time for more examples."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(120 * max(1.0, FACTOR)))
