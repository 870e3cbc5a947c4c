# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Files that are complete at any moment, also after a power failure."""

from __future__ import annotations

import os
from pathlib import Path

TEMPORARY = '.part'
"""Suffix of a file that is being written."""


def write_file(path: Path, data: bytes) -> None:
    """
    Write a file under another name, and rename it when its content is on the disk.

    :raises OSError: if that is impossible; then the file is as before.
    """
    part = path.with_name(path.name + TEMPORARY)
    try:
        with open(part, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Write the names of the files in a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(folder: Path) -> int:
    """Return the size of the files below a folder, bytes."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue  # Removed by another process meanwhile.
    return total
