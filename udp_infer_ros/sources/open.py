# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Creation of the source for a `source.uri`."""

from __future__ import annotations

from collections.abc import Callable
import logging
import time

from udp_infer_ros.errors import SourceError
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.base import Source
from udp_infer_ros.sources.camera import CameraSource
from udp_infer_ros.sources.file import FileSource
from udp_infer_ros.sources.uri import FINITE_KINDS, SourceUri

log = logging.getLogger(__name__)


def make_source(settings: SourceSettings, now_ns: Callable[[], int]) -> Source:
    """
    Create the source for `source.uri`, without opening it.

    :param now_ns: the clock of the stamps, nanoseconds.
    :raises SourceError: if a file or an environment variable in it does not exist.
    """
    uri = SourceUri.parse(settings.uri)
    source = (FileSource if uri.kind in FINITE_KINDS else CameraSource)(uri, settings, now_ns)
    log.debug(
        '%s is of kind %s; %s', uri.redacted, uri.kind,
        'it waits for the model (every)' if source.every_frame else
        'a newer frame replaces a waiting one (latest)')
    return source


def waits_for_model(settings: SourceSettings) -> bool:
    """Return whether the source of these settings waits for the model, as a file does."""
    try:
        return bool(settings.uri) and make_source(settings, time.time_ns).every_frame
    except SourceError:  # It is raised again when the source is opened.
        return False
