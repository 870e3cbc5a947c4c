# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The pages: relative links, anchors and pictures exist, and every page is linked."""

from pathlib import Path
import re

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md'), *ROOT.glob('dev/*.md')])
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
FENCE = re.compile(r'^```.*?^```$', re.MULTILINE | re.DOTALL)


def name_of(path):
    """Return the path of a file in the repository."""
    return path.relative_to(ROOT).as_posix()


def links_of(path):
    """Return the targets of the links and pictures of a page, without those of the web."""
    text = FENCE.sub('', path.read_text(encoding='utf-8'))
    return [target for target in LINK.findall(text) if not target.startswith('http')]


def anchors_of(path):
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(
        r'^#+ (.+)$', FENCE.sub('', path.read_text(encoding='utf-8')), re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    for link in links_of(page):
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f'{name_of(page)}: {link}'
        assert not anchor or anchor in anchors_of(target), f'{name_of(page)}: {link}'


def test_the_readme_links_every_page():
    linked = {(ROOT / link.partition('#')[0]).resolve() for link in links_of(ROOT / 'README.md')}
    assert set(PAGES) - linked <= {ROOT / 'README.md'}
