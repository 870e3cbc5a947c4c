# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Removal of passwords and tokens from addresses, before they are logged or published."""

from __future__ import annotations

import re

_NETWORK = r'(?:https?|ftps?|rtsp[stu]?|rtmp[a-z]{0,2}|grpcs?|srt|wss?|mms[ht]?|udp|tcp)'
# The repetitions are bounded, so that no text takes quadratic time.
_SCHEME = re.compile(rf'[a-z][a-z0-9+.-]{{0,19}}:/+|\b{_NETWORK}:', re.IGNORECASE)
_USER = re.compile(r'(?<![^\s\x27"=])[^\s/:@\x27"=]{1,256}:')
_WORD = re.compile(r'[^\s"]*"[^"]*"|\S+')
_SECRET = re.compile(
    r'((?:pas|pwd|pw|token|secret|key|auth|sig|cred|jwt|session)[\w.-]{0,40}\s{0,4}=\s{0,4})'
    r'(?:"[^"]*"|\x27[^\x27]*\x27|[^&#;\s]*)', re.IGNORECASE)
_AUTHORIZATION = re.compile(r'\b(Bearer|Basic)\s{1,4}[\w+/=.~-]{8,}', re.IGNORECASE)
_AFTER_HOST = re.compile(rf'(\b{_NETWORK}:/+[^/?\s]*)(\S+)', re.IGNORECASE)
_SEGMENT = re.compile(r'[^/?&#;=]+')
_RUN = re.compile(r'[A-Za-z0-9]{16,}')
_UUID = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', re.IGNORECASE)
_CAPITAL = re.compile(r'[a-z][A-Z]')


def redacted(text: str) -> str:
    """
    Return an address as it may be logged.

    `***` replaces user and password, with or without a scheme before them; the values of keys
    that look like a password or a token, in a query or in the properties of a GStreamer element;
    and the parts of a path or a query that look random. In doubt too much is hidden.

    :param text: a URL, a path or a GStreamer pipeline.
    """
    text = _SECRET.sub(r'\1***', _AUTHORIZATION.sub(r'\1 ***', text))
    if ' ! ' in text:
        text = _WORD.sub(lambda word: _without_user(word[0]), text)
    else:
        text = _without_user(text)
    return _AFTER_HOST.sub(_without_tokens, text)


def _without_user(text: str) -> str:
    # Up to the last @: a password that was not escaped may itself contain @, / or ?.
    head, at, host = text.rpartition('@')
    if at and (scheme := _SCHEME.search(head)):
        return f'{head[:scheme.end()]}***@{host}'
    if at and (user := _USER.search(head)):
        return f'{head[:user.start()]}***@{host}'
    return text


def _without_tokens(url: re.Match[str]) -> str:
    return url[1] + _SEGMENT.sub(
        lambda segment: '***' if _is_random(segment[0]) else segment[0], url[2])


def _is_random(text: str) -> bool:
    """Return whether a text contains an identifier that was not made of words."""
    return bool(_UUID.search(text)) or any(
        not run.isalpha() and not run.isdigit() or len(_CAPITAL.findall(run)) >= 3
        for run in _RUN.findall(text))
