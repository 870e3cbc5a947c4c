# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Datagrams arrive at every target and nowhere else, whatever the network does."""

import errno
import json
import os
from pathlib import Path
import shutil
import socket
import subprocess
import sys
import threading
import time

from helpers import make_result, target_of
import numpy as np
import pytest
from udp_infer_ros.errors import SettingError
from udp_infer_ros.health import Level
from udp_infer_ros.outputs import udp
from udp_infer_ros.outputs.udp import check_interface, resolve_targets, UdpOutput
from udp_infer_ros.settings import Settings

pytestmark = pytest.mark.timeout(20)
IMAGE = np.zeros((480, 640, 3), dtype=np.uint8)
REFUSED = '192.0.2.1:9'
"""A target that the network refuses to send to, in tests that use `PartialNetwork`."""


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


class PartialNetwork(socket.socket):
    """A socket without a route to one address."""

    def sendto(self, data, address):
        """Send, or raise as the system does."""
        if address[0] == '192.0.2.1':
            raise OSError(errno.ENETUNREACH, 'Network is unreachable')
        return super().sendto(data, address)


def settings_with(*targets, **values):
    """Make settings with these targets and other values of the group udp."""
    return Settings().with_values(
        {'udp.targets': targets, **{f'udp.{name}': value for name, value in values.items()}})


def change(output, settings, previous=None):
    """Prepare and commit settings as the engine does."""
    # The model does not concern this output.
    output.prepare(settings, previous=previous, model=None)()


def make_output(*targets, **values):
    """Make an output to these targets."""
    output = UdpOutput()
    change(output, settings_with(*targets, **values))
    return output


def source_port(receiver):
    """Receive a datagram; return the port that it was sent from."""
    return receiver.recvfrom(65535)[1][1]


def test_every_target_gets_the_same_datagram_and_no_other_socket_any(receivers):
    bystander = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bystander.bind(('127.0.0.1', 0))
    bystander.settimeout(0.1)
    output = make_output(*map(target_of, receivers))
    output.write(make_result(3), IMAGE)
    one, two = (receiver.recv(65535) for receiver in receivers)
    assert one == two and json.loads(one)['frame_id'] == 11
    with pytest.raises(TimeoutError):
        bystander.recv(65535)
    output.close()
    bystander.close()


def test_a_frame_without_objects_is_sent_too(receivers):
    output = make_output(target_of(receivers[0]))
    output.write(make_result(0), IMAGE)
    assert json.loads(receivers[0].recv(65535))['predictions'] == []
    output.close()


def test_a_frame_with_many_objects_arrives_in_full(receivers):
    output = make_output(target_of(receivers[0]))
    output.write(make_result(100), IMAGE)
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
    output.write(make_result(1), IMAGE)
    assert json.loads(receiver.recv(65535))['frame_id'] == 11
    output.close()
    receiver.close()


def test_a_target_without_a_receiver_raises_nothing_and_loses_nothing_for_others(receivers):
    unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unused.bind(('127.0.0.1', 0))
    closed = target_of(unused)
    unused.close()
    output = make_output(closed, target_of(receivers[0]))
    for _ in range(10):
        output.write(make_result(1), IMAGE)
    for _ in range(10):
        receivers[0].recv(65535)
    health = output.health()
    assert health.level == Level.OK
    assert health.values[f'errors {closed}'] == 0
    assert health.values[f'sent {target_of(receivers[0])}'] == 10
    output.close()


def test_health_is_a_warning_while_some_targets_fail_and_an_error_while_all_fail(
        receivers, monkeypatch, caplog):
    monkeypatch.setattr(udp.socket, 'socket', PartialNetwork)
    target = target_of(receivers[0])
    settings = settings_with(REFUSED, target)
    output = UdpOutput()
    change(output, settings)
    output.write(make_result(1), IMAGE)
    health = output.health()
    assert (health.name, health.level) == ('udp', Level.WARN)
    assert health.message == (
        f'cannot send to {REFUSED}; check the network; sending resumes automatically')
    assert health.values == {
        'payload': 'full', f'sent {REFUSED}': 0, f'errors {REFUSED}': 1,
        f'sent {target}': 1, f'errors {target}': 0}
    change(output, settings_with(REFUSED), previous=settings)
    output.write(make_result(1), IMAGE)
    assert output.health().level == Level.ERROR
    assert output.health().level == Level.OK, 'no error since the previous call'
    assert len(caplog.messages) == 1, 'one warning in ten seconds'
    output.close()


