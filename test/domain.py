# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A ROS domain for the tests, so that they and the nodes of a robot do not receive each other."""

import contextlib
import os
import random
import socket

DOMAINS = range(1, 102)
"""The domains whose ports are outside the range of ephemeral ports of Linux."""
LOCK_PORT = 22119
"""Plus the domain: the port by which domain_coordinator of ament_cmake_ros reserves a domain."""
DISCOVERY_PORT, DOMAIN_GAIN = 7400, 250
"""The UDP port that every DDS participant of domain 0 has open, and the distance to the next."""


def claim_domain(candidates):
    """
    Reserve the first free domain until the process ends.

    :return: the domain and the socket that reserves it.
    """
    for domain in candidates:
        with contextlib.suppress(OSError):
            lock = socket.create_server(('127.0.0.1', LOCK_PORT + domain))
            if has_no_participant(domain):
                return domain, lock
            lock.close()
    raise RuntimeError('every ROS domain is used on this machine')


def has_no_participant(domain):
    """Return whether no process of this machine takes part in a domain."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        try:
            opened.bind(('', DISCOVERY_PORT + DOMAIN_GAIN * domain))
        except OSError:
            return False
    return True


def leave_the_domain_of_the_robot():
    """Set the environment of this process and of those it starts; return the socket to keep."""
    used = int(os.environ.get('ROS_DOMAIN_ID') or 0)
    domains = [domain for domain in DOMAINS if domain != used]
    random.shuffle(domains)
    domain, lock = claim_domain(domains)
    os.environ['ROS_DOMAIN_ID'] = str(domain)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    if os.environ.get('ROS_DISTRO') == 'humble':
        os.environ['ROS_LOCALHOST_ONLY'] = '1'
    return lock
