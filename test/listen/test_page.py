# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The page of udp_infer_listen --web in chromium: what a user is shown and can do."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import zlib

from helpers import wait_until
import pytest
from web_helpers import datagram, url_of

pytestmark = [pytest.mark.once, pytest.mark.timeout(90)]

PERSON = ('person', 0.9, 160, 120, 80, 120, 7)
CAR = ('car', 0.5, 480, 300, 100, 60, 8)
HOSTILE = '<script>document.title="run"</script><img src=x onerror="document.title=1">\x1b\u202e'
EDGES = """([x, y, width, height]) => {
    // How many of the pixels of the four edges of a box are drawn, as a share.
    const canvas = document.querySelector('canvas.picture');
    const scale = canvas.width / 640, context = canvas.getContext('2d');
    const points = [];
    for (let i = 0.3; i < 1; i += 0.05) {
        points.push([x - width / 2 + i * width, y + height / 2],
                    [x - width / 2, y - height / 2 + i * height],
                    [x + width / 2, y - height / 2 + i * height]);
    }
    const drawn = points.filter(([px, py]) => context.getImageData(
        Math.floor(px * scale), Math.floor(py * scale), 1, 1).data[3] > 128);
    return drawn.length / points.length;
}"""


@pytest.fixture(scope='module')
def browser():
    """Start chromium."""
    pytest.importorskip('aiohttp')
    api = pytest.importorskip('playwright.sync_api')
    chromium = shutil.which('chromium') or shutil.which('chromium-browser')
    if chromium is None:
        pytest.skip('chromium is not installed: apt install chromium')
    sandbox = ['--no-sandbox'] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Open the page of a listener; fail if it has an error or breaks its own policy."""
    contexts, errors = [], []

    def open_one(listener, **options):
        context = browser.new_context(**{'viewport': {'width': 1000, 'height': 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on('pageerror', lambda error: errors.append(str(error)))
        page.on('console', lambda message: errors.append(message.text)
                if 'Content Security Policy' in message.text else None)
        page.goto(url_of(listener))
        page.wait_for_selector('#status.connected')
        return page
    yield open_one
    for context in contexts:
        context.close()
    assert errors == []


def wait_for_frame(page, frame_id):
    """Wait until a frame is drawn."""
    page.wait_for_selector(f'canvas.picture[data-frame="{frame_id}"]')


def share_drawn(page, box):
    """Return which share of the edges of a box is drawn."""
    return page.evaluate(EDGES, list(box[2:6]))


def test_boxes_stand_where_the_datagram_says(start, open_page):
    listener = start('--web', '0')
    page = open_page(listener)
    listener.send(datagram(1, boxes=[PERSON, CAR]))
    wait_for_frame(page, 1)
    assert share_drawn(page, PERSON) == share_drawn(page, CAR) == 1.0
    moved = (*PERSON[:2], 300, 120, 80, 120, 7)
    assert share_drawn(page, moved) == 0.0
    listener.send(datagram(2, boxes=[moved]))
    wait_for_frame(page, 2)
    assert share_drawn(page, moved) == 1.0
    assert share_drawn(page, PERSON) < 0.1 and share_drawn(page, CAR) == 0.0
    # The trail connects the two centers, and is part transparent.
    assert page.evaluate(
        "() => { const c = document.querySelector('canvas.picture'), s = c.width / 640;"
        'return c.getContext("2d").getImageData(220 * s, 120 * s, 1, 1).data[3]; }') > 0
    page.wait_for_selector('canvas.picture[aria-label="front: 1 person"]')
    assert page.inner_text('.counts').split() == ['person', '1']


def test_the_filter_hides_classes_and_low_scores(start, open_page):
    listener = start('--web', '0')
    page = open_page(listener)
    listener.send(datagram(1, boxes=[PERSON, CAR]))
    wait_for_frame(page, 1)
    page.uncheck('#classes label:has-text("person") input')
    page.wait_for_function(f'() => ({EDGES})({list(PERSON[2:6])}) === 0')
    assert share_drawn(page, CAR) == 1.0
    page.check('#classes label:has-text("person") input')
    page.focus('#score')
    for _ in range(11):
        page.keyboard.press('ArrowRight')
    assert page.inner_text('#score-text') == '0.55'
    page.wait_for_function(f'() => ({EDGES})({list(CAR[2:6])}) === 0')
    assert share_drawn(page, PERSON) == 1.0
    assert page.inner_text('.counts').split() == ['person', '1']


def test_text_of_a_datagram_is_neither_html_nor_control_characters(start, open_page):
    listener = start('--web', '0')
    page = open_page(listener)
    listener.send(datagram(
        1, boxes=[(HOSTILE, *PERSON[1:])], source=HOSTILE,
        latency_ms={'total': 1.0, HOSTILE: 1.0, '__proto__': 1.0}))
    wait_for_frame(page, 1)
    page.click('summary')
    page.wait_for_function('() => document.querySelector("pre").textContent.includes("script")')
    page.wait_for_function('() => document.querySelectorAll(".legend span").length > 1')
    assert page.title() == 'udp_infer'
    assert page.evaluate('() => document.querySelectorAll("main script, main img").length') == 0
    shown = page.inner_text('body') + page.get_attribute('canvas.picture', 'aria-label')
    assert '<script>' in shown and '\x1b' not in shown and '\u202e' not in shown
    assert '\\u202e' in page.inner_text('pre')
    assert json.loads(page.text_content('pre'))['udp_infer']['source'] == HOSTILE


def test_two_senders_are_side_by_side_and_a_silent_one_has_its_age(start, open_page):
    listener = start('--web', '0')
    page = open_page(listener)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rear:
        rear.sendto(datagram(1, boxes=[CAR], source='rear'), ('127.0.0.1', listener.port))
        page.wait_for_selector('.source h2:has-text("rear")')
        listener.send(datagram(1, boxes=[PERSON]))
        page.wait_for_selector('.source h2:has-text("front")')
        addresses = page.locator('.address').all_inner_texts()
        ports = [opened.getsockname()[1] for opened in (rear, listener.socket)]
        assert addresses == [f'127.0.0.1:{port}' for port in ports]
        tops = [page.locator('.source').nth(i).bounding_box()['y'] for i in (0, 1)]
        assert tops[0] == tops[1]
        page.wait_for_selector('.source.silent:has-text("rear")')
        listener.send(datagram(2, boxes=[PERSON]))
        page.wait_for_selector('.source:not(.silent):has-text("front")')
        assert page.locator('.source.silent .state').first.inner_text().startswith('silent for ')


def test_the_page_connects_again_after_the_listener_restarted(start, open_page):
    listener = start('--web', '0')
    page = open_page(listener)
    listener.send(datagram(1, boxes=[PERSON]))
    wait_for_frame(page, 1)
    port = url_of(listener).rstrip('/').rpartition(':')[2]
    listener.kill(signal.SIGTERM)
    listener.finish()
    page.wait_for_selector('#status.lost')
    again = start('--web', port)
    page.wait_for_selector('#status.connected')
    again.send(datagram(5, boxes=[CAR], source='rear'))
    wait_for_frame(page, 5)
    assert page.locator('.source h2').all_inner_texts() == ['rear']


def test_a_paused_page_stays_and_continues_with_the_last_frame(start, open_page):
    listener = start('--web', '0')
    page, other = open_page(listener), open_page(listener)
    listener.send(datagram(1, boxes=[PERSON]))
    wait_for_frame(page, 1)
    page.focus('#pause')
    page.keyboard.press('Enter')
    for seq in (2, 3):
        listener.send(datagram(seq, boxes=[CAR]))
        wait_for_frame(other, seq)
    assert page.get_attribute('canvas.picture', 'data-frame') == '1'
    assert share_drawn(page, PERSON) == 1.0
    page.keyboard.press('Enter')
    wait_for_frame(page, 3)
    assert share_drawn(page, CAR) == 1.0


def png_size(data):
    """Return the width and height of a PNG, whose data must be complete."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    start, compressed = 8, b''
    while start < len(data):
        length, kind = struct.unpack('>I4s', data[start:start + 8])
        compressed += data[start + 8:start + 8 + length] if kind == b'IDAT' else b''
        start += 12 + length
    width, height = struct.unpack('>II', data[16:24])
    assert len(zlib.decompress(compressed)) > width * height
    return width, height


