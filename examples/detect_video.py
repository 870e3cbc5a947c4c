# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Detect and track objects in a video without ROS, and print a JSON object for each frame."""

from argparse import ArgumentParser
import signal
import sys
import time

from udp_infer_ros.engine import Engine
from udp_infer_ros.errors import SettingError, UdpInferError
from udp_infer_ros.outputs.callback import CallbackOutput
from udp_infer_ros.outputs.payload import to_json
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.open import make_source
import yaml


def main() -> None:
    """Process the video of the command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('video')
    parser.add_argument('parameters', nargs='*', default=[], metavar='parameter=value')
    arguments = parser.parse_args()
    values = dict(map(parse, arguments.parameters))
    settings = Settings().with_values({'source.uri': arguments.video, **values})
    source = make_source(settings.source, time.time_ns)
    source.open()
    engine = Engine.load(
        settings, [CallbackOutput(lambda result, image: print(to_json(result), flush=True))])
    engine.start(source)
    engine.wait()
    engine.close()


def parse(text: str) -> tuple[str, object]:
    """Split parameter=value."""
    name, _, value = text.partition('=')
    try:
        return name, yaml.safe_load(value)
    except (ValueError, yaml.YAMLError) as error:
        raise SettingError(name, value, 'must be a YAML value', 'e.g. 0.5 or [car]') from error


if __name__ == '__main__':
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)  # Ctrl-C and `| head` end the program quietly.
    try:
        main()
    except UdpInferError as error:
        sys.exit(str(error))
