# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Random sequences of requests, checked against a model of the node's state."""

import os
import random
import threading
import time

from helpers import FUZZ_FACTOR, write_clip, write_model, yolo_table
from lifecycle_msgs.srv import GetState
import pytest
from std_srvs.srv import SetBool, Trigger

BOXES = [(10, 20, 30, 40, 0.9, 1), (40, 20, 60, 44, 0.6, 0)]
TRANSITIONS = {
    ('unconfigured', 'configure'): 'inactive', ('inactive', 'activate'): 'active',
    ('active', 'deactivate'): 'inactive', ('inactive', 'cleanup'): 'unconfigured'}


@pytest.fixture
def model(tmp_path):
    return str(write_model(
        tmp_path / 'two.onnx', yolo_table(BOXES, 2), metadata={'names': "['person', 'car']"}))


class Model:
    """The states that the documentation promises."""

    def __init__(self):
        self.state, self.enabled, self.confidence = 'unconfigured', True, 0.4

    @property
    def running(self):
        """Return whether a source is open."""
        return self.state == 'active' and self.enabled

    def transition(self, label):
        """Return whether a transition succeeds, and make it."""
        after = TRANSITIONS.get((self.state, label))
        self.state = after or self.state
        return after is not None


def step(rng, bench, expected):
    """Make one random request and compare the response with the model."""
    choice = rng.random()
    if choice < 0.5:
        label = rng.choice(['configure', 'activate', 'deactivate', 'cleanup'])
        assert bench.transition(label) == expected.transition(label), (expected.state, label)
    elif choice < 0.75:
        data = rng.random() < 0.6
        response = bench.call(SetBool, 'enable', data=data)
        assert response.success == (expected.state == 'active')
        if response.success:
            assert response.message.startswith('already') == (data == expected.enabled)
            expected.enabled = data
    elif choice < 0.9:
        value = rng.choice([0.3, 0.5, 0.7, 7.0])
        assert bench.set_parameters(detect__confidence=value).successful == (value < 1.0)
        expected.confidence = value if value < 1.0 else expected.confidence
    elif choice < 0.95:
        value = not bench.node.settings.source.realtime
        result = bench.set_parameters(source__realtime=value)
        assert result.successful == (expected.state == 'unconfigured')
    else:
        assert bench.call(Trigger, 'reset_tracker').success == (expected.state != 'unconfigured')


def count_threads(name):
    """Return the number of running threads of this name."""
    return sum(name in thread.name for thread in threading.enumerate())


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('uri', ['', 'clip'])
def test_every_response_is_what_the_state_allows(make_bench, tmp_path, uri):
    count = round(300 * FUZZ_FACTOR)
    rng = random.Random(2026)
    values = {}
    if uri:
        clip = write_clip(tmp_path / 'clip.avi', frames=40, fps=20.0, step=5)
        values = {'source__uri': str(clip), 'source__loop': True}
    bench = make_bench(start=False, **values)
    expected, baseline = Model(), None
    for i in range(count):
        step(rng, bench, expected)
        assert count_threads('udp_infer worker') == expected.running, i
        assert bench.node.settings.detect.confidence == expected.confidence
        if i % 50 == 0:
            label = bench.call(GetState, 'get_state').current_state.label
            assert label == expected.state
        if i == count // 5:
            bench.transition('deactivate'), bench.transition('cleanup')
            expected.state = 'unconfigured'
            baseline = resources()
        time.sleep(rng.choice([0.0, 0.0, 0.001, 0.01]))
    bench.transition('deactivate'), bench.transition('cleanup')
    bench.wait_until(lambda: resources() <= baseline, because='threads and descriptors')


def resources():
    """Return the numbers of threads and of open file descriptors."""
    return threading.active_count(), len(os.listdir('/proc/self/fd'))
