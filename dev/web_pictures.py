# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Pictures of the page of udp_infer_listen, for the demo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
import json
import os
from pathlib import Path
import re
import shutil
import socket
import subprocess
import time
from typing import Any

INTERVAL_S = 0.03
REFRESH_MS = 600
"""More than the interval in which the page updates its texts and plots."""
SHOTS = {
    'page.png': {'viewport': {'width': 1120, 'height': 860}, 'color_scheme': 'light'},
    'page_dark.png': {'viewport': {'width': 1120, 'height': 860}, 'color_scheme': 'dark'},
    'page_phone.png': {'viewport': {'width': 390, 'height': 844}, 'color_scheme': 'light'},
}
"""The pictures, and the options of their browser."""


def take_pictures(datagrams: Sequence[dict[str, Any]], out: Path) -> tuple[list[str], str]:
    """
    Show datagrams on the page as if two cameras had sent them, and take pictures of it.

    :param datagrams: the messages of a clip.
    :param out: folder of the pictures.
    :return: their names, and otherwise why there are none.
    """
    if find_chromium() is None:
        return [], 'chromium is not installed (apt install chromium)'
    for package in ('aiohttp', 'playwright'):
        if find_spec(package) is None:
            return [], f'{package} is not installed (pip install {package})'
    with open_page() as (_, port, url):
        if not url:
            return [], 'the page did not start'
        _shoot(url, datagrams, port, out)
    return list(SHOTS), ''


def find_chromium() -> str | None:
    """Return the path of chromium, which Debian and Ubuntu name differently; None without it."""
    return shutil.which('chromium') or shutil.which('chromium-browser')


@contextmanager
def open_page() -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Run a listener with its page; yield it, its UDP port and the URL, empty if it failed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    listener = subprocess.Popen(
        ['udp_infer_listen', '--host', '127.0.0.1', '--port', str(port), '--web', '0'],
        stderr=subprocess.PIPE, text=True)
    try:
        assert listener.stderr is not None
        found = re.match(r'page: (\S+)', listener.stderr.readline())
        yield listener, port, found[1] if found else ''
    finally:
        listener.terminate()
        listener.communicate()


def start_chromium(playwright: Any) -> Any:
    """Start chromium, which has no sandbox for root; return the browser."""
    return playwright.chromium.launch(
        executable_path=find_chromium(), args=['--no-sandbox'] if os.geteuid() == 0 else [])


def _shoot(url: str, datagrams: Sequence[dict[str, Any]], port: int, out: Path) -> None:
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)
        pages = {name: browser.new_page(**options)
                 for name, options in SHOTS.items()}
        for page in pages.values():
            page.goto(url)
            page.wait_for_selector('#status.connected')
        _send(datagrams, port)
        next(iter(pages.values())).wait_for_timeout(REFRESH_MS)
        for name, page in pages.items():
            page.screenshot(path=out / name, full_page=name == 'page_phone.png')
        browser.close()


def _send(datagrams: Sequence[dict[str, Any]], port: int) -> None:
    """Send the first half as one camera and, at the same time, the second half as another."""
    half = len(datagrams) // 2
    cameras = {
        '/front/image_raw': datagrams[:half], '/rear/image_raw': datagrams[half:2 * half]}
    sockets = {name: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for name in cameras}
    pairs = list(zip(*cameras.values()))
    # The last pictures are those in which both have objects.
    ends = [i for i, pair in enumerate(pairs, 1) if min(len(f['predictions']) for f in pair) > 1]
    for frames in pairs[:max(ends, default=len(pairs))]:
        for (name, opened), frame in zip(sockets.items(), frames):
            named = {**frame, 'udp_infer': {**frame['udp_infer'], 'source': name}}
            opened.sendto(json.dumps(named).encode(), ('127.0.0.1', port))
        time.sleep(INTERVAL_S)
    for opened in sockets.values():
        opened.close()
