# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""The pages: links lead somewhere, and blocks of code are run or checked."""

from importlib.resources import files
import json
import re
import shlex

import pytest
from snippets import BLOCK, PAGES, ROOT, SNIPPETS
from udp_infer_ros.detection.families import FAMILIES
from udp_infer_ros.settings import PARAMETERS, Settings
from udp_infer_ros.sources.camera_list import read_cameras
import yaml

LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
SHELL = [snippet for snippet in SNIPPETS if snippet.language == 'sh']
SERVICES = {'collect', 'enable', 'reset_tracker'}


def named(language):
    """Return the parametrization with the blocks of a language."""
    chosen = [snippet for snippet in SNIPPETS if snippet.language == language]
    return pytest.mark.parametrize('snippet', chosen, ids=lambda snippet: snippet.name)


def name_of(path):
    """Return the path of a file in the repository."""
    return path.relative_to(ROOT).as_posix()


def prose_of(path):
    """Return a page without its blocks of code."""
    return BLOCK.sub('', path.read_text(encoding='utf-8'))


def links_of(path):
    """Return the targets of the links and pictures of a page, without those of the web."""
    return [link for link in LINK.findall(prose_of(path)) if not link.startswith('http')]


def anchors_of(path):
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r'^#+ (.+)$', prose_of(path), re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    for link in links_of(page):
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_the_readme_links_every_page():
    linked = {(ROOT / link.partition('#')[0]).resolve() for link in links_of(ROOT / 'README.md')}
    assert set(PAGES) - linked <= {ROOT / 'README.md'}


def test_the_pages_state_the_number_of_families():
    for name, text in (('README.md', 'output formats'), ('docs/migrating.md', 'families')):
        assert f'[{len(FAMILIES)} {text}]' in (ROOT / name).read_text(encoding='utf-8')


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_every_block_of_code_is_fenced(page):
    prose = prose_of(page)
    assert '```' not in prose
    assert not re.search(r'\n\n {4}', prose), 'an indented block; fence it'


@pytest.mark.parametrize('snippet', SNIPPETS, ids=lambda snippet: snippet.name)
def test_every_block_of_code_is_run_or_checked_or_says_why_not(snippet):
    assert snippet.reason or snippet.language in ('sh', 'python', 'yaml', 'json', 'text')


@named('yaml')
def test_a_yaml_block_is_a_parameter_file_or_a_list_of_cameras(snippet, tmp_path):
    content = yaml.safe_load(snippet.code)
    if 'cameras' in content:
        path = tmp_path / 'cameras.yaml'
        path.write_text(snippet.code, encoding='utf-8')
        assert read_cameras(path)
    elif not snippet.reason:
        for node in content.values():
            Settings().with_values(flat(node['ros__parameters']))


def flat(tree):
    """Return the parameters of a YAML file by dotted name."""
    values = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            values.update({f'{key}.{leaf}': item for leaf, item in value.items()})
        else:
            values[key] = value
    return {name: value for name, value in values.items() if name != 'use_sim_time'}


@named('json')
def test_a_json_block_is_a_datagram(snippet):
    jsonschema = pytest.importorskip('jsonschema')
    schema = files('udp_infer_ros').joinpath('payload.v1.schema.json').read_text(encoding='utf-8')
    jsonschema.Draft202012Validator(json.loads(schema)).validate(json.loads(snippet.code))


@named('python')
def test_a_python_block_is_a_whole_program(snippet):
    compile(snippet.code, snippet.name, 'exec')


def commands():
    """Yield every command of the shell blocks, as words."""
    for snippet in SHELL:
        for line in snippet.code.replace('\\\n', ' ').splitlines():
            for command in line.split('&&'):
                if words := shlex.split(command, comments=True):
                    yield snippet.name, words


def test_commands_set_parameters_that_exist_to_valid_values():
    count = 0
    for name, words in commands():
        settings = [word.partition(':=')[::2] for i, word in enumerate(words)
                    if words[i - 1] == '-p']
        if words[:3] == ['ros2', 'param', 'set']:
            settings.append(words[4:6])
        for parameter, value in settings:
            Settings().with_values({parameter: yaml.safe_load(value)})
        if words[:3] == ['ros2', 'param', 'get']:
            assert words[4] in PARAMETERS, name
        count += len(settings)
    assert count


def test_commands_pass_arguments_that_the_launch_files_declare():
    count = 0
    for name, words in commands():
        if words[:3] == ['ros2', 'launch', 'udp_infer_ros']:
            text = (ROOT / 'launch' / words[3]).read_text(encoding='utf-8')
            for word in words[4:]:
                argument, assigns, _ = word.partition(':=')
                assert not assigns or f"'{argument}'" in text, f'{name}: {argument}'
                count += bool(assigns)
    assert count


def test_commands_call_services_that_exist():
    called = {words[3].rpartition('/')[2] for _, words in commands()
              if words[:3] == ['ros2', 'service', 'call']}
    assert called == SERVICES


@pytest.mark.parametrize('name', [
    'udp_infer.rviz', 'udp_infer.perspective', 'udp_infer.foxglove.json'])
def test_a_layout_can_be_parsed_and_has_topics_that_the_node_publishes(name):
    text = (ROOT / 'config' / name).read_text(encoding='utf-8')
    yaml.safe_load(text) if name.endswith('.rviz') else json.loads(text)
    table = (ROOT / 'docs' / 'messages.md').read_text(encoding='utf-8')
    topics = set(re.findall(r'/udp_infer/[\w/]+', text))
    assert topics and topics <= {
        topic.replace('~', '/udp_infer') for topic in re.findall(r'^\| `(~/\S+)`', table, re.M)}
