# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""What `make demo`, `make demo-3d` and `make bench` print."""

import json
import os
from pathlib import Path
import random
import subprocess
import sys

from domain import claim_domain, DOMAINS
from helpers import write_clip
import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = """
import sys
sys.path.insert(0, sys.argv[1])
import demo
_, _, clip, out = sys.argv
demo.clip_path = lambda: clip
sys.argv[1:] = ['--out', out]
sys.exit(demo.main())
"""
DEMO_3D = """
import sys
sys.path[:0] = sys.argv[1:3]
import demo_3d
demo_3d.FRAMES = 15
sys.argv[1:] = ['--out', sys.argv[3]]
demo_3d.main()
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def run(code, *arguments, **env):
    """Run code to its end; return its output."""
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=100, env={**os.environ, **env})
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_demo_copies_the_clip_and_explains_its_figures(tmp_path):
    clip = write_clip(tmp_path / 'short.avi', frames=60, fps=25.0, step=3)
    # In the domain of the other tests, their nodes are still listed for a while.
    domain, lock = claim_domain(random.sample(DOMAINS, len(DOMAINS)))
    with lock:
        output = run(DEMO, ROOT / 'dev', clip, tmp_path / 'out', ROS_DOMAIN_ID=str(domain))
    assert (tmp_path / 'out' / 'clip.mp4').read_bytes() == clip.read_bytes()
    assert 'frames       60 in the clip, 60 on the topic, 60 by UDP' in output
    assert '0 frames have other detections on the topic than by UDP' in output
    assert 'total is more than the sum of the stages: ' in output
    assert 'out/clip.mp4' in output
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert summary['frames_that_differ_between_topic_and_datagrams'] == 0


def test_make_demo_prints_what_it_does_how_long_and_how_large_before_it_begins():
    done = subprocess.run(
        ['make', '--no-print-directory', '-n', 'demo'], cwd=ROOT, capture_output=True, text=True)
    first, second, *commands = done.stdout.splitlines()
    assert 'detects and tracks' in first and 'minute' in first + second and 'GB' in second
    assert 'demo.py' in commands[-1]


def test_the_demo_of_positions_locates_every_detection_within_two_percent(tmp_path):
    domain, lock = claim_domain(random.sample(DOMAINS, len(DOMAINS)))
    with lock:
        run(DEMO_3D, ROOT / 'dev', ROOT / 'test', tmp_path, ROS_DOMAIN_ID=str(domain))
    figures = json.loads((tmp_path / 'positions.json').read_text())
    assert figures['messages'] == 15
    assert figures['positions'] == figures['detections'] > 30
    assert figures['error_of_distance_p95_in_parts_of_2_percent_or_2_cm'] <= 1.0
    assert (tmp_path / 'positions.png').stat().st_size > 10_000