def test_messages_picture_and_datagram_are_saved_and_copied(start, open_page, tmp_path, run):
    listener = start('--web', '0')
    page = open_page(listener, permissions=['clipboard-read', 'clipboard-write'])
    data = datagram(1, boxes=[PERSON])
    listener.send(data)
    wait_for_frame(page, 1)
    with page.expect_download() as saved:
        page.click('#save')
    saved.value.save_as(tmp_path / 'saved.jsonl')
    [line] = (tmp_path / 'saved.jsonl').read_text().splitlines()
    assert json.loads(line)['message'] == json.loads(data)
    with page.expect_download() as saved:
        page.click('text=Save picture')
    saved.value.save_as(tmp_path / 'saved.png')
    assert png_size((tmp_path / 'saved.png').read_bytes()) == tuple(page.evaluate(
        '() => { const c = document.querySelector("canvas.picture"); return [c.width, c.height]; }'
    ))
    page.click('summary')
    page.wait_for_function('() => document.querySelector("pre").textContent.length > 0')
    page.click('text=Copy')
    page.wait_for_selector('text=Copied')
    assert json.loads(page.evaluate('() => navigator.clipboard.readText()')) == json.loads(data)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_a_phone_shows_everything_without_scrolling_sideways(scheme, start, open_page):
    listener = start('--web', '0')
    page = open_page(
        listener, viewport={'width': 360, 'height': 740}, device_scale_factor=3, has_touch=True,
        is_mobile=True, color_scheme=scheme)
    listener.send(datagram(
        1, boxes=[PERSON, ('a name without any space ' * 6, *CAR[1:])], source='/' + 'x' * 150))
    wait_for_frame(page, 1)
    assert page.evaluate('() => document.documentElement.scrollWidth') == 360
    assert share_drawn(page, PERSON) == 1.0
    for name in ('Pause', 'Save last 2 min', 'Save picture'):
        assert page.locator(f'text="{name}"').bounding_box()['height'] >= 44


