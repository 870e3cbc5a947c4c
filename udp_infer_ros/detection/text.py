# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Text from model files and servers, made safe for logs, terminals and messages."""

from __future__ import annotations

MAX_CHARACTERS = 100
_JOINERS = '\u200c\u200d'
"""Invisible characters that the spelling of some languages needs."""
_REPLACEMENT = '\ufffd'


def printable(text: str, limit: int = MAX_CHARACTERS) -> str:
    """
    Return one line of text that any terminal and any message can contain.

    White space becomes single spaces. Control characters, changes of the writing direction and
    lone surrogates become U+FFFD.

    :param text: untrusted.
    :param limit: largest number of characters; of longer texts, the end is left out.
    """
    # The first cut bounds the time.
    line = ' '.join(text[:8 * limit].split())
    if len(line) > limit:
        line = line[:limit - 1] + '…'
    return ''.join(
        character if character.isprintable() or character in _JOINERS else _REPLACEMENT
        for character in line)
