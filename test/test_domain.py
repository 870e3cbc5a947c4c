# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The tests run in a ROS domain of their own, which no process of this machine uses."""

import os
import socket
import subprocess
import sys

from domain import claim_domain, DISCOVERY_PORT, DOMAIN_GAIN
import pytest


def test_the_domain_of_the_tests_is_not_that_of_the_environment():
    before = os.environ['ROS_DOMAIN_ID']
    code = 'import conftest, os; print(os.environ["ROS_DOMAIN_ID"])'
    domain = subprocess.run(
        [sys.executable, '-c', code], cwd=os.path.dirname(__file__), text=True, check=True,
        capture_output=True).stdout.strip()
    assert domain.isdecimal() and domain != before


def test_a_domain_is_claimed_once():
    domain, lock = claim_domain(range(150, 200))
    with lock:
        other, second = claim_domain(range(domain, 200))
        second.close()
        assert other > domain
        with pytest.raises(RuntimeError, match='every ROS domain is used'):
            claim_domain([domain])


def test_a_domain_with_a_participant_is_not_claimed():
    domain, lock = claim_domain(range(150, 200))
    lock.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        participant.bind(('', DISCOVERY_PORT + DOMAIN_GAIN * domain))
        with pytest.raises(RuntimeError):
            claim_domain([domain])
