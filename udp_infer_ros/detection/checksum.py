# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The checksum of a model file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from udp_infer_ros.errors import ModelError
from udp_infer_ros.redact import redacted

CHUNK_BYTES = 1 << 20


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def wrong_checksum(model_id: str, *, expected: str, found: str) -> ModelError:
    """Return the error for a file with another checksum than `model.sha256`."""
    return ModelError(
        'model.sha256', expected, f'is not the checksum of {redacted(model_id)}, which is {found}',
        'use it only if you trust that file')
