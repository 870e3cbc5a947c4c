# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Launches in processes of their own, and packages that are not installed."""

import contextlib
import json
import os
from pathlib import Path
import re
import signal
import subprocess
import sys

ROOT = Path(__file__).resolve().parents[1]
ONE, MULTI = ROOT / 'launch/udp_infer.launch.py', ROOT / 'launch/udp_infer_multi.launch.py'
LOCATED = ROOT / 'launch/udp_infer_3d.launch.py'
EXAMPLES = ROOT / 'examples/launch'

# launch changes the logger class of its process, so it is not imported in that of pytest.
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    AnyLaunchDescriptionSource(sys.argv[1]),
    launch_arguments=[argument.split(':=', 1) for argument in sys.argv[2:]])]))
sys.exit(service.run())
"""

PARENT = """
from launch import LaunchDescription
from launch.actions import ExecuteProcess, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
from launch_ros.actions import PushRosNamespace, SetParameter, SetParametersFromFile


def generate_launch_description():
    return LaunchDescription([{before}GroupAction([{actions}IncludeLaunchDescription(
        AnyLaunchDescriptionSource({path!r}), launch_arguments={arguments!r})])])
"""


def start(path, *, env=None, **arguments):
    """Start a launch file in a process; its output is that of launch and of the nodes."""
    return subprocess.Popen(
        [sys.executable, '-c', LAUNCH, str(path),
         *(f'{name}:={value}' for name, value in arguments.items())],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **(env or {})}, start_new_session=True)


@contextlib.contextmanager
def running(path, *, env=None, **arguments):
    """Run a launch file until the end of the block, then interrupt it; it must exit with 0."""
    process = start(path, env=env, **arguments)
    try:
        yield process
        output = interrupt(process)
        assert process.returncode == 0, output
    finally:
        stop(process)


def interrupt(process):
    """Interrupt a launch until it ends; return the rest of its output."""
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        # launch loses a signal that arrives while it processes the exit of a process.
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)[0]
    raise AssertionError('launch does not end')


def stop(process):
    """Kill a launch and its nodes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def run(path, *, env=None, **arguments):
    """Run a launch file until it ends; return its exit code and output."""
    process = start(path, env=env, **arguments)
    try:
        output, _ = process.communicate(timeout=40)
    finally:
        stop(process)
    return process.returncode, output


def write_parent(folder, path, *actions, before='', **arguments):
    """Write a launch file that includes another, after these actions in the same group."""
    parent = folder / 'parent.launch.py'
    parent.write_text(PARENT.format(
        before=before, actions=''.join(f'{action}, ' for action in actions), path=str(path),
        arguments=list(arguments.items())))
    return parent


def write_executable(prefix, package, name, code):
    """Write a Python program that `launch_ros` finds as an executable of a package."""
    marker = prefix / 'share/ament_index/resource_index/packages' / package
    executable = prefix / 'lib' / package / name
    for path in (marker, executable):
        path.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    executable.write_text(f'#!{sys.executable}\n{code}')
    executable.chmod(0o755)
    return {'AMENT_PREFIX_PATH': f'{prefix}{os.pathsep}{os.environ["AMENT_PREFIX_PATH"]}'}


def read_until(process, pattern):
    """Read the output of a launch until a line matches; return the match."""
    read = []
    for line in process.stdout:
        read.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    raise AssertionError(''.join(read))


def lines_of_the_node(output):
    """Return what the node logged, without the lines of launch."""
    return [line for line in output.splitlines() if line.startswith('[udp_infer-')]


def show_arguments(path):
    """Return the description of each argument that a launch file declares."""
    shown = subprocess.run(
        [sys.executable, '-c', SHOW, str(path)], check=True, text=True, capture_output=True)
    return dict(json.loads(shown.stdout))


SHOW = """
import json
import sys
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
declared = source.try_get_launch_description_without_context().get_launch_arguments()
print(json.dumps([(action.name, action.description) for action in declared]))
"""
