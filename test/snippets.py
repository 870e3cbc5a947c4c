# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The fenced blocks of the pages, and what happens to each of them.

A block of the language sh or python is run by test/ros/test_snippets.py. A comment in the line
before it changes that:

    <!-- not run: needs the ros2 command -->    it is only checked as far as possible
    <!-- stopped at: TEXT -->                   it is ended with Ctrl-C when it prints TEXT

Blocks of yaml and json are checked. A block of text is no code. Others have to be marked.
"""

from dataclasses import dataclass
from pathlib import Path
import re

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md'), *ROOT.glob('dev/*.md')])
BLOCK = re.compile(
    r'^(?:<!-- (?P<mark>not run|stopped at): (?P<text>[^\n]+) -->\n)?'
    r'```(?P<language>\w*)\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page."""

    name: str
    """Page and line, e.g. `docs/models.md:12`."""
    language: str
    code: str
    reason: str
    """Why it is not run; empty if it is."""
    stopped_at: str
    """The text at which it is ended; empty if it ends itself."""


def read_snippets():
    """Return every fenced block of every page."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding='utf-8')
        for block in BLOCK.finditer(text):
            line = text.count('\n', 0, block.start('language')) + 1
            found.append(Snippet(
                name=f'{page.relative_to(ROOT).as_posix()}:{line}', language=block['language'],
                code=block['code'], reason=block['text'] if block['mark'] == 'not run' else '',
                stopped_at=block['text'] if block['mark'] == 'stopped at' else ''))
    return found


SNIPPETS = read_snippets()
