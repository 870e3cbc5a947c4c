# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The camera motion that is estimated from images with a known motion."""

import cv2
import numpy as np
import pytest
from udp_infer_ros.frame import Detections
from udp_infer_ros.tracking.camera_motion import CameraMotion, MotionCounts, rms_px
from udp_infer_ros.tracking.motion_thread import MotionThread

SIZE = (1280, 720)
GRAY_SIZE = (640, 360)
NOTHING = Detections.empty()


def scene(seed=0):
    """Return a gray image with texture of several scales, larger than the view."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(
            rng.normal(0, 40, (1440 // step, 2560 // step)).astype(np.float32), (2560, 1440))
        for step in (8, 24, 80)]
    return np.clip(sum(layers) + 127, 0, 255).astype(np.uint8)


SCENE = scene()


def motion(shift=(0.0, 0.0), angle=0.0, scale=1.0):
    """Return a transform of the view, (2, 3), px of a view of 1280 x 720."""
    matrix = cv2.getRotationMatrix2D((640, 360), angle, scale)
    matrix[:, 2] += shift
    return matrix


def view(matrix=None, noise=0.0, image=SCENE):
    """Return the gray image of a camera that has moved, 640 x 360."""
    matrix = motion() if matrix is None else matrix
    to_view = np.array(((1, 0, -640), (0, 1, -360), (0, 0, 1)), dtype=float)
    image = cv2.warpAffine(image, matrix @ to_view, SIZE, flags=cv2.INTER_LINEAR)
    gray = cv2.resize(image, GRAY_SIZE, interpolation=cv2.INTER_AREA).astype(float)
    if noise:
        gray += np.random.default_rng(int(matrix.sum() * 1e6) % 2**32).normal(0, noise, gray.shape)
    return np.clip(gray, 0, 255).astype(np.uint8)


def estimates(*images, detections=NOTHING):
    """Return the estimate of each image, of the same camera."""
    camera, results = CameraMotion(), []
    for image in images:
        results.append(camera.estimate(image, SIZE))
        camera.accept(detections)
    return results


def box(x1, y1, x2, y2):
    """Return one detection."""
    return Detections(
        xyxy=np.array([[x1, y1, x2, y2]], dtype=np.float32),
        score=np.array([0.9], dtype=np.float32), class_id=np.zeros(1, dtype=np.intp),
        class_name=np.array(['car']), track_id=np.array([-1]))


def error_px(matrix, expected):
    """Return the difference of two transforms, RMS over the corners and the center."""
    difference = np.asarray(matrix) - expected
    return rms_px(difference + np.eye(2, 3), SIZE)


@pytest.mark.parametrize('noise', [0.0, 5.0])
@pytest.mark.parametrize('expected', [
    motion(shift=(8, -5)), motion(shift=(-40, 0)), motion(shift=(60, 30)), motion(angle=1.0),
    motion(angle=-6.0), motion(scale=1.05), motion(shift=(12, 9), angle=0.5, scale=0.97)])
def test_a_known_motion_is_estimated(expected, noise):
    _, found = estimates(view(noise=noise), view(expected, noise))
    assert found.outcome == 'moving'
    assert error_px(found.matrix, expected) < 0.3


@pytest.mark.parametrize('noise', [0.0, 5.0])
def test_a_still_camera_has_no_motion(noise):
    first, *others = estimates(*[view(noise=noise) + 0 for _ in range(3)])
    assert first.outcome == 'first' and first.matrix is None
    assert [found.outcome for found in others] == ['still', 'still']
    assert all((found.matrix == np.eye(2, 3)).all() for found in others)


def test_a_motion_below_the_deadband_is_none():
    assert estimates(view(), view(motion(shift=(0.3, 0.0))))[1].outcome == 'still'
    assert estimates(view(), view(motion(shift=(1.0, 0.0))))[1].outcome == 'moving'


def test_the_first_frame_that_moves_after_a_still_camera_is_estimated():
    *_, found = estimates(view(), view(), view(), view(motion(shift=(20, 0))))
    assert error_px(found.matrix, motion(shift=(20, 0))) < 0.3


def test_an_estimate_starts_from_the_latest_accepted_frame():
    camera = CameraMotion()
    camera.estimate(view(), SIZE)
    camera.accept(NOTHING)
    camera.estimate(view(motion(shift=(90, 90))), SIZE)  # The network failed on this frame.
    found = camera.estimate(view(motion(shift=(20, 0))), SIZE)
    assert error_px(found.matrix, motion(shift=(20, 0))) < 0.3


def test_a_detected_object_that_moves_is_no_camera_motion():
    plain, other = view(), view(image=scene(1))

    def with_object(x):
        image = plain.copy()
        image[40:340, x:x + 400] = other[40:340, :400]
        return image
    detections = box(200, 80, 1030, 680)
    images = [with_object(100), with_object(112)]
    assert estimates(*images)[1].matrix is not None, 'without the detection it is followed'
    _, found = estimates(*images, detections=detections)
    assert found.matrix is None or rms_px(found.matrix, SIZE) < 0.3


@pytest.mark.parametrize('gain, offset', [(1.6, 0.0), (0.6, 0.0), (1.0, 40.0)])
def test_a_change_of_exposure_does_not_change_the_estimate(gain, offset):
    dim = np.clip(view() * 0.5 + 20, 0, 255).astype(np.uint8)
    moved = view(motion(shift=(15, 6))) * 0.5 + 20
    _, found = estimates(dim, np.clip(moved * gain + offset, 0, 255).astype(np.uint8))
    assert found.outcome == 'moving'
    assert error_px(found.matrix, motion(shift=(15, 6))) < 0.5


@pytest.mark.parametrize('outcomes, image', [
    (['few_inliers', 'few_points'], view(image=scene(7))),
    (['featureless'], np.zeros(GRAY_SIZE[::-1], np.uint8)),
    (['featureless'], np.full(GRAY_SIZE[::-1], 200, np.uint8)),
    (['implausible'], view(motion(angle=17.0))),
    (['implausible'], view(motion(scale=1.2)))])
def test_a_cut_or_an_image_without_texture_has_no_estimate(outcomes, image):
    _, found = estimates(view(), image)
    assert found.outcome in outcomes and found.matrix is None


def test_a_part_of_the_image_that_moves_alone_is_not_the_background():
    before, after = view(), view(image=scene(7))
    after[:150] = view(motion(shift=(12, 0)))[:150]
    _, found = estimates(before, after)
    assert found.outcome == 'few_inliers' and found.matrix is None


def test_a_still_image_without_corners_is_still():
    x, y = np.meshgrid(np.linspace(0, 1, 640), np.linspace(0, 1, 360))
    smooth = (200 * x * y + 20).astype(np.uint8)
    assert estimates(smooth, smooth)[1].outcome == 'still'
    assert estimates(smooth, smooth[::-1])[1].outcome == 'few_points'


def test_a_covered_image_has_too_few_points():
    everything = box(0, 0, 1280, 720)
    _, found = estimates(view(), view(motion(shift=(20, 0))), detections=everything)
    assert found.outcome == 'few_points' and found.matrix is None


def test_an_image_of_another_size_is_a_scaling():
    camera = CameraMotion()
    camera.estimate(view(), SIZE)
    camera.accept(NOTHING)
    found = camera.estimate(view(), (640, 360))
    assert found.outcome == 'resized'
    assert found.matrix.tolist() == [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]


def test_after_a_reset_a_frame_is_the_first_one():
    camera = CameraMotion()
    camera.estimate(view(), SIZE)
    camera.accept(NOTHING)
    camera.reset()
    assert camera.estimate(view(), SIZE).outcome == 'first'


def test_a_stretched_image_gives_a_rotation_in_image_pixels():
    square = [cv2.resize(image, (416, 416), interpolation=cv2.INTER_AREA)
              for image in (view(), view(motion(angle=3.0)))]
    _, found = estimates(*square)
    assert error_px(found.matrix, motion(angle=3.0)) < 0.6


def test_counts_have_the_share_of_known_motions_and_their_sizes():
    counts = MotionCounts()
    assert counts.values() == {}
    for found in estimates(view(), view(), view(motion(shift=(20, 0))), view(image=scene(7))):
        counts.add(found, SIZE)
    values = counts.values()
    assert values['motion_known_percent'] == 50.0
    assert (values['motion_first'], values['motion_still'], values['motion_moving']) == (1, 1, 1)
    assert values['motion_max_px'] == pytest.approx(20.0, abs=0.3)


def test_the_thread_returns_the_estimate_of_the_frame():
    thread = MotionThread()
    bgr = [cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
           for image in (view(), view(motion(shift=(20, 0))))]
    assert thread.result() is None
    thread.start(bgr[0], SIZE)
    assert thread.result().outcome == 'first'
    thread.accept(NOTHING)
    thread.start(bgr[0], SIZE)  # No result: the network failed.
    thread.start(bgr[1], SIZE)
    assert error_px(thread.result().matrix, motion(shift=(20, 0))) < 0.3
    thread.close()
