# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Frames from an image topic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
import time
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from udp_infer_ros.detection.text import printable
from udp_infer_ros.errors import FrameError
from udp_infer_ros.frame import BgrImage
from udp_infer_ros.health import Level, PartHealth
from udp_infer_ros.ros.adaptive import AdaptiveSubscription, publishers_text, qos_text
from udp_infer_ros.ros.convert import (
    image_from_ros, image_from_ros_compressed, stamp_ns_from_ros)
from udp_infer_ros.ros.transport_loss import remedy, TransportLoss
from udp_infer_ros.settings import SourceSettings
from udp_infer_ros.sources.intake import Intake, RawFrame
from udp_infer_ros.sources.report import SourceReport
from udp_infer_ros.wording import counted

Decoder = Callable[[Any], BgrImage]
MESSAGES: dict[str, tuple[type, Decoder]] = {
    'raw': (Image, image_from_ros), 'compressed': (CompressedImage, image_from_ros_compressed)}
TYPES = {'raw': 'sensor_msgs/msg/Image', 'compressed': 'sensor_msgs/msg/CompressedImage'}


class TopicSource:
    """
    Subscribes to `image_raw`, or to `<image_raw>/compressed`.

    Everything runs in the node's thread, except the decoding of frames in the worker.

    :param settings: `source.*`; transport auto: the published one, raw if both are.
    """

    every_frame = False
    live = True

    def __init__(self, node: Node, settings: SourceSettings) -> None:
        self._node = node
        self._auto = settings.transport == 'auto'
        self._stall_timeout_s = settings.stall_timeout_s
        # Remap the name before the suffix is appended, as image_transport does.
        name = node.resolve_topic_name('image_raw')
        self._topics = {'raw': name, 'compressed': f'{name}/compressed'}
        self._transport: str = 'raw' if settings.transport == 'auto' else settings.transport
        self._subscription: AdaptiveSubscription | None = None
        self._frame_id: str | None = None
        self._decoded: tuple[str, str] = ('', '')
        """The topic of the first decoded image, and its format; the worker writes it."""
        self._announced = ''
        """The topic whose first image was logged."""
        self._stalled = False
        self._lost = False
        """Whether images had arrived before they stopped."""
        self._stopped = False

    @property
    def topic(self) -> str:
        """Return the topic of the subscription."""
        return self._topics[self._transport]

    @property
    def description(self) -> str:
        """Return the name of the source for logs."""
        return f'topic {self.topic}'

    def open(self) -> None:  # noqa: A003
        """Do nothing; `start` subscribes, which does not block."""

    def start(self, intake: Intake) -> None:
        """Subscribe to the topic."""
        self._intake = intake
        self._report = SourceReport(intake)
        self._loss = TransportLoss(intake.stats)
        self._subscribe()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Unsubscribe and close the intake."""
        self._stopped = True
        if self._subscription is not None:
            self._intake.close()
            self._subscription.close()
            self._subscription = None
        return True

    def poll(self) -> None:
        """Adapt to changes of the publishers, and log when images stop, resume or are lost."""
        if self._stopped:
            return
        self._subscribe()
        self._announce()
        if self._loss.poll():
            self._node.get_logger().warning(f'{self._loss.describe(self.topic)}; {remedy()}')
        stalled = self._is_silent()
        if self._stalled and not stalled and self._lost:
            self._node.get_logger().info(f'{self.description}: images arrive again')
        elif stalled and not self._stalled:
            self._lost = self._frame_id is not None
            text = self._stall_text()
            if self._is_lossy():
                text = f'{text}; {remedy()}'
            self._intake.stats.count_stall()
            self._intake.stats.record_error(text)
            self._node.get_logger().warning(text)
        self._stalled = stalled

    def health(self) -> PartHealth:
        """Return the state since the previous call, as part `source`."""
        part = self._report.health(
            self.description, self._stall_text() if self._is_silent() else None)
        lost = self._intake.stats.transport_lost
        part = replace(part, values={
            **part.values, 'dropped_transport': 'unknown' if lost is None else lost})
        if not self._loss.is_excessive:
            return part
        if part.level == Level.OK:
            part = replace(part, level=Level.WARN, message=self._loss.describe(self.topic))
        # Not in the message: `ros2 topic echo` prints the first 128 characters of each text.
        return replace(part, values={**part.values, 'remedy': remedy()})

    def _is_silent(self) -> bool:
        return self._intake.silent_s >= self._stall_timeout_s

    def _stall_text(self) -> str:
        begin = f'no image for {self._intake.silent_s:.0f} s on {self.description}'
        if self._is_lossy():
            return f'{begin}: {self._loss.describe(self.topic)}'
        other, count = self._other_type(), self._node.count_publishers(self.topic)
        fault = f'whose type is {other}' if other else f'which has {counted(count, "publisher")}'
        return f'{begin}, {fault}; {self._what_to_do(other, count)}'

    def _is_lossy(self) -> bool:
        return self._loss.is_excessive and self._node.count_publishers(self.topic) > 0

    def _other_type(self) -> str:
        """Return the type of the messages on the topic; empty if images are published there."""
        types = {item.topic_type for item in self._node.get_publishers_info_by_topic(self.topic)}
        return '' if TYPES[self._transport] in types else ', '.join(sorted(types))

    def _what_to_do(self, other: str, count: int) -> str:
        """Return the remedy for a topic with publishers of another type, of images, or none."""
        base = self._topics['raw'].removesuffix('/compressed')
        if base != self._topics['raw'] and (other == TYPES['compressed'] or not count):
            return f'remap image_raw to {base}: the compressed transport is found by itself'
        if other == TYPES['compressed']:
            return 'publish it with a name that ends with /compressed'
        if other:
            return f'remap image_raw to a topic of the type {TYPES[self._transport]}'
        return 'check QoS and network' if count else 'check the name, or remap image_raw'

    def _subscribe(self) -> None:
        """Subscribe, or subscribe again if the publishers require it."""
        transport, subscription = self._choose_transport(), self._subscription
        if subscription is not None and transport == self._transport:
            subscription.adapt()
            return
        topic = self._topics[transport]
        if subscription is not None:
            subscription.close()
            self._node.get_logger().info(f'switching to {topic}: {self.topic} has no publisher')
        message, decode = MESSAGES[transport]
        self._transport = transport
        self._subscription = AdaptiveSubscription(
            self._node, message, topic, partial(self._receive, topic, decode),
            make_lost=self._loss.make_callback)
        if self._subscription.reports_loss:
            self._intake.stats.set_transport_known(True)

    def _choose_transport(self) -> str:
        if not self._auto:
            return self._transport
        published = [
            name for name, topic in self._topics.items() if self._node.count_publishers(topic)]
        # Without publishers, keep the subscription: a publisher may restart.
        return published[0] if published else self._transport

    def _receive(self, topic: str, decode: Decoder, message: Any) -> None:
        arrival_s = time.monotonic()
        frame_id = message.header.frame_id
        if frame_id != self._frame_id:
            self._check_frame_id(frame_id)
        if topic != self._announced:
            decode = partial(self._decode_first, topic, decode)
        try:
            stamp_ns = stamp_ns_from_ros(message.header)
        except FrameError as error:
            self._intake.reject(error)
            return
        self._intake.offer(RawFrame(
            decode=partial(decode, message), stamp_ns=stamp_ns, frame_id=frame_id, source=topic,
            arrival_s=arrival_s,
            encoded=message.data if isinstance(message, CompressedImage) else None))

    def _decode_first(self, topic: str, decode: Decoder, message: Any) -> BgrImage:
        """Decode an image, and keep its format for the log; runs in the worker."""
        image = decode(message)
        height, width = image.shape[:2]
        encoding = getattr(message, 'encoding', '') or message.format
        self._decoded = topic, f'{width} x {height}, {printable(encoding)}'
        return image

    def _announce(self) -> None:
        """Log the first image of the topic, after the subscription is adapted to its publisher."""
        topic, text = self._decoded
        if topic != self.topic or topic == self._announced:
            return
        self._announced = topic
        assert self._subscription is not None
        self._node.get_logger().info(
            f'first image of topic {topic}: {text}; subscription '
            f'{qos_text(self._subscription.qos_profile)}; publishers: '
            f'{publishers_text(self._node, topic)}')

    def _check_frame_id(self, frame_id: str) -> None:
        """Warn if several cameras publish on the topic: the tracker would mix their objects."""
        before, self._frame_id = self._frame_id, frame_id
        if before is None:
            return
        count = self._node.count_publishers(self.topic)
        if count > 1:
            self._node.get_logger().warning(
                f'{self.topic} has {count} publishers, with frame_id {before!r} and '
                f'{frame_id!r}: objects of two cameras cannot be tracked together; remap one of '
                'them', once=True)
