# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
Detect, track and send by UDP, as a program without a framework does it.

bench/peers.py runs it next to udp_infer, in environments of its own. It needs numpy, opencv,
onnxruntime and supervision, and uses `trackers` if that is installed, else sv.ByteTrack.
"""

from argparse import ArgumentParser
import ast
import json
import socket
import threading

import cv2
import numpy as np
import onnxruntime as ort
import supervision as sv
try:
    from trackers import ByteTrackTracker
except ImportError:
    ByteTrackTracker = None

CONFIDENCE, IOU = 0.4, 0.45
"""The thresholds of udp_infer."""


class Detector:
    """A YOLO network with the output (1, 4 + classes, boxes)."""

    def __init__(self, path, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])
        [first] = self.session.get_inputs()
        self.input, (self.height, self.width) = first.name, first.shape[2:]
        names = ast.literal_eval(self.session.get_modelmeta().custom_metadata_map['names'])
        self.names = np.array([names[number] for number in sorted(names)])

    def __call__(self, image):
        """Return the objects in a BGR image as sv.Detections."""
        height, width = image.shape[:2]
        scale = min(self.width / width, self.height / height)
        size = round(width * scale), round(height * scale)
        left, top = (self.width - size[0]) // 2, (self.height - size[1]) // 2
        canvas = np.full((self.height, self.width, 3), 114, np.uint8)
        canvas[top:top + size[1], left:left + size[0]] = cv2.resize(image, size)
        tensor = cv2.dnn.blobFromImage(canvas, 1.0 / 255.0, swapRB=True)
        table = self.session.run(None, {self.input: tensor})[0][0]
        best = table[4:].max(axis=0)
        table, best = table[:, best >= CONFIDENCE], best[best >= CONFIDENCE]
        class_id = table[4:].argmax(axis=0)
        center, half = table[:2].T, table[2:4].T / 2.0
        xyxy = (np.hstack((center - half, center + half)) - (left, top) * 2) / scale
        xyxy = xyxy.clip(0.0, (width, height) * 2)
        found = sv.Detections(xyxy=xyxy, confidence=best, class_id=class_id)
        return found.with_nms(IOU) if len(found) else found


class Tracker:
    """ByteTrack of `trackers`, or of older versions of supervision."""

    def __init__(self):
        self.update = sv.ByteTrack(
            track_activation_threshold=CONFIDENCE).update_with_detections if (
            ByteTrackTracker is None) else ByteTrackTracker(
            track_activation_threshold=CONFIDENCE, high_conf_det_threshold=CONFIDENCE).update


class Newest:
    """A capture whose frames are read in a thread, so that `read` returns the newest one."""

    def __init__(self, capture):
        self.capture, self.count, self.frame = capture, 0, None
        self.changed, self.ended = threading.Condition(), False
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            more, image = self.capture.read()
            with self.changed:
                self.ended = not more
                if more:
                    self.frame, self.count = (self.count, image), self.count + 1
                self.changed.notify()
                if not more:
                    return

    def read(self):
        """Return the number and the image of the newest frame; None at the end."""
        with self.changed:
            self.changed.wait_for(lambda: self.frame is not None or self.ended)
            frame, self.frame = self.frame, None
            return frame


def in_order(capture):
    """Return a function that reads the next frame."""
    numbers = iter(range(1 << 62))

    def read():
        more, image = capture.read()
        return (next(numbers), image) if more else None
    return read


def to_message(number, image, found, names):
    """Return the content of a datagram."""
    height, width = image.shape[:2]
    ids = [None] * len(found) if found.tracker_id is None else found.tracker_id.tolist()
    return {
        'frame_id': number, 'image': {'width': width, 'height': height},
        'predictions': [{
            'x': (x1 + x2) / 2.0, 'y': (y1 + y2) / 2.0, 'width': x2 - x1, 'height': y2 - y1,
            'confidence': score, 'class': name, 'class_id': class_id, 'tracker_id': track}
            for (x1, y1, x2, y2), score, class_id, name, track in zip(
                found.xyxy.tolist(), found.confidence.tolist(), found.class_id.tolist(),
                names[found.class_id].tolist(), ids)]}


def main():
    """Process a video or stream until its end."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('source')
    parser.add_argument('model')
    parser.add_argument('port', type=int)
    parser.add_argument('--threads', type=int, default=0)
    parser.add_argument('--newest', action='store_true', help='skip frames of a fast stream')
    arguments = parser.parse_args()
    detector, tracker = Detector(arguments.model, arguments.threads), Tracker()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    capture = cv2.VideoCapture(arguments.source)
    read = Newest(capture).read if arguments.newest else in_order(capture)
    while (frame := read()) is not None:
        number, image = frame
        found = tracker.update(detector(image))
        message = to_message(number, image, found, detector.names)
        sender.sendto(json.dumps(message).encode(), ('127.0.0.1', arguments.port))


if __name__ == '__main__':
    main()
