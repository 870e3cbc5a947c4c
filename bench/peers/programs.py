# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The programs that are compared, each in an environment of its own under build/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
import os
from pathlib import Path
import subprocess

from environment import create

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ROOT / 'bench' / 'peers'
VERSIONS = ('onnxruntime', 'opencv-python', 'opencv-python-headless', 'numpy', 'supervision',
            'trackers', 'inference-cpu')
VERSIONS_CODE = """
import importlib.metadata, json, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that reads a source, and sends its results to a port as JSON."""

    name: str
    script: str = ''
    """In this folder; empty for the executable `udp_infer`."""
    environment: str = ''
    """The folder of its environment in build/; empty for that of this process."""
    live_arguments: tuple[str, ...] = ()
    """Arguments for a live source."""
    live_only: bool = False
    """Whether it differs from another program with live sources only."""

    @property
    def python(self) -> Path:
        """Return the interpreter."""
        folder = ROOT / 'build' / (self.environment or os.environ['ROS'])
        return folder / 'bin' / 'python'

    def install(self) -> str:
        """Create the environment; return why that failed, or an empty text."""
        if self.environment:
            name = self.environment.partition('-')[2]
            try:
                create(self.environment, HERE / f'requirements-{name}.txt')
            except (OSError, subprocess.CalledProcessError) as error:
                return f'not installed: {error}'
        return ''

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the packages that matter."""
        found: dict[str, str] = json.loads(subprocess.run(
            [self.python, '-c', VERSIONS_CODE, *VERSIONS], env=self.variables(), check=True,
            capture_output=True, text=True).stdout)
        return found

    def command(
        self, source: str, model: Path, port: int, threads: int, *, live: bool,
    ) -> list[str]:
        """Return the command line."""
        if self.script:
            return [str(self.python), str(HERE / self.script), source, str(model), str(port),
                    '--threads', str(threads), *(self.live_arguments if live else ())]
        parameters = {
            # It divides the cores between the frames of a file itself; --threads is their number.
            'source.uri': source, 'model.id': str(model),
            'udp.targets': f'["127.0.0.1:{port}"]', 'udp.max_bytes': 65507}
        words = [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
        return ['udp_infer', '--ros-args', '--log-level', 'WARN', *words]

    def variables(self) -> dict[str, str]:
        """Return the environment variables: those of ROS for our own environment only."""
        if not self.environment:
            return dict(os.environ)
        inherited = {name: os.environ[name] for name in ('HOME', 'LANG', 'PATH')
                     if name in os.environ}
        return {**inherited, 'TELEMETRY_OPT_OUT': 'True', 'METRICS_ENABLED': 'False'}


PROGRAMS = (
    Program(name='udp_infer'),
    Program(name='the usual script', script='usual_script.py', environment='peers-script'),
    Program(
        name='the same, newest frame of a stream', script='usual_script.py',
        environment='peers-script', live_arguments=('--newest',), live_only=True),
    Program(
        name='the usual script, older packages', script='usual_script.py',
        environment='peers-script-jazzy'),
    Program(
        name='InferencePipeline and UDPSink', script='inference_script.py',
        environment='peers-inference'))
