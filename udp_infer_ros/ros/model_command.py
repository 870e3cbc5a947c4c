# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The options of `udp_infer` about models: they print text, and start no node.

They are available without ROS, too. Only parameters need it, so it is imported for these only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
import logging
from pathlib import Path
import sys

import cv2
from udp_infer_ros.detection.concurrency import Concurrency, load_measured
from udp_infer_ros.detection.describe import (
    describe_concurrency, describe_detections, describe_model, list_models)
from udp_infer_ros.detection.detector import Detector
from udp_infer_ros.detection.pool import ModelPool
from udp_infer_ros.errors import DecodeError, SettingError, UdpInferError
from udp_infer_ros.frame import BgrImage, Detections
from udp_infer_ros.outputs.annotate import Annotator
from udp_infer_ros.settings import Settings
from udp_infer_ros.sources.picture import decode_picture
from udp_infer_ros.standard_streams import write_output

ROS_FLAGS = ('-p', '--param', '--params-file')


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """
    Print what `--list-models` or `--describe-model` asks for.

    :param words: the command line, with the parameters.
    :return: the exit code.
    """
    logging.basicConfig(format='%(message)s')
    logging.getLogger('udp_infer_ros').setLevel(logging.INFO)  # For the progress of a download.
    try:
        if options.list_models:
            write_output(list_models())
        else:
            _describe(options, words)
    except UdpInferError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _describe(options: argparse.Namespace, words: Sequence[str]) -> None:
    settings = _settings(words)
    if options.describe_model:
        settings = replace(settings, model=replace(settings.model, id=options.describe_model))
    image = _read(options.image) if options.image else None
    if options.out:
        _require_suffix(options.out)
    detector = Detector.load(settings.model)
    write_output(describe_model(detector.info))
    if not settings.model.concurrency:
        write_output(describe_concurrency(_measure(settings)))
    if image is None:
        return
    found = _detect(detector, settings, image)
    write_output(describe_detections(found))
    if options.out:
        _write(options.out, Annotator().draw(image, found, trails=False))


def _settings(words: Sequence[str]) -> Settings:
    """
    Return the settings of a command line, as the node reads them.

    Only a node can match the names in parameter files, so one is created, and destroyed at once.

    :raises SettingError: if a value is invalid.
    """
    if not any(flag in words for flag in ROS_FLAGS):
        return Settings()
    from rclpy.node import Node
    from udp_infer_ros.ros.params import given_settings, overrides, unknown, unmatched_files
    node = Node('udp_infer', enable_rosout=False, start_parameter_services=False)
    try:
        given = overrides(node)
        warnings = (
            *unknown(given, given_settings(given, Settings()).parameters()),
            *unmatched_files(words, [node.get_fully_qualified_name()]))
    finally:
        node.destroy_node()
    for text in warnings:
        print(text, file=sys.stderr)
    return given_settings(given, Settings())


def _measure(settings: Settings) -> Concurrency:
    """Return what a file would be processed with."""
    detector, concurrency = load_measured(settings.model, ModelPool())
    detector.close()
    return concurrency


def _detect(detector: Detector, settings: Settings, image: BgrImage) -> Detections:
    """Return the detections in an image, which is not modified."""
    selection = detector.selection(settings.detect, settings.detect.confidence)
    prepared = detector.prepare(image)
    return detector.read(detector.run(prepared), prepared.letterbox, selection)


def _read(name: str) -> BgrImage:
    remedy = 'give the path of a picture, e.g. a JPEG or PNG file'
    try:
        return decode_picture(Path(name).expanduser().read_bytes(), name)
    except DecodeError as error:
        raise SettingError('--image', name, error.rule, remedy) from error
    except OSError as error:
        raise SettingError(
            '--image', name, f'cannot be read: {error.strerror}', remedy) from error


def _require_suffix(name: str) -> None:
    if not cv2.haveImageWriter(name):
        raise SettingError(
            '--out', name, 'must end with the suffix of a picture', 'use .png or .jpg')


def _write(name: str, image: BgrImage) -> None:
    path = Path(name).expanduser()
    try:
        path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    except OSError as error:
        raise SettingError(
            '--out', name, f'cannot be written: {error.strerror}',
            'give a path in a folder that exists') from error
    write_output(f'drawn to {path}')
