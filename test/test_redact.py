# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""No password and no token remains in an address that is logged or published."""

import pytest
from udp_infer_ros.redact import redacted

CAMERAS = [
    ('rtsp://user:secret@10.0.0.7:554/h264?ch=1', 'rtsp://***@10.0.0.7:554/h264?ch=1'),
    ('http://secret@cam/', 'http://***@cam/'),
    ('rtsp://user:secret@[::1]:554/1', 'rtsp://***@[::1]:554/1'),
    ('rtsp://user:sec@cr:e/secret@cam/1', 'rtsp://***@cam/1'),
    ('rtsp://user:sec?cr#secret@cam/1', 'rtsp://***@cam/1'),
    ('rtsp://user:my secret@cam/1', 'rtsp://***@cam/1'),
    ('rtsp:/user:secret@cam/1', 'rtsp:/***@cam/1'),
    ('RTSP:admin:secret@cam/1', 'RTSP:***@cam/1'),
    ('admin:secret@cam', '***@cam'),
    ('admin:se/cr@et:secret?@cam:554/1', '***@cam:554/1'),
    ('admin:my secret@cam/1', '***@cam/1'),
    ('http://cam/mjpeg?user=me&password=secret&ch=1',
     'http://cam/mjpeg?user=me&password=***&ch=1'),
    ('http://cam/?access_token=secret#x', 'http://cam/?access_token=***#x'),
    ('http://cam/?usr=me&PWD=secret', 'http://cam/?usr=me&PWD=***'),
    ('http://cam/cgi?loginuse=me&loginpas=secret', 'http://cam/cgi?loginuse=me&loginpas=***'),
    ('http://cam/?api-key=secret&x-sig=secret', 'http://cam/?api-key=***&x-sig=***'),
    ('rtsp://cam:554/user=me_password=secret_channel=1.sdp',
     'rtsp://cam:554/user=me_password=***'),
    ('rtsps://10.0.0.1:7441/kCWNFtVDUhoCFnOC?enableSrtp', 'rtsps://10.0.0.1:7441/***?enableSrtp'),
    ('http://cam/4ad2b6a1f3c94c7d8e01/mjpeg/front', 'http://cam/***/mjpeg/front'),
    ('http://cam?hash=4ad2b6a1f3c94c7d8e01', 'http://cam?hash=***'),
    ('rtmp://cam/live/123e4567-e89b-12d3-a456-426614174000', 'rtmp://cam/live/***'),
]
PIPELINES = [
    ('rtspsrc location=rtsp://me:secret@cam/1 user-id=me user-pw=secret ! appsink',
     'rtspsrc location=rtsp://***@cam/1 user-id=me user-pw=*** ! appsink'),
    ('rtspsrc location="rtsp://me:my secret@cam/1" ! appsink',
     'rtspsrc location="rtsp://***@cam/1" ! appsink'),
    ('rtspsrc location=rtsp://cam/1 user-pw = "my secret" ! appsink',
     'rtspsrc location=rtsp://cam/1 user-pw = *** ! appsink'),
    ("souphttpsrc location=me:secret@cam/1 proxy-pw='my secret' ! appsink",
     'souphttpsrc location=***@cam/1 proxy-pw=*** ! appsink'),
    ('souphttpsrc extra-headers="h,Authorization=Bearer my.secret.token" ! appsink',
     'souphttpsrc extra-headers="h,Authorization=*** ***" ! appsink'),
]
MODELS = [
    ('https://me:secret@models/a.onnx', 'https://***@models/a.onnx'),
    ('https://models/a.onnx?token=secret', 'https://models/a.onnx?token=***'),
    ('https://bucket/a.onnx?X-Amz-Credential=secret%2Fx&X-Amz-Expires=60&X-Amz-Signature=secret',
     'https://bucket/a.onnx?X-Amz-Credential=***&X-Amz-Expires=60&X-Amz-Signature=***'),
    ('https://blob/a.onnx?sv=2024-11-04&sp=r&sig=secret%3D',
     'https://blob/a.onnx?sv=2024-11-04&sp=r&sig=***'),
    ('https://cdn/a.onnx?ex=66f1&hm=3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca0',
     'https://cdn/a.onnx?ex=66f1&hm=***'),
    ('https://api/file/bot123:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/a.onnx',
     'https://api/file/***/a.onnx'),
]
HARMLESS = [
    '0', '/dev/video0', 'street.mp4', '/data/camera@2x.mp4', 'images/*.png', 'rtsp://cam/1',
    'rtsp://[::1', 'http://cam:8080/axis-cgi/mjpg/video.cgi?resolution=640x480',
    'rtsp://cam:554/Streaming/Channels/101', 'nanodet_g_416', 'package://my_models/a.onnx',
    'https://github.com/ultralytics/assets/releases/download/v8.3.0/yolov8n.onnx',
    'https://huggingface.co/onnx-community/rtdetr_v2_r18vd-ONNX/resolve/main/onnx/model.onnx',
    'videotestsrc num-buffers=3 ! videoconvert ! appsink',
]


@pytest.mark.parametrize('text, expected', CAMERAS + PIPELINES + MODELS)
def test_passwords_and_tokens_are_hidden_and_the_rest_is_kept(text, expected):
    assert redacted(text) == expected
    assert 'secret' not in expected


@pytest.mark.parametrize('text', HARMLESS)
def test_an_address_without_a_secret_is_not_changed(text):
    assert redacted(text) == text


@pytest.mark.parametrize('text', [text for text, _ in CAMERAS + PIPELINES + MODELS])
def test_a_redacted_address_is_not_changed_again(text):
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize('part', [
    'a', ':', '@', 'pas', 'a:/', 'a:', '"', 'x" ', 'http://', ' ! ', 'A1', ' ', 'key=', 'basic '])
def test_a_long_address_is_redacted_in_linear_time(part):
    # The timeout of the test run fails it if the time is quadratic.
    assert len(redacted(part * (1_000_000 // len(part)))) > 0