def test_every_control_can_be_reached_by_keyboard_and_has_a_name(start, open_page):
    listener = start('--web', '0')
    page = open_page(listener)
    listener.send(datagram(1, boxes=[PERSON]))
    wait_for_frame(page, 1)
    names = set()
    page.focus('#pause')
    for _ in range(7):
        names.add(page.evaluate(
            '() => (document.activeElement.labels?.[0] ?? document.activeElement).textContent'))
        page.keyboard.press('Tab')
    assert names >= {
        'Pause', 'Save last 2 min', 'Score at least', 'person', 'Save picture', 'Last datagram'}
    page.wait_for_function(
        '() => document.querySelectorAll("canvas:not([aria-label])").length === 0')


def test_a_background_is_behind_the_boxes_and_nothing_else_is_loaded(start, open_page, tmp_path):
    (tmp_path / 'picture.svg').write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"/>')
    server = subprocess.Popen(
        [sys.executable, '-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory',
         str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = server.stdout.readline().split(' port ')[1].split()[0]
        address = f'http://127.0.0.1:{port}'
        listener = start('--web', '0', '--background', f'{address}/picture.svg?topic=/image')
        page = open_page(listener)
        listener.send(datagram(1, boxes=[PERSON]))
        wait_for_frame(page, 1)
        page.wait_for_function('() => document.querySelector(".stage img").naturalWidth === 64')
        boxes = [page.locator(f'.stage {name}').bounding_box() for name in ('img', 'canvas')]
        assert boxes[0] == pytest.approx(boxes[1])
        page.click('text=Background')
        assert not page.locator('.stage img').is_visible()
    finally:
        server.kill()
        server.communicate()


def test_a_replay_has_a_time_bar_that_moves_it(start, open_page, tmp_path):
    path = tmp_path / 'recording.jsonl'
    path.write_text(''.join(json.dumps({
        'received': 1000.0 + 60 * seq, 'sender': '10.0.0.1:5',
        'message': json.loads(datagram(seq, boxes=[PERSON]))}) + '\n' for seq in range(1, 6)))
    listener = start('--web', '0', '--replay', str(path))
    page = open_page(listener)
    wait_for_frame(page, 1)
    page.wait_for_selector('text="0:00 of 4:00"')
    page.focus('#position')
    page.keyboard.press('End')
    wait_for_frame(page, 5)
    page.wait_for_selector('text="4:00 of 4:00"')
    page.keyboard.press('Home')
    wait_for_frame(page, 1)
    wait_until(lambda: listener.process.poll() is None)
    listener.kill(signal.SIGTERM)
    assert listener.finish()[0] == 0
