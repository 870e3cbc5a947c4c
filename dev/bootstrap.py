#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Real ROS 2 without ROS: make the virtual environment build/jazzy or build/kilted.

    python3 dev/bootstrap.py [jazzy | kilted]

Three stages, each done again only when what it is made from has changed:

* python: a virtual environment with rclpy, Fast DDS and the rest from wheels,
* messages: vision_msgs, which has no wheel (see messages.py),
* package: udp_infer_ros itself, installed as a user's would be.

A stage leaves its stamp when it is through, so an interrupted one is done again from its start.
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
# The wheels of ROS 2 exist for these.
PYTHONS = ('3.13', '3.12', '3.11', '3.10')
# What `pip install` is given of the repository; a copy, so that setuptools leaves nothing behind.
PACKAGE = ('LICENSE', 'README.md', 'config', 'launch', 'package.xml', 'resource', 'setup.cfg',
           'setup.py', 'udp_infer_ros')
EXECUTABLES = ('udp_infer', 'udp_infer_listen')
# A ROS installation or another lane in the caller's shell must not leak into this one.
FOREIGN = ('AMENT_PREFIX_PATH', 'COLCON_PREFIX_PATH', 'LD_LIBRARY_PATH', 'PYTHONHOME',
           'PYTHONPATH', 'VIRTUAL_ENV', '_ROS_WHEELS_BOOTSTRAP_COMPLETE')


class SetupError(Exception):
    """Something a person has to put right; the text says what."""


def files_below(paths: Iterable[Path]) -> List[Path]:
    """
    List files, and those below folders, in a stable order and without Python's caches.

    :param paths: files or folders; missing ones are left out
    """
    found: List[Path] = []
    for path in paths:
        found += [path] if path.is_file() else sorted(p for p in path.rglob('*') if p.is_file())
    return [path for path in found if '__pycache__' not in path.parts]


def digest(paths: Iterable[Path], *words: str) -> str:
    """
    Hash what a stage is made from.

    :param paths: files and folders whose names and contents count
    :param words: anything else that counts
    """
    sha = hashlib.sha256('\0'.join(words).encode())
    for path in files_below(paths):
        sha.update(b'\0%s\0' % os.fsencode(path))
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def find_python() -> Tuple[str, str]:
    """
    Find an interpreter that the wheels exist for: this one, else the newest on PATH.

    :return: its path and its version, for instance '3.12'
    :raises SetupError: when there is none, or it cannot make environments or extensions
    """
    # The real path of what an environment was made with: the same from inside the environment.
    probe = ("import os, sys, sysconfig; print('%d.%d' % sys.version_info[:2]);"
             "print(os.path.realpath(getattr(sys, '_base_executable', sys.executable)));"
             "print(sysconfig.get_path('include'))")
    for name in (sys.executable, *(f'python{version}' for version in PYTHONS)):
        # Run it: version managers put launchers on PATH for versions that are not chosen.
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
            raise SetupError(f'{python} cannot make virtual environments: '
                             f'install python3-venv (or python{version}-venv) and try again')
        return python, version
    raise SetupError(f'no Python {PYTHONS[-1]} to {PYTHONS[0]} found: ROS 2 has wheels for these '
                     'only; install one and have it on PATH as python3 or python3.N')


def check_compilers() -> None:
    """
    Look for the compilers that build the messages.

    :raises SetupError: when one is missing
    """
    for variable, default in (('CC', 'cc'), ('CXX', 'c++')):
        words = shlex.split(os.environ.get(variable) or default)
        if not shutil.which(words[0]):
            raise SetupError(f'{words[0]} is missing: install a C and C++ compiler '
                             '(build-essential on Debian and Ubuntu) and try again')


class Lane:
    """
    One environment on its way to be ready.

    :param name: 'jazzy' or 'kilted'
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = ROOT / 'build' / name
        self.python = self.prefix / 'bin' / 'python'
        self.log = ROOT / 'build' / f'{name}.log'
        self.env = {key: value for key, value in os.environ.items() if key not in FOREIGN}

    def make(self) -> None:
        """Run the stages that are out of date."""
        python, version = find_python()
        check_compilers()
        requirements = [DEV / 'requirements-common.txt', DEV / f'requirements-{self.name}.txt']
        with self.locked():
            base = digest([*requirements, DEV / 'bootstrap.py'], python, version, str(self.prefix))
            with self.stage('python', base) as wanted:
                if wanted:
                    shutil.rmtree(self.prefix, ignore_errors=True)
                    self.run(python, '-m', 'venv', self.prefix)
                    self.pip('-r', requirements[-1])
            sources = [DEV / 'messages.py', DEV / 'vision_msgs']
            with self.stage('messages', digest(sources, base)) as wanted:
                if wanted:
                    self.run(self.python, DEV / 'messages.py', DEV / 'vision_msgs')
            sources = [ROOT / name for name in PACKAGE]
            with self.stage('package', digest(sources, base)) as wanted:
                if wanted and (ROOT / 'setup.py').exists():
                    self.install_package()

    def install_package(self) -> None:
        """Install udp_infer_ros with its share/ files, and its executables where ROS looks."""
        copy = self.prefix / 'package'
        shutil.rmtree(copy, ignore_errors=True)
        for path in files_below(ROOT / name for name in PACKAGE):
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        self.pip('--no-deps', '--no-build-isolation', '--force-reinstall', copy)
        shutil.rmtree(copy)
        # A wheel cannot ask for lib/<package>, which is where `ros2 run` and launch look.
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
        Run a command, its output into the log.

        :param command: program and arguments
        :raises SetupError: when it fails; the last lines of the log are shown then
        """
        words = [str(word) for word in command]
        with self.log.open('a') as log:
            print('+', *words, file=log, flush=True)
            code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, env=self.env,
                                  stderr=subprocess.STDOUT, cwd=ROOT).returncode
        if code:
            tail = self.log.read_text(errors='replace').splitlines()[-15:]
            print(*(line[:200] for line in tail), '', sep='\n', file=sys.stderr)
            raise SetupError(f'{self.name}: that was the end of {self.log.relative_to(ROOT)}; put '
                             'it right and run the same command again: what was done is kept')

    @contextlib.contextmanager
    def stage(self, name: str, made_from: str) -> Iterator[bool]:
        """
        Guard a stage with a stamp.

        :param name: the stage's name
        :param made_from: the digest of its inputs
        :return: whether there is work to do
        """
        stamp = self.prefix / f'.{name}.stamp'
        if stamp.is_file() and stamp.read_text() == made_from:
            yield False
            return
        began = time.monotonic()
        stamp.unlink(missing_ok=True)
        yield True
        stamp.write_text(made_from)
        print(f'{self.name}: {name} ready ({time.monotonic() - began:.0f} s)', flush=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second run out of this lane until the first is through."""
        self.log.parent.mkdir(exist_ok=True)
        with self.log.with_suffix('.lock').open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.log.write_text('')
            yield


def main(arguments: Sequence[str]) -> int:
    """
    Make the lanes that are named, or the one that ROS names.

    :param arguments: names of lanes
    :return: the exit code
    """
    names = list(arguments) or [os.environ.get('ROS') or LANES[0]]
    try:
        for name in names:
            if name not in LANES:
                raise SetupError(f'{name}: there are {" and ".join(LANES)}')
            Lane(name).make()
    except SetupError as error:
        print(f'dev/bootstrap.py: {error}.', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
