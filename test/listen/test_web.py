# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The server of udp_infer_listen --web: who may use it, what it sends, and its limits."""

import asyncio
import http.client
import json
import re
import subprocess
import sys
from urllib.parse import urlsplit

from helpers import make_result, wait_until
import pytest
from udp_infer_ros.listen.message import Message
from udp_infer_ros.listen.web.access import Access
from udp_infer_ros.listen.web.board import Board, MAX_SOURCES
from udp_infer_ros.outputs.payload import encode
from web_helpers import datagram, url_of

pytestmark = [pytest.mark.once, pytest.mark.timeout(60)]

BOX = ('person', 0.9, 100, 100, 40, 80, 1)
PICTURE = 'http://camera.example:8080/stream;x'


@pytest.fixture
def start_web(start):
    """Start listeners with a page; skip without aiohttp."""
    pytest.importorskip('aiohttp')
    return lambda *arguments: start('--web', '0', *arguments)


def get(url, path='/', **headers):
    """Request a path; return the status, the headers and the body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request('GET', path, headers=headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


@pytest.mark.parametrize('host, origin, allowed', [
    ('127.0.0.1:8090', None, True), ('localhost:8090', 'http://localhost:8090', True),
    ('[::1]:8090', 'http://[::1]:8090', True), ('10.0.0.7:8090', 'http://10.0.0.7:8090', True),
    ('robot.lan:8090', 'http://robot.lan:8090', True), ('evil.example:8090', None, False),
    ('localhost.evil.example', None, False), ('127.0.0.1:8090', 'http://evil.example', False),
    ('127.0.0.1:8090', 'http://127.0.0.1:1', False), ('127.0.0.1:8090', 'null', False),
    ("127.0.0.1:1'; script-src *", None, False), ('', None, False), (None, None, False)])
def test_only_requests_to_an_address_or_an_own_name_are_answered(host, origin, allowed):
    assert Access('robot.lan', None).is_allowed(host, origin) == allowed


def test_a_page_of_another_host_gets_nothing(start_web):
    url = url_of(start_web())
    assert get(url)[0] == 200
    for path in ('/', '/updates', '/recording.jsonl', '/datagram/1'):
        assert get(url, path, Host='evil.example')[0] == 403
        assert get(url, path, Origin='http://evil.example')[0] == 403


def test_the_page_may_load_only_its_own_files_and_the_background(start_web):
    listener = start_web('--background', PICTURE + '?topic=/image')
    policy = get(url_of(listener))[1]['Content-Security-Policy']
    rules = dict(rule.strip().split(' ', 1) for rule in policy.split(';'))
    assert rules['default-src'] == "'none'" and rules['script-src'] == "'self'"
    assert rules['img-src'] == "'self' http://camera.example:8080/stream%3Bx"


@pytest.mark.parametrize('url', [
    'javascript:alert(1)', 'file:///etc/passwd', 'http://', "http://x'; script-src *",
    'http://user:secret@camera/', 'http://camera:port/', 'data:image/png,'])
def test_a_background_that_is_not_a_plain_web_address_is_refused(url):
    with pytest.raises(ValueError):
        Access('127.0.0.1', url)


def test_a_server_that_others_can_reach_is_announced(start_web):
    url_of(listener := start_web())
    assert 'other machines' not in listener.stderr.read_text()
    # The fixture binds to 127.0.0.1; the last --host counts.
    listener = start_web('--host', '0.0.0.0')
    wait_until(lambda: '--host = 0.0.0.0: other machines can open the page' in
               listener.stderr.read_text())


def test_without_aiohttp_the_error_says_what_to_install():
    code = ("import sys; sys.modules['aiohttp'] = None\n"
            'from udp_infer_ros.listen.command import main\n'
            "sys.exit(main(['--port', '0', '--web']))")
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert done.stderr == (
        '--web needs aiohttp: pip install aiohttp, or apt install python3-aiohttp\n')


def test_a_port_in_use_and_a_refused_background_are_errors_of_one_line(start_web, run):
    port = urlsplit(url_of(start_web())).port
    for arguments, start in (
            (('--web', port), f'--web = {port}: '),
            (('--web', '0', '--background', 'ftp://x'), '--background = ftp://x: '),
            (('--web', '0', '--background', 'http://me:hidden@x/y'),
             '--background = http://***@x/y: has a user or password')):
        done = run('--host', '127.0.0.1', '--port', '0', *arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(start)


def test_the_saved_messages_are_a_recording(start_web, run, tmp_path):
    listener = start_web()
    url = url_of(listener)
    for seq in (1, 2):
        listener.send(datagram(seq, boxes=[BOX]))
    wait_until(lambda: get(url, '/recording.jsonl')[2].count(b'\n') == 2)
    path = tmp_path / 'saved.jsonl'
    path.write_bytes(get(url, '/recording.jsonl')[2])
    done = run('--replay', path, '--lines')
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2
    assert '[person#1 0.90 at 100,100 40x80]' in done.stdout


def test_twenty_pages_get_the_last_frame_and_one_that_does_not_read_loses_updates(start_web):
    listener = start_web()
    frames = 200

    async def read(session, url, hold=None):
        numbers = []
        async with session.ws_connect(url + 'updates', max_msg_size=0) as page:
            if hold is not None:
                await hold.wait()
            async for message in page:
                # Parsing a thousand objects in twenty pages would take most of the time.
                if message.data.startswith('{"kind":"frame"'):
                    numbers.append(int(re.search(r'"seq":(\d+)', message.data)[1]))
                if numbers[-1:] == [frames]:
                    break
        return numbers  # A page that does not answer pings for long is disconnected.

    async def read_all(url):
        import aiohttp
        hold = asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, read_bufsize=1024) as session:
            slow = asyncio.ensure_future(read(session, url, hold))
            fast = [asyncio.ensure_future(read(session, url)) for _ in range(19)]
            await asyncio.sleep(0)
            sending = asyncio.get_running_loop().run_in_executor(None, send)
            results = await asyncio.gather(*fast)
            await sending
            hold.set()
            return results, await slow

    def send():
        for seq in range(1, frames + 1):
            for part in encode(make_result(1000, seq=seq)):
                listener.send(part)

    results, slow = asyncio.run(read_all(url_of(listener)))
    assert len(results) == 19 and all(numbers[-1] == frames for numbers in results)
    assert slow == sorted(slow) and len(slow) < frames


def test_forged_addresses_do_not_fill_the_board():
    board = Board(lambda: 10.0)
    for number in range(3 * MAX_SOURCES):
        message = Message.parse(datagram(1, source=f'camera {number}'), '10.0.0.1:5', number)
        board.add_message(message)
        board.add_frame(message.frame)
    updates = dict(board.updates_since({}))
    numbers = json.loads(updates['sources'].text)['numbers']
    assert numbers == list(range(2 * MAX_SOURCES + 1, 3 * MAX_SOURCES + 1))
    assert {name for name in updates if name.startswith('frame')} == {
        f'frame {number}' for number in numbers}


def test_numbers_that_are_not_json_are_sent_as_unknown():
    board = Board(lambda: 12.0)
    data = datagram(1).replace(b'"total": 20.0', b'"total": NaN')
    message = Message.parse(data.replace(b'"inference": 15.0', b'"inference": 1e999'), 'a:1', 10.0)
    board.add_frame(message.frame)
    board.add_seconds()
    updates = dict(board.updates_since({}))
    assert json.loads(updates['frame 1'].text)['latency_ms'] is None
    assert json.loads(updates['seconds 1'].text)['latency_ms'] == {}


def test_the_plots_have_the_frames_losses_and_latency_of_each_second():
    clock = [102.0]
    board = Board(lambda: clock[0])
    for seq, received_s in ((1, 100.1), (2, 100.6), (5, 101.2)):
        board.add_frame(Message.parse(datagram(seq), 'a:1', received_s).frame)
    board.add_seconds()
    state = json.loads(dict(board.updates_since({}))['seconds 1'].text)
    assert (state['ago_s'], state['frames'], state['lost']) == ([2, 1], [2, 1], [0, 2])
    assert state['latency_ms'] == {
        'inference': [15.0, 15.0], 'track': [5.0, 5.0], 'total': [20.0, 20.0]}
    clock[0] = 300.0
    board.add_seconds()
    state = json.loads(dict(board.updates_since({}))['seconds 1'].text)
    assert state['frames'] == [] and state['silent_s'] == pytest.approx(198.8)
