# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""A recording is played at its pace, from any position."""

import io
import json
import time

import pytest
from udp_infer_ros.listen.player import Player


def recording(*times_s):
    """Return a recording with messages at these times."""
    file = io.BytesIO(b''.join(json.dumps({
        'received': time_s, 'sender': 'a:1', 'message': {'frame_id': 1, 'predictions': []},
    }).encode() + b'\n' for time_s in times_s))
    file.name = 'recording.jsonl'
    return file


def test_messages_are_played_at_the_pace_of_their_arrival():
    begin_s = time.monotonic()
    player = Player(recording(100.0, 100.2))
    datagrams = iter(player)
    assert [next(datagrams)[2], next(datagrams)[2]] == [100.0, 100.2]
    assert time.monotonic() - begin_s >= 0.2
    assert player.position_s == player.duration_s == pytest.approx(0.2)


def test_a_move_continues_at_once_at_the_first_message_from_there():
    player = Player(recording(100.0, 5000.0, 9000.0))
    moves = []
    player.on_move = lambda: moves.append(player.position_s)
    datagrams = iter(player)
    next(datagrams)
    player.move(4900.0)
    assert next(datagrams)[2] == 5000.0
    player.move(1e9)
    assert next(datagrams)[2] == 9000.0
    player.move(-1.0)
    assert next(datagrams)[2] == 100.0
    assert len(moves) == 3


def test_an_empty_recording_ends():
    assert list(Player(recording())) == []


def test_a_line_that_is_no_message_is_refused_before_anything_is_played():
    file = recording(1.0)
    file.seek(0, io.SEEK_END)
    file.write(b'{"x": 1}\n')
    file.seek(0)
    with pytest.raises(ValueError, match='line 2'):
        Player(file)
