# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Collection of images with their detections, as a dataset in the format of COCO or YOLO."""
