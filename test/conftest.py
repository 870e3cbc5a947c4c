# Copyright 2026 udp_infer_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""
Tests of the core: in a lane of `make test` they run as if there were no ROS.

UDP_INFER_WITHOUT_ROS says so; then importing rclpy, cv_bridge or launch fails, as it does on a
machine that has none.
"""

import os
import sys

if os.environ.get('UDP_INFER_WITHOUT_ROS'):
    sys.modules.update(dict.fromkeys(('rclpy', 'cv_bridge', 'launch', 'launch_ros')))
