# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detect and track in several videos at once with one model, and print JSON, without ROS."""

import sys
import time

from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.engine import Engine
from udp_infer_ros.outputs.callback import CallbackOutput
from udp_infer_ros.outputs.payload import to_json
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.open import make_source

model, *videos = sys.argv[1:]
models = ModelPool(cameras=len(videos))
# Each engine writes in a thread of its own, which only the binary stream permits.
output = CallbackOutput(
    lambda result, image: sys.stdout.buffer.write(f'{to_json(result)}\n'.encode()))
engines = []
for video in videos:
    settings = Settings().with_values({'model.id': model, 'source.uri': video})
    source = make_source(settings.source, time.time_ns)
    source.open()
    engine = Engine.load(settings, [output], models=models)
    engine.start(source)
    engines.append(engine)
for engine in engines:
    engine.wait()
    engine.close()
