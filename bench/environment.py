# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Create build/peers, a virtual environment with the other trackers, if it is not up to date."""

from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).resolve().parent.parent
TRACKERS = ROOT / 'bench' / 'requirements-tracking.txt'
ATTEMPTS = 3
"""Downloads may fail; pip keeps those that are complete."""


def create(name: str, requirements: Path, python: str = sys.executable) -> Path:
    """
    Create or replace build/<name>, unless the same requirements are installed in it.

    :return: the folder of the environment.
    :raises CalledProcessError: if it cannot be installed.
    """
    folder = ROOT / 'build' / name
    installed = folder / requirements.name
    if not installed.is_file() or installed.read_bytes() != requirements.read_bytes():
        subprocess.run([python, '-m', 'venv', '--clear', folder], check=True)
        install = [
            folder / 'bin' / 'python', '-m', 'pip', 'install', '--quiet',
            '--disable-pip-version-check', '-r', requirements]
        for _ in range(ATTEMPTS - 1):
            if subprocess.run(install).returncode == 0:
                break
        else:
            subprocess.run(install, check=True)
        installed.write_bytes(requirements.read_bytes())
    return folder


if __name__ == '__main__':
    create('peers', TRACKERS)
