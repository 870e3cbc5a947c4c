# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Broadcast and multicast between three hosts: network namespaces joined by a bridge."""

import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from helpers import wait_until
import pytest

ROOT = Path(__file__).resolve().parents[2]
PORT = 37020
GROUP = '239.7.7.7'
SENDER = """
import logging, sys, time
sys.path[:0] = sys.argv[1].split(':')
import numpy as np
from helpers import make_result
from udp_infer_ros.outputs.udp import UdpOutput
from udp_infer_ros.settings import Settings
logging.basicConfig(stream=sys.stdout, format='%(message)s')
targets, seconds = sys.argv[2].split(','), float(sys.argv[3])
settings = Settings().with_values({'udp.targets': targets, 'udp.interface': sys.argv[4]})
output = UdpOutput()
output.prepare(settings, previous=None, model=None)()
image = np.zeros((480, 640, 3), dtype=np.uint8)
for seq in range(1, int(seconds * 50)):
    output.write(make_result(3, seq=seq), image)
    time.sleep(0.02)
values = output.health().values
print('refused', sum(values[f'errors {target}'] for target in targets))
"""


class Network:
    """Three hosts on one Ethernet, 10.77.0.1 to 3, with their processes."""

    def __init__(self):
        self.name = f'udpinfer{os.getpid()}'
        self.processes = []
        self.run('ip', 'netns', 'add', f'{self.name}sw')
        self.inside('sw', 'ip', 'link', 'add', 'bridge', 'type', 'bridge',
                    'mcast_snooping', '0')
        self.inside('sw', 'ip', 'link', 'set', 'bridge', 'up')
        for host in '123':
            self.run('ip', 'netns', 'add', self.name + host)
            self.inside('sw', 'ip', 'link', 'add', f'port{host}', 'type', 'veth', 'peer', 'name',
                        'eth0', 'netns', self.name + host)
            self.inside('sw', 'ip', 'link', 'set', f'port{host}', 'master', 'bridge', 'up')
            self.inside(host, 'ip', 'address', 'add', f'10.77.0.{host}/24', 'broadcast',
                        '10.77.0.255', 'dev', 'eth0')
            self.inside(host, 'ip', 'link', 'set', 'eth0', 'up')
            self.inside(host, 'ip', 'link', 'set', 'lo', 'up')

    def run(self, *command):
        """Run a command and return its output; fail if it fails."""
        return subprocess.run(
            command, check=True, capture_output=True, timeout=20, text=True).stdout

    def inside(self, host, *command):
        """Run a command on a host and return its output."""
        return self.run('ip', 'netns', 'exec', self.name + host, *command)

    def start(self, host, *command):
        """Start a command on a host."""
        process = subprocess.Popen(
            ['ip', 'netns', 'exec', self.name + host, *command], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=ROOT)
        self.processes.append(process)
        return process

    def listen(self, host, *arguments, port=PORT):
        """Start a listener on a host, and wait until its socket is bound."""
        def bound():
            return self.inside(host, 'cat', '/proc/net/udp', '/proc/net/udp6').count(
                f':{port:04X} ')
        before = bound()
        listener = self.start(host, sys.executable, '-m', 'udp_infer_ros.listen', '--port',
                              str(port), *arguments)
        self.wait_until(lambda: bound() > before)
        return listener

    def wait_until(self, condition):
        """Wait until a condition holds, or fail."""
        wait_until(condition, 30.0)

    def send(self, targets, seconds=1.0, interface=''):
        """Start a sender on host 1."""
        return self.start('1', sys.executable, '-c', SENDER, f'{ROOT}:{ROOT / "test"}', targets,
                          str(seconds), interface)

    def close(self):
        """Kill the processes and delete the hosts."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for host in ('sw', *'123'):
            subprocess.run(['ip', 'netns', 'delete', self.name + host], capture_output=True)


@pytest.fixture(scope='module')
def possible():
    probe = f'udpinferprobe{os.getpid()}'
    if not shutil.which('ip') or subprocess.run(
            ['ip', 'netns', 'add', probe], capture_output=True).returncode:
        pytest.skip('a test needs root and iproute2 to create networks')
    subprocess.run(['ip', 'netns', 'delete', probe], check=True)


@pytest.fixture
def network(possible):
    network = Network()
    yield network
    network.close()


def ends(process):
    """Wait for a process; return its exit code and the lines that it printed."""
    out, errors = process.communicate(timeout=40)
    assert 'Traceback' not in errors, errors
    return process.returncode, out.splitlines()


def interrupt(process):
    """Send SIGINT to a listener, which runs until then."""
    process.send_signal(signal.SIGINT)
    return ends(process)


pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.timeout(120)]


def test_a_broadcast_reaches_every_host_and_no_other_port(network):
    listeners = [network.listen(host, '--count', '45') for host in '23']
    other_port = network.listen('3', port=PORT + 1)
    ends(network.send(f'10.77.0.255:{PORT}'))
    for listener in listeners:
        code, lines = ends(listener)
        assert code == 0 and len(lines) >= 45
    assert interrupt(other_port)[0] == 1


def test_a_multicast_reaches_the_hosts_that_joined_its_group_only(network):
    for host in '23':
        network.inside(host, 'ip', 'route', 'add', '239.0.0.0/8', 'dev', 'eth0')
    listeners = [
        network.listen(host, '--host', f'10.77.0.{host}', '--multicast', GROUP, '--count', '45')
        for host in '23']
    other = network.listen('3', '--host', '10.77.0.3', '--multicast', '239.7.7.8')
    ends(network.send(f'{GROUP}:{PORT}', interface='eth0'))
    for listener in listeners:
        code, lines = ends(listener)
        assert code == 0 and len(lines) >= 45
    assert interrupt(other)[0] == 1


def test_a_multicast_over_ipv6_is_received(network):
    for host in '12':  # Until the addresses are known to be unique.
        network.wait_until(lambda host=host: 'tentative' not in network.inside(
            host, 'ip', '-6', 'address', 'show', 'dev', 'eth0', 'scope', 'link'))
    listener = network.listen('2', '--multicast', 'ff02::7:7%eth0', '--count', '45')
    ends(network.send(f'[ff02::7:7]:{PORT}', interface='eth0'))
    code, lines = ends(listener)
    assert code == 0 and len(lines) >= 45


def test_sending_resumes_automatically_when_an_interface_returns(network):
    listener = network.listen('2', '--json')
    sender = network.send(f'10.77.0.255:{PORT},{GROUP}:{PORT}', seconds=4.0, interface='eth0')
    lines = [listener.stdout.readline()]
    network.inside('1', 'ip', 'link', 'set', 'eth0', 'down')
    time.sleep(1.0)
    network.inside('1', 'ip', 'link', 'set', 'eth0', 'up')
    while '"seq":199,' not in lines[-1]:
        lines.append(listener.stdout.readline())
        assert lines[-1], 'the listener has not ended'
    _, printed = ends(sender)
    interrupt(listener)
    numbers = [int(line.split('"seq":')[1].split(',')[0]) for line in lines]
    gaps = [later - earlier for earlier, later in zip(numbers, numbers[1:])]
    assert max(gaps) > 20, 'the interface was down'
    assert numbers[-1] > 150, 'datagrams sent after that were received'
    refused = int(printed[-1].split()[-1])
    assert refused > 20
    assert sum('was not sent' in line for line in printed) == 2, 'one warning for each target'
