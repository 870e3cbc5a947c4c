# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Installation of the package, with colcon or pip."""

from glob import glob
import sys

from setuptools import find_packages, setup

NAME = 'udp_infer_ros'
# setup.cfg moves the executables out of bin/, to where `ros2 run` searches for them. A wheel
# ignores that, and pip installs the executables themselves to bin/.
ON_PATH = [] if 'bdist_wheel' in sys.argv else [('bin', glob('script/*'))]

setup(
    name=NAME,
    version='0.1.0',
    description='Publish ONNX detections and tracks as vision_msgs and as JSON over UDP',
    author='udp_infer_ros developers',
    maintainer='udp_infer_ros developers',
    maintainer_email='maintainers@example.org',
    license='Apache-2.0',
    keywords=['ROS'],
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: ['*.json', 'models/*', 'py.typed', 'listen/web/static/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/launch', glob('launch/*.*')),
        (f'share/{NAME}/config', glob('config/*.*')),
        (f'share/{NAME}/examples/launch', glob('examples/launch/*.*')),
        *ON_PATH,
    ],
    zip_safe=False,
    python_requires='>=3.10',
    # With ROS, rosdep installs what package.xml lists. If these packages were listed here, pip
    # would install its own NumPy and OpenCV over those that cv_bridge was built with.
    install_requires=['setuptools'],
    extras_require={
        # for examples/detect_video.py and other programs without ROS
        'engine': ['numpy', 'onnxruntime', 'opencv-python-headless', 'pillow', 'pyyaml',
                   'supervision', 'tqdm'],
        # for the live table and --validate of udp_infer_listen
        'listen': ['jsonschema', 'rich'],
        # for model.id: grpc://..., a model on a server
        'server': ['tritonclient[grpc]'],
        # for --web of udp_infer_listen
        'web': ['aiohttp'],
        'test': ['jsonschema', 'onnx', 'pytest', 'pytest-timeout', 'scipy'],
    },
    entry_points={
        'console_scripts': [
            f'udp_infer = {NAME}.ros.main:main',
            f'udp_infer_3d = {NAME}.ros.main_3d:main',
            f'udp_infer_multi = {NAME}.ros.multi:main',
            f'udp_infer_dataset = {NAME}.dataset.command:main',
            f'udp_infer_listen = {NAME}.listen.command:main',
        ],
    },
)
