# The node with ROS 2 Jazzy. Checked with hadolint, but not built yet.
#
#     docker build -t udp_infer_ros .
#     docker run --rm --network host --ipc host udp_infer_ros --ros-args -r image_raw:=/camera/image_raw
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /ws
COPY . src/udp_infer_ros

# rosdep cannot install these two: pip refuses outside of a virtual environment. NumPy stays below 2, as cv_bridge requires.
# hadolint ignore=DL3008,DL3013
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv \
    && rosdep update --rosdistro jazzy \
    && rosdep install --from-paths src --ignore-src -y --dependency-types exec \
       --skip-keys 'python3-onnxruntime-pip python3-supervision-pip' \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages venv \
    && touch venv/COLCON_IGNORE \
    && venv/bin/pip install --no-cache-dir onnxruntime supervision 'numpy<2' \
    && source /opt/ros/jazzy/setup.bash \
    && venv/bin/python -m colcon build --packages-select udp_infer_ros

# The user ubuntu of the image.
USER 1000
ENTRYPOINT ["/bin/bash", "-c", "source install/setup.bash && exec ros2 run udp_infer_ros udp_infer \"$@\"", "udp_infer"]
