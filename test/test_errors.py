# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Errors are one sentence in one form, and those that lose a frame carry the counter."""

import pytest
from udp_infer_ros.errors import (
    DecodeError, Drop, FrameError, ModelError, SettingError, SourceError, StaleError,
    UdpInferError)


@pytest.mark.parametrize('kind', [SettingError, ModelError, SourceError, FrameError])
def test_an_error_is_the_name_the_value_the_rule_and_the_remedy(kind):
    error = kind('model.threads', 'x', 'must be a whole number', 'use 0')
    assert isinstance(error, UdpInferError)
    assert str(error) == "model.threads = 'x': must be a whole number; use 0"
    assert (error.name, error.value, error.rule, error.remedy) == (
        'model.threads', 'x', 'must be a whole number', 'use 0')


def test_an_error_without_a_remedy_ends_after_the_rule():
    assert str(SettingError('a.b', 2, 'must be 1')) == 'a.b = 2: must be 1'


@pytest.mark.parametrize('kind, cause', [
    (FrameError, Drop.BAD_MESSAGE), (StaleError, Drop.STALE), (DecodeError, Drop.DECODE_ERROR)])
def test_an_error_of_a_frame_carries_the_cause_that_is_counted(kind, cause):
    assert issubclass(kind, FrameError)
    assert kind('image', 1, 'must be 2').cause is cause
