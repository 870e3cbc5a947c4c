# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The parameters of the node that locates detections, each declared once."""

from __future__ import annotations

from dataclasses import dataclass

from udp_infer_ros.errors import SettingError
from udp_infer_ros.parameter import param, ParameterSet
from udp_infer_ros.settings import Transport


@dataclass(frozen=True, kw_only=True)
class PositionSettings(ParameterSet):
    """All parameters of udp_infer_3d."""

    transport: Transport = param('auto', (
        'raw: sensor_msgs/Image on depth. compressed: sensor_msgs/CompressedImage on '
        '<depth>/compressedDepth. auto: whichever is published, raw if both are.'))
    rectified: bool = param(False, (
        'true: the detections are in a rectified image (image_rect), so that P of camera_info '
        'applies. false: K and the distortion of camera_info apply.'), change='live')
    min_depth_m: float = param(
        0.1, 'Shorter distances are invalid.', unit='m', low=0.01, high=1000.0, change='live')
    max_depth_m: float = param(
        20.0, 'Longer distances are invalid.', unit='m', low=0.01, high=1000.0, change='live')
    max_difference_s: float = param(0.05, (
        'Largest difference between the stamps of detections and of their depth image.'),
        unit='s', low=0.0, high=10.0, change='live')
    max_wait_s: float = param(0.1, (
        'How long detections wait for a depth image that arrives after them; 0: not at all.'),
        unit='s', low=0.0, high=10.0, change='live')
    autostart: bool = param(True, (
        'Configure and activate the node at start. false leaves this to a lifecycle manager.'),
        change='start')

    def validate(self) -> None:
        """
        Check rules between fields.

        :raises SettingError: if one is broken.
        """
        if self.min_depth_m >= self.max_depth_m:
            raise SettingError(
                'min_depth_m', self.min_depth_m,
                f'must be below max_depth_m, which is {self.max_depth_m}', 'set both')
