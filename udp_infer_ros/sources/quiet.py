# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Logs of libraries, which this package replaces by errors of its own."""

from __future__ import annotations

import os

import cv2

OPENCV_LOG_FATAL = 1
FFMPEG_LOG_LEVEL = 'OPENCV_FFMPEG_LOGLEVEL'
FFMPEG_LOG_QUIET = '-8'


def silence_opencv() -> None:
    """
    Disable the output of OpenCV and FFmpeg on stderr, some of which contains passwords.

    Call it at import: FFmpeg reads its level only once per process.
    """
    # OpenCV 5 moved the function.
    set_level = getattr(cv2, 'setLogLevel', None) or cv2.utils.logging.setLogLevel
    set_level(OPENCV_LOG_FATAL)
    os.environ.setdefault(FFMPEG_LOG_LEVEL, FFMPEG_LOG_QUIET)
