# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Datagrams arrive where they should and nowhere else, and nothing that a network does hurts."""

import json
from pathlib import Path
import shutil
import socket
import subprocess
import sys
import threading
import time

from helpers import make_result
import numpy as np
import pytest
from udp_infer_ros.errors import SettingError
from udp_infer_ros.outputs import udp
from udp_infer_ros.outputs.udp import resolve_targets, UdpOutput
from udp_infer_ros.settings import UdpSettings
from udp_infer_ros.stats import Stats

pytestmark = pytest.mark.timeout(20)
IMAGE = np.zeros((480, 640, 3), dtype=np.uint8)


@pytest.fixture
def receivers():
    """Open two receivers on ports of the system's choice."""
    opened = []
    for _ in range(2):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind(('127.0.0.1', 0))
        receiver.settimeout(2.0)
        opened.append(receiver)
    yield opened
    for receiver in opened:
        receiver.close()


def make_output(*targets, stats=None, **settings):
    """Make an output to these targets."""
    chosen = UdpSettings(targets=targets, **settings)
    return UdpOutput(chosen, resolve_targets(targets), stats or Stats())


def target_of(receiver):
    """Write a receiver's address as in udp.targets."""
    return f'127.0.0.1:{receiver.getsockname()[1]}'


def test_every_target_gets_the_same_datagram_and_nobody_else_any(receivers):
    bystander = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bystander.bind(('127.0.0.1', 0))
    bystander.settimeout(0.1)
    output = make_output(*map(target_of, receivers))
    output.tell(make_result(3), IMAGE)
    one, two = (receiver.recv(65535) for receiver in receivers)
    assert one == two and json.loads(one)['frame_id'] == 11
    with pytest.raises(TimeoutError):
        bystander.recv(65535)
    output.close()
    bystander.close()


def test_a_frame_without_objects_is_sent_too(receivers):
    output = make_output(target_of(receivers[0]))
    output.tell(make_result(0), IMAGE)
    assert json.loads(receivers[0].recv(65535))['predictions'] == []
    output.close()


def test_a_large_frame_arrives_whole(receivers):
    output = make_output(target_of(receivers[0]))
    output.tell(make_result(100), IMAGE)
    first = json.loads(receivers[0].recv(65535))
    messages = [first] + [
        json.loads(receivers[0].recv(65535)) for _ in range(first['udp_infer']['parts'] - 1)]
    assert sum(len(message['predictions']) for message in messages) == 100
    output.close()


def test_a_broadcast_address_is_a_target_like_any_other():
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    receiver.bind(('', 0))
    receiver.settimeout(2.0)
    output = make_output(f'127.255.255.255:{receiver.getsockname()[1]}')
    output.tell(make_result(1), IMAGE)
    assert json.loads(receiver.recv(65535))['frame_id'] == 11
    output.close()
    receiver.close()


def test_nobody_listening_neither_raises_nor_loses_for_others(receivers):
    free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    free.bind(('127.0.0.1', 0))
    dead = target_of(free)
    free.close()
    stats = Stats()
    output = make_output(dead, target_of(receivers[0]), stats=stats)
    for _ in range(10):
        output.tell(make_result(1), IMAGE)
    for _ in range(10):
        receivers[0].recv(65535)
    assert stats.snapshot().errors == {}
    output.close()


WITHOUT_A_NETWORK = """
import logging, sys
import numpy as np
sys.path[:0] = sys.argv[1:]
from test_udp import IMAGE, make_output, make_result, Stats
logging.basicConfig(stream=sys.stdout, format='%(message)s')
stats = Stats()
output = make_output('10.1.2.3:9', '127.0.0.1:9', stats=stats)
for _ in range(3):
    output.tell(make_result(1), IMAGE)
print(sorted(stats.snapshot().errors.items()))
"""