WITHOUT_A_NETWORK = """
import logging, sys
import numpy as np
sys.path[:0] = sys.argv[1:]
from test_udp import IMAGE, make_output, make_result
logging.basicConfig(stream=sys.stdout, format='%(message)s')
output = make_output('10.1.2.3:9', '127.0.0.1:9')
for _ in range(3):
    output.write(make_result(1), IMAGE)
values = output.health().values
print(sorted(item for item in values.items() if item[0].startswith('errors')))
"""


def test_a_datagram_that_the_network_refuses_is_counted_by_target():
    alone = ['unshare', '--net', '--map-root-user']
    if not shutil.which('unshare') or subprocess.run([*alone, 'true']).returncode:
        pytest.skip('this machine does not allow a test to create a network namespace')
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [*alone, sys.executable, '-c', WITHOUT_A_NETWORK, here, here.parent, here.parent.parent],
        capture_output=True, text=True, timeout=30)
    *warnings, counts = done.stdout.splitlines()
    assert counts == "[('errors 10.1.2.3:9', 3), ('errors 127.0.0.1:9', 3)]", done.stderr
    assert len(warnings) == 2, 'one for each target; the others are suppressed'
    assert 'to 10.1.2.3:9 was not sent: [Errno 101] Network is unreachable' in warnings[0]


def test_new_targets_apply_from_the_next_result_on(receivers):
    output = make_output(target_of(receivers[0]))
    change(output, settings_with(target_of(receivers[1])),
           previous=settings_with(target_of(receivers[0])))
    output.write(make_result(1), IMAGE)
    receivers[1].recv(65535)
    receivers[0].settimeout(0.1)
    with pytest.raises(TimeoutError):
        receivers[0].recv(65535)
    output.close()


def test_a_change_that_is_prepared_but_not_committed_changes_nothing(receivers):
    output = make_output(target_of(receivers[0]))
    output.prepare(
        settings_with(payload='roboflow'), previous=settings_with(target_of(receivers[0])),
        model=None)
    output.write(make_result(1), IMAGE)
    assert 'udp_infer' in json.loads(receivers[0].recv(65535))
    output.close()


def test_a_change_is_refused_before_anything_has_changed(receivers):
    before = settings_with(target_of(receivers[0]))
    output = UdpOutput()
    change(output, before)
    for after in (settings_with('127.0.0.1', payload='roboflow'),
                  settings_with(target_of(receivers[1]), interface='nosuch0')):
        with pytest.raises(SettingError):
            output.prepare(after, previous=before, model=None)
    output.write(make_result(1), IMAGE)
    assert 'udp_infer' in json.loads(receivers[0].recv(65535))
    output.close()


@pytest.mark.parametrize('values', [
    {'payload': 'roboflow'}, {'max_bytes': 9000}, {'overflow': 'truncate'}])
def test_the_source_port_stays_when_the_format_changes(receivers, values):
    target = target_of(receivers[0])
    output = make_output(target)
    output.write(make_result(1), IMAGE)
    port = source_port(receivers[0])
    change(output, settings_with(target, **values), previous=settings_with(target))
    output.write(make_result(1), IMAGE)
    assert source_port(receivers[0]) == port
    output.close()


def test_the_source_port_stays_when_a_target_is_added(receivers):
    one, two = map(target_of, receivers)
    output = make_output(one)
    output.write(make_result(1), IMAGE)
    port = source_port(receivers[0])
    change(output, settings_with(one, two), previous=settings_with(one))
    output.write(make_result(1), IMAGE)
    assert source_port(receivers[0]) == source_port(receivers[1]) == port
    output.close()


