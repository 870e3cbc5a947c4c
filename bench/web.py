# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure the page of udp_infer_listen with 1,000 objects at 30 Hz.

    make bench-web

A process sends the frames, a listener shows them, and chromium draws them. Without a GPU, as
here, chromium draws in software on the same cores. The frames per second of the page are those
that were drawn with new objects.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
import socket
import sys
import threading
import time

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / 'test'), str(ROOT / 'dev')]

from helpers import make_result  # noqa: E402, I100
from playwright.sync_api import sync_playwright  # noqa: E402
from udp_infer_ros.outputs.payload import encode  # noqa: E402
from web_pictures import find_chromium, open_page, start_chromium  # noqa: E402

RATE_HZ = 30.0
COUNT_DRAWN = """(seconds) => new Promise((resolve) => {
    const canvas = document.querySelector('canvas.picture');
    let drawn = 0, animated = 0;
    new MutationObserver(() => drawn++).observe(
        canvas, {attributes: true, attributeFilter: ['data-frame']});
    const count = () => { animated++; requestAnimationFrame(count); };
    requestAnimationFrame(count);
    setTimeout(() => resolve([drawn / seconds, animated / seconds]), seconds * 1000);
})"""


def send(port: int, objects: int, ended: threading.Event) -> None:
    """Send frames whose numbers differ until the event is set."""
    frames = [encode(make_result(objects, seq=1, names=('person', 'car', 'bus')))] * 2
    texts = [[part.decode() for part in parts] for parts in frames]
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(('127.0.0.1', port))
    number, next_s = 1, time.monotonic()
    while not ended.is_set():
        for text in texts[number % 2]:
            sender.send(text.replace('"frame_id":11', f'"frame_id":{number}', 1).replace(
                '"seq":1,', f'"seq":{number},', 1).encode())
        number += 1
        next_s += 1.0 / RATE_HZ
        time.sleep(max(0.0, next_s - time.monotonic()))


def cpu_s(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def measure(objects: int, seconds: float) -> tuple[float, float, float]:
    """Return the frames drawn per second, the animation frames, and the listener's cores."""
    if find_chromium() is None:
        sys.exit('chromium is not installed (apt install chromium)')
    ended = threading.Event()
    with open_page() as (listener, port, url):
        sending = threading.Thread(target=send, args=(port, objects, ended))
        sending.start()
        try:
            with sync_playwright() as playwright:
                browser = start_chromium(playwright)
                page = browser.new_page(viewport={'width': 1120, 'height': 860})
                page.goto(url)
                page.wait_for_selector('canvas.picture[data-frame]')
                page.wait_for_timeout(2000)
                begin_s, begin_cpu_s = time.monotonic(), cpu_s(listener.pid)
                drawn, animated = page.evaluate(COUNT_DRAWN, seconds)
                cores = (cpu_s(listener.pid) - begin_cpu_s) / (time.monotonic() - begin_s)
                browser.close()
        finally:
            ended.set()
            sending.join()
    return drawn, animated, cores


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=15.0)
    seconds = parser.parse_args().seconds
    print(f'{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {RATE_HZ:.0f} frames/s sent')
    print(f'{"objects":>8} {"drawn/s":>8} {"animation frames/s":>19} {"listener, cores":>16}')
    for objects in (10, 100, 1000):
        drawn, animated, cores = measure(objects, seconds)
        print(f'{objects:8} {drawn:8.1f} {animated:19.1f} {cores:16.2f}', flush=True)


if __name__ == '__main__':
    main()
