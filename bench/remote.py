# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Measure what a model on a server costs, with a Triton on this machine.

    make bench-servers

Frames: a model with the input and the output of YOLOv8 at 640 x 640 and nearly no arithmetic, so
that the difference to the local session is the serialization and the transport; beside it a loop
of `tritonclient` alone on the same tensors. Cameras: four threads with the bundled model, one call
in flight for each, or batches made on our side. The sides of a comparison take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
import sys
import tempfile
import threading
import time

import numpy as np
import onnx
import tritonclient.grpc as client

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / 'test'), str(ROOT / 'bench')]

from helpers import wait_until, write_model, yolo_table  # noqa: E402, I100
from model_servers import Triton  # noqa: E402
from udp_infer_ros.detection.backend import Backend  # noqa: E402
from udp_infer_ros.detection.pool import ModelPool  # noqa: E402
from udp_infer_ros.settings import ModelSettings  # noqa: E402

FRAMES = 200
CAMERAS = 4
TURNS, TURN_S = 4, 4.0
CONFIG = """
backend: "python"
max_batch_size: 8
input { name: "images" data_type: TYPE_KIND dims: [ 3, 640, 640 ] }
output { name: "output0" data_type: TYPE_FP32 dims: [ 84, 8400 ] }
"""


def p50_ms(sides: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median time of each function; they take turns, in random order."""
    order, random = list(sides.items()), np.random.default_rng(1)
    times_ms: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(FRAMES + 10):
        for position in random.permutation(len(order)):
            name, run = order[position]
            begin_s = time.perf_counter()
            run()
            times_ms[name].append((time.perf_counter() - begin_s) * 1e3)
    return {name: float(np.median(times[10:])) for name, times in times_ms.items()}


def frames(kind: str, element: int, dtype: type) -> None:
    """Print the time of a frame with an input of a type."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_model(
            folder / 'm.onnx', yolo_table([], 80, anchors=8400), input_type=element,
            input_shape=(1, 3, 640, 640))
        server = Triton(folder, path, CONFIG.replace('KIND', kind))
        server.start()
        try:
            _frames(kind, path, server, np.zeros((1, 3, 640, 640), dtype))
        finally:
            server.kill()


def _frames(kind: str, path: Path, server: Triton, tensor: np.ndarray) -> None:  # type: ignore
    local = ModelPool().load(ModelSettings(id=str(path), device='cpu', threads=1))
    remote = ModelPool().load(ModelSettings(
        id=server.uri, wait_for_server=True, timeout_s=20.0))
    bare = client.InferenceServerClient(f'127.0.0.1:{server.ports[0]}')

    def run_bare() -> object:
        image = client.InferInput('images', tensor.shape, kind)
        image.set_data_from_numpy(tensor)
        return bare.infer('detector', [image]).as_numpy('output0')
    found = p50_ms({
        'local': lambda: local.infer({'images': tensor}),
        'remote': lambda: remote.infer({'images': tensor}), 'bare': run_bare})
    print(f'{kind:6} {tensor.nbytes / 1e6:.1f} MB: local {found["local"]:.2f} ms, '
          f'server {found["remote"]:.2f} ms (+{found["remote"] - found["local"]:.2f} ms), '
          f'bare client {found["bare"]:.2f} ms, ratio {found["remote"] / found["bare"]:.2f}')
    local.close()
    remote.close()


def cameras() -> None:
    """Print the throughput of four cameras with one call each, and with batches on our side."""
    with tempfile.TemporaryDirectory() as name:
        server = Triton(Path(name))
        server.start()
        try:
            _cameras(server)
        finally:
            server.kill()


def _cameras(server: Triton) -> None:
    counts = {1: 0, CAMERAS: 0}
    backends = {max_batch: ModelPool(CAMERAS).load(ModelSettings(
        id=server.uri, wait_for_server=True, timeout_s=20.0, max_batch=max_batch))
        for max_batch in counts}
    for turn in range(TURNS):
        for max_batch in counts:
            counts[max_batch] += _throughput(backends[max_batch])
    for max_batch, count in counts.items():
        print(f'{CAMERAS} cameras, model.max_batch {max_batch}: '
              f'{count / TURNS / TURN_S:.1f} frames/s')
        backends[max_batch].close()


def _throughput(backend: Backend) -> int:
    end_s, counts = time.monotonic() + TURN_S, [0] * CAMERAS
    tensor = np.zeros((1, 3, 416, 416), np.float32)

    def run(camera: int) -> None:
        while time.monotonic() < end_s:
            backend.infer({'images': tensor})
            counts[camera] += 1
    threads = [threading.Thread(target=run, args=(camera,)) for camera in range(CAMERAS)]
    for thread in threads:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in threads), 60.0)
    return sum(counts)


if __name__ == '__main__':
    frames('FP32', onnx.TensorProto.FLOAT, np.float32)
    frames('UINT8', onnx.TensorProto.UINT8, np.uint8)
    cameras()
