# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Triton and MLServer with the bundled model, in environments of their own under build/.

    python bench/model_servers.py       # creates the environments

Triton is that of the wheel nvidia-pytriton, whose Python backend needs a Python with a shared
library.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import sys
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / 'bench' / 'servers'
MODEL = ROOT / 'udp_infer_ros' / 'models' / 'nanodet_g_416.onnx'
PYTHONS = (sys.executable, 'python3.12', 'python3.11', 'python3.10', '/usr/bin/python3')
LIBRARY = """
import sys, sysconfig
name = sysconfig.get_config_var('INSTSONAME')
if (3, 8) <= sys.version_info[:2] <= (3, 12) and '.so' in name:
    print(sysconfig.get_config_var('LIBDIR'), name)
"""

sys.path.insert(0, str(ROOT / 'bench'))
from environment import create  # noqa: E402, I100


def python_with_library() -> Optional[tuple[str, Path]]:
    """Return a Python for Triton, and the folder of its shared library; None if there is none."""
    for python in PYTHONS:
        found = shutil.which(python)
        words = subprocess.run(
            [found, '-c', LIBRARY], capture_output=True, text=True).stdout.split() if found else []
        if words and Path(*words).exists():
            assert found is not None
            return found, Path(words[0])
    return None


def create_environments() -> None:
    """Create the environments; without a Python for Triton, only that of MLServer."""
    create('mlserver', HERE / 'requirements-mlserver.txt')
    python = python_with_library()
    if python is not None:
        create('triton', HERE / 'requirements-triton.txt', python[0])


class Server:
    """
    A process that serves the bundled model as `detector`.

    :param folder: for its files and its log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.ports = _free_ports(3)

    @property
    def uri(self) -> str:
        """Return the model.id."""
        return f'grpc://127.0.0.1:{self.ports[0]}/detector'

    def start(self) -> None:
        """Start the process, without waiting until it is ready."""
        command, environment = self._command()
        with (self._folder / 'log').open('ab') as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)

    def kill(self) -> None:
        """Kill the process and its children, as kill -9 does."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _command(self) -> tuple[list[str], dict[str, str]]:
        raise NotImplementedError


class Triton(Server):
    """
    Triton with a dynamic batcher.

    :param model: the ONNX file.
    :param config: the text of config.pbtxt.
    """

    def __init__(
        self, folder: Path, model: Path = MODEL,
        config: str = (HERE / 'triton' / 'config.pbtxt').read_text(encoding='utf-8'),
    ) -> None:
        super().__init__(folder)
        shutil.copytree(HERE / 'triton', folder / 'repository' / 'detector')
        shutil.copy(model, folder / 'repository' / 'detector' / '1' / 'model.onnx')
        (folder / 'repository' / 'detector' / 'config.pbtxt').write_text(config, encoding='utf-8')

    def _command(self) -> tuple[list[str], dict[str, str]]:
        found = python_with_library()
        assert found is not None
        [packages] = (ROOT / 'build' / 'triton' / 'lib').glob('python3.*/site-packages')
        server = packages / 'pytriton' / 'tritonserver'
        backends = self._folder / 'backends'
        if not backends.exists():
            version = packages.parent.name.removeprefix('python')
            shutil.copytree(server / 'backends', backends)
            shutil.copy(server / 'python_backend_stubs' / version / 'triton_python_backend_stub',
                        backends / 'python')
        command = [
            str(server / 'bin' / 'tritonserver'),
            f'--model-repository={self._folder / "repository"}',
            f'--backend-directory={backends}', '--allow-metrics=false',
            '--grpc-address=127.0.0.1', f'--grpc-port={self.ports[0]}',
            '--http-address=127.0.0.1', f'--http-port={self.ports[1]}']
        return command, {
            **os.environ, 'PYTHONPATH': str(packages),
            'LD_LIBRARY_PATH': f'{packages / "nvidia_pytriton.libs"}:{found[1]}'}


class MLServer(Server):
    """MLServer with a runtime of a few lines."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        shutil.copytree(HERE / 'mlserver', folder, dirs_exist_ok=True)
        shutil.copy(MODEL, folder / 'model.onnx')
        ports = dict(zip(('grpc_port', 'http_port', 'metrics_port'), self.ports))
        (folder / 'settings.json').write_text(
            json.dumps({'host': '127.0.0.1', 'parallel_workers': 0, **ports}))

    def _command(self) -> tuple[list[str], dict[str, str]]:
        return [str(ROOT / 'build' / 'mlserver' / 'bin' / 'mlserver'), 'start', '.'], {
            name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


if __name__ == '__main__':
    create_environments()