def test_a_datagram_that_the_network_refuses_is_counted_by_target():
    alone = ['unshare', '--net', '--map-root-user']
    if not shutil.which('unshare') or subprocess.run([*alone, 'true']).returncode:
        pytest.skip('this machine does not let a test have a network of its own')
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [*alone, sys.executable, '-c', WITHOUT_A_NETWORK, here, here.parent, here.parent.parent],
        capture_output=True, text=True, timeout=30)
    *warnings, counts = done.stdout.splitlines()
    assert counts == "[('udp 10.1.2.3:9', 3), ('udp 127.0.0.1:9', 3)]", done.stderr
    assert len(warnings) == 2, 'one for each target, the others are held back'
    assert 'to 10.1.2.3:9 was not sent: [Errno 101] Network is unreachable' in warnings[0]


def test_other_targets_hold_from_the_next_result_on(receivers):
    output = make_output(target_of(receivers[0]))
    output.configure(UdpSettings(), resolve_targets([target_of(receivers[1])]))
    output.tell(make_result(1), IMAGE)
    receivers[1].recv(65535)
    receivers[0].settimeout(0.1)
    with pytest.raises(TimeoutError):
        receivers[0].recv(65535)
    output.close()


def test_a_host_that_moves_is_followed_and_one_that_is_unknown_for_a_while_is_kept(
        receivers, monkeypatch, caplog):
    ports = [receiver.getsockname()[1] for receiver in receivers]
    answers = [ports[0], None, ports[1]]

    def look_up(host, port, **keywords):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            raise socket.gaierror('the name server is away')
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, '', ('127.0.0.1', answer))]
    monkeypatch.setattr(udp.socket, 'getaddrinfo', look_up)
    monkeypatch.setattr(udp, 'RESOLVE_AGAIN_S', 0.1)
    monkeypatch.setattr(udp, 'FIRST_RETRY_S', 0.05)
    output = make_output('robot.local:5000')
    assert output.targets[0].address == ('127.0.0.1', ports[0])
    deadline_s = time.monotonic() + 10
    while output.targets[0].address[1] != ports[1]:
        assert time.monotonic() < deadline_s
        output.tell(make_result(1), IMAGE)
        time.sleep(0.01)
    output.tell(make_result(1), IMAGE)
    for receiver in receivers:
        assert json.loads(receiver.recv(65535))['frame_id'] == 11
    assert any("the host 'robot.local' is not known" in text for text in caplog.messages)
    output.close()


def test_there_is_no_thread_where_all_targets_are_addresses(receivers):
    before = set(threading.enumerate())
    output = make_output(target_of(receivers[0]))
    assert set(threading.enumerate()) <= before
    output.close()


def test_an_unknown_interface_is_refused_with_those_known():
    udp.check_interface('lo')
    udp.check_interface('')
    with pytest.raises(SettingError, match='must be a network interface .* it has .*lo'):
        udp.check_interface('nosuch0')


def test_without_targets_nothing_is_opened():
    output = make_output()
    output.tell(make_result(1), IMAGE)
    output.close()


def test_an_ipv6_address_stands_in_brackets():
    [target] = resolve_targets(['[::1]:5000'])
    assert target.family == socket.AF_INET6 and target.address[:2] == ('::1', 5000)


@pytest.mark.parametrize('text', [
    '127.0.0.1', '127.0.0.1:', ':5000', '127.0.0.1:0', '127.0.0.1:65536', '127.0.0.1:70000',
    '127.0.0.1:-1', '127.0.0.1:http', '127.0.0.1:5000 ', '127.0.0.1:\u0665'])
def test_a_malformed_target_is_refused(text):
    with pytest.raises(SettingError) as caught:
        resolve_targets([text])
    assert str(caught.value) == (
        f'udp.targets = [{text!r}]: {text!r} must be host:port with a port from 1 to 65535; '
        "write '192.168.1.7:37020' or '[fd00::7]:37020', for example")


def test_an_unknown_host_is_refused():
    with pytest.raises(SettingError, match="the host 'no-such-host.invalid' is not known"):
        resolve_targets(['no-such-host.invalid:5000'])
