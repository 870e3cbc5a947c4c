# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
The usual script inside Roboflow's InferencePipeline, which reads the source and has a UDPSink.

bench/peers/compare.py runs it in an environment of its own. The model and the tracker are those of
usual_script.py, because the pipeline loads models of its vendor only.
"""

from argparse import ArgumentParser

from inference import InferencePipeline
from inference.core.interfaces.stream.sinks import UDPSink
from usual_script import Detector, to_message, Tracker


def main():
    """Process a video or stream until its end."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument('source')
    parser.add_argument('model')
    parser.add_argument('port', type=int)
    parser.add_argument('--threads', type=int, default=0)
    arguments = parser.parse_args()
    detector, tracker = Detector(arguments.model, arguments.threads), Tracker()

    def process(frames):
        results = []
        for frame in frames:
            found = tracker.update(detector(frame.image))
            results.append(to_message(frame.frame_id - 1, frame.image, found, detector.names))
        return results

    sink = UDPSink.init(ip_address='127.0.0.1', port=arguments.port)
    pipeline = InferencePipeline.init_with_custom_logic(
        video_reference=arguments.source, on_video_frame=process,
        on_prediction=sink.send_predictions)
    pipeline.start()
    pipeline.join()


if __name__ == '__main__':
    main()
