# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Run the tests of the lanes beside each other and print the sums.

    python3 dev/test.py [--fast] [-- arguments for pytest]

The output of each part goes to build/test-<lane>-<part>.log and is printed if a test failed. The
last line is always the sum of all lanes, '12 passed, 0 failed, 1 skipped'.
"""

from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import subprocess
import sys
import time
from typing import List, Tuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / 'build'


# The runs of pytest in a lane: the core as if ROS were not installed, the ROS interface, and the
# launch files, which can only be tested where launch is installed.
PARTS = {
    'core': (['test', '--ignore=test/ros', '--ignore=test/launch',
              '--ignore=test/fuzz/ros'],
             {'UDP_INFER_WITHOUT_ROS': '1'}),
    'ros': (['test/ros', 'test/fuzz/ros'], {}),
    'launch': (['test/launch'], {}),
}
NO_TEST_CHOSEN = 5


def run_lane(lane: str, arguments: List[str]) -> Tuple[int, int, int]:
    """
    Run pytest in the environment of a lane.

    :param lane: 'jazzy' or 'kilted'
    :param arguments: for pytest
    :return: how many tests passed, failed and were skipped
    """
    begin_s = time.monotonic()
    # Separate from env.sh, because this may take a minute and prints its progress.
    if subprocess.run([sys.executable, ROOT / 'dev' / 'bootstrap.py', lane]).returncode:
        return 0, 1, 0
    counts = [run_part(lane, part, arguments) for part in PARTS]
    passed, failed, skipped = (sum(column) for column in zip(*counts))
    print(f'{lane}: {passed} of {passed + failed + skipped} passed '
          f'({time.monotonic() - begin_s:.0f} s)', flush=True)
    return passed, failed, skipped


def run_part(lane: str, part: str, arguments: List[str]) -> Tuple[int, int, int]:
    """
    Run pytest for one part of a lane.

    :param lane: 'jazzy' or 'kilted'
    :param part: a key of PARTS
    :param arguments: for pytest
    :return: how many tests passed, failed and were skipped
    """
    name = f'test-{lane}-{part}'
    log, results = BUILD / f'{name}.log', BUILD / f'{name}.xml'
    results.unlink(missing_ok=True)
    paths, more_env = PARTS[part]
    command = ['bash', '-c', 'source dev/env.sh && exec python -m pytest "$@"', lane, '--quiet',
               '--tb=short', f'--junit-xml={results}', *paths, *arguments]
    env = {**os.environ, 'PYTHON': sys.executable, 'ROS': lane, 'UDP_INFER_ROS_LANE': lane,
           **more_env}
    with log.open('w') as output:
        code = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                              stdout=output, stderr=subprocess.STDOUT).returncode
    passed, failed, skipped = count(results)
    if code not in (0, NO_TEST_CHOSEN) and not failed:
        # No test failed, but pytest did: it was killed, or a module could not be imported.
        failed = 1
    if failed:
        print(log.read_text(errors='replace'))
    return passed, failed, skipped


def count(results: Path) -> Tuple[int, int, int]:
    """
    Read the counts of a JUnit file.

    :param results: the file; if it is missing, there are no tests
    :return: how many tests passed, failed and were skipped
    """
    passed = failed = skipped = 0
    cases = ElementTree.parse(results).iter('testcase') if results.is_file() else ()
    for case in cases:
        if case.find('failure') is not None or case.find('error') is not None:
            failed += 1
        elif case.find('skipped') is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main(arguments: List[str]) -> int:
    """
    Run the lanes.

    :param arguments: the command line
    :return: the exit code: 0 if tests ran and none failed
    """
    more = arguments[arguments.index('--') + 1:] if '--' in arguments else []
    fast = '--fast' in arguments
    lanes = {'jazzy': ['-m', 'not slow']} if fast else {
        'jazzy': ['-m', 'not once'], 'kilted': []}
    BUILD.mkdir(exist_ok=True)
    # The tests spend half of their time waiting. Each run of pytest has its own ROS domain.
    with ThreadPoolExecutor() as threads:
        counts = list(threads.map(run_lane, lanes, [given + more for given in lanes.values()]))
    passed, failed, skipped = (sum(column) for column in zip(*counts))
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
