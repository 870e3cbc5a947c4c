# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The launch file shows its arguments, and one that is left empty never beats the YAML file."""

import importlib.util
from pathlib import Path

import pytest

launch = pytest.importorskip('launch', reason='launch is not installed here')
pytest.importorskip('launch_ros')
pytest.importorskip('ament_index_python')

PATH = Path(__file__).resolve().parent.parent / 'launch' / 'udp_infer.launch.py'
spec = importlib.util.spec_from_file_location('udp_infer_launch', PATH)
launch_file = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launch_file)


def node_with(**arguments):
    """Make the node action for these launch arguments."""
    context = launch.LaunchContext()
    for action in launch_file.generate_launch_description().entities[:-1]:
        name = action.name
        default = '' if name == 'params_file' else ''.join(
            part.perform(context) for part in action.default_value)
        context.launch_configurations[name] = arguments.get(name, default)
    if 'params_file' not in arguments:
        context.launch_configurations['params_file'] = str(
            PATH.parent.parent / 'config' / 'udp_infer.yaml')
    [node] = launch_file.start_node(context)
    node._perform_substitutions(context)
    return node


def overrides_of(node):
    """Give the parameters that are set besides the YAML file."""
    from yaml import load, UnsafeLoader
    files = [Path(entry[0]) for entry in node._Node__expanded_parameter_arguments]
    merged = {}
    for path in files[1:]:
        # launch_ros writes a list as a tuple with a tag, which rcl does not mind.
        for section in load(path.read_text(encoding='utf-8'), UnsafeLoader).values():
            merged.update(section['ros__parameters'])
    return {key: list(value) if isinstance(value, tuple) else value
            for key, value in merged.items()}


def test_show_args_lists_every_argument_with_a_description():
    declared = launch_file.generate_launch_description().get_launch_arguments()
    assert {action.name for action in declared} == {
        'params_file', 'namespace', 'name', 'image', 'source', 'model', 'udp_targets',
        'use_sim_time', 'log_level', 'autostart'}
    assert all('.' in action.description for action in declared)


def test_a_params_file_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError, match='params_file = '):
        node_with(params_file='/no/such.yaml')


def test_nothing_is_set_besides_the_yaml_file_unless_it_is_given():
    assert overrides_of(node_with()) == {}


def test_what_is_given_beats_the_yaml_file_with_its_type():
    node = node_with(
        source='0', model='/m.onnx', udp_targets='a:1, b:2', autostart='false',
        use_sim_time='true')
    assert overrides_of(node) == {
        'source.uri': '0', 'model.id': '/m.onnx', 'udp.targets': ['a:1', 'b:2'],
        'autostart': False, 'use_sim_time': True}


def test_an_image_topic_is_a_remapping():
    assert ('image_raw', '/cam/image') in node_with(image='/cam/image').expanded_remapping_rules
    assert not node_with().expanded_remapping_rules