def test_the_source_port_stays_when_another_target_is_refused(receivers, monkeypatch):
    monkeypatch.setattr(udp.socket, 'socket', PartialNetwork)
    output = make_output(REFUSED, target_of(receivers[0]))
    output.write(make_result(1), IMAGE)
    output.write(make_result(1), IMAGE)
    assert source_port(receivers[0]) == source_port(receivers[0])
    output.close()


def test_only_new_names_are_looked_up(monkeypatch):
    looked_up = []
    real = socket.getaddrinfo

    def look_up(host, port, **keywords):
        looked_up.append(host)
        return real('127.0.0.1', port, **keywords)
    monkeypatch.setattr(udp.socket, 'getaddrinfo', look_up)
    first = settings_with('robot.local:5000')
    second = settings_with('robot.local:5000', 'screen.local:5000')
    output = UdpOutput()
    change(output, first)
    change(output, first.with_values({'annotate.trails': False}), previous=first)
    change(output, second, previous=first)
    change(output, second.with_values({'udp.payload': 'roboflow'}), previous=second)
    assert looked_up == ['robot.local', 'screen.local']
    assert [target.text for target in output.targets] == list(second.udp.targets)
    output.close()


def test_a_changed_address_of_a_host_is_followed_and_a_failed_look_up_keeps_the_last_one(
        receivers, monkeypatch, caplog):
    ports = [receiver.getsockname()[1] for receiver in receivers]
    answers = [ports[0], None, ports[1]]

    def look_up(host, port, **keywords):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            raise socket.gaierror('the name server does not answer')
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, '', ('127.0.0.1', answer))]
    monkeypatch.setattr(udp.socket, 'getaddrinfo', look_up)
    monkeypatch.setattr(udp, 'RESOLVE_AGAIN_S', 0.1)
    monkeypatch.setattr(udp, 'FIRST_RETRY_S', 0.05)
    output = make_output('robot.local:5000')
    assert output.targets[0].address == ('127.0.0.1', ports[0])
    output.write(make_result(1), IMAGE)
    deadline_s = time.monotonic() + 10
    while output.targets[0].address[1] != ports[1]:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    output.write(make_result(1), IMAGE)
    for receiver in receivers:
        assert json.loads(receiver.recv(65535))['frame_id'] == 11
    assert any("the host 'robot.local' is unknown" in text for text in caplog.messages)
    output.close()


def test_addresses_need_no_look_up_thread(receivers):
    before = set(threading.enumerate())
    output = make_output(target_of(receivers[0]))
    assert set(threading.enumerate()) <= before
    output.close()


def test_an_unknown_interface_is_refused_with_the_known_ones():
    check_interface('lo')
    check_interface('')
    with pytest.raises(SettingError, match='must be a network interface .* use one of .*lo'):
        check_interface('nosuch0')


def test_without_targets_nothing_is_opened():
    before = set(os.listdir('/proc/self/fd'))
    output = make_output()
    output.write(make_result(1), IMAGE)
    assert set(os.listdir('/proc/self/fd')) <= before
    health = output.health()
    assert (health.level, health.message) == (Level.OK, 'off: udp.targets is empty')
    output.close()


def test_close_ends_the_look_ups_and_closes_the_sockets(receivers):
    threads, files = set(threading.enumerate()), set(os.listdir('/proc/self/fd'))
    output = make_output(f'localhost:{receivers[0].getsockname()[1]}')
    output.write(make_result(1), IMAGE)
    started = set(threading.enumerate()) - threads
    assert [thread.name for thread in started] == ['udp_infer resolver']
    output.close()
    for thread in started:
        thread.join(5.0)
        assert not thread.is_alive()
    assert set(os.listdir('/proc/self/fd')) <= files


def test_an_ipv6_address_is_written_in_brackets():
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
    with pytest.raises(SettingError, match="the host 'no-such-host.invalid' is unknown"):
        resolve_targets(['no-such-host.invalid:5000'])
