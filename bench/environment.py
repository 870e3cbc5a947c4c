# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Create build/peers, a virtual environment with the other trackers, if it is not up to date."""

from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / 'build' / 'peers'
REQUIREMENTS = ROOT / 'bench' / 'requirements-tracking.txt'
INSTALLED = PEERS / REQUIREMENTS.name
"""A copy of the requirements that are installed."""

if not INSTALLED.is_file() or INSTALLED.read_bytes() != REQUIREMENTS.read_bytes():
    subprocess.run([sys.executable, '-m', 'venv', '--clear', PEERS], check=True)
    subprocess.run(
        [PEERS / 'bin' / 'python', '-m', 'pip', 'install', '--quiet',
         '--disable-pip-version-check', '-r', REQUIREMENTS], check=True)
    INSTALLED.write_bytes(REQUIREMENTS.read_bytes())
