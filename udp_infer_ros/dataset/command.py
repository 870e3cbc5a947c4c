# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""
udp_infer_dataset: show, merge, export and prune collected datasets. Needs no ROS.

Exit codes: 0 done, 1 a dataset cannot be read or written, 2 an argument is wrong.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
import sys

import cv2
from udp_infer_ros import __version__
from udp_infer_ros.dataset.folders import combine, folders_of, prune, read_folder
from udp_infer_ros.dataset.sheet import contact_sheet
from udp_infer_ros.outputs.dataset.files import write_file
from udp_infer_ros.outputs.dataset.store import InUseError
from udp_infer_ros.standard_streams import with_standard_streams
from udp_infer_ros.wording import counted

FAILED = 1


@with_standard_streams(cannot_write=FAILED)
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = options.run
    try:
        run(options)
    except InUseError as error:
        print(f'{error}: a node collects into it; stop the node', file=sys.stderr)
        return FAILED
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return FAILED
    return 0


def _show(options: argparse.Namespace) -> None:
    """Print the counts, and write the contact sheet."""
    contents = [read_folder(folder) for folder in folders_of(options.directory)]
    items = [item for content in contents for item in content.items]
    classes = list(dict.fromkeys(name for content in contents for name in content.classes))
    boxes = Counter(record['name'] for item in items for record in item.annotations)
    images = Counter(name for item in items
                     for name in {record['name'] for record in item.annotations})
    rules = Counter(str(item.image.get('rule', '')) for item in items)
    print(f'{options.directory}: {counted(len(items), "image")}, '
          f'{sum(not item.annotations for item in items)} of them empty')
    _table('day', ('images', 'boxes'), [
        (content.folder.name, len(content.items),
         sum(len(item.annotations) for item in content.items)) for content in contents])
    _table('class', ('images', 'boxes'), [
        (name, images[name], boxes[name]) for name in classes if boxes[name]])
    _table('rule', ('images',), [(name or '(none)', count) for name, count in rules.items()])
    if options.sheet is not None:
        if not items:
            raise ValueError(f'{options.directory} has no image for {options.sheet}')
        _, data = cv2.imencode('.png', contact_sheet(items, classes))
        write_file(options.sheet, data.tobytes())
        print(f'\ncontact sheet: {options.sheet}')


def _table(title: str, columns: Sequence[str], rows: Sequence[tuple[str | int, ...]]) -> None:
    width = max([len(str(row[0])) for row in rows] + [len(title)])
    print('\n' + ' '.join([f'{title:<{width}}', *(f'{name:>8}' for name in columns)]))
    for name, *values in rows:
        print(' '.join([f'{name:<{width}}', *(f'{value:>8}' for value in values)]))


def _merge(options: argparse.Namespace) -> None:
    count = combine(options.directories, options.out, 'coco')
    print(f'{options.out}: {counted(count, "image")}')


def _export(options: argparse.Namespace) -> None:
    count = combine([options.directory], options.out, options.format)
    print(f'{options.out}: {counted(count, "image")}')


def _prune(options: argparse.Namespace) -> None:
    if not options.before and not options.rule:
        raise ValueError('prune needs --before or --rule')
    count = prune(options.directory, before=options.before or '', rules=options.rule)
    print(f'{counted(count, "image")} removed')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='udp_infer_dataset', description='Show, merge, export and prune datasets that '
        'udp_infer collects. DIR is dataset.directory, or the folder of one day.',
        epilog=(__doc__ or '').rpartition('\n\n')[2])
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(metavar='COMMAND', required=True)

    show = commands.add_parser('show', help='print counts by day, class and rule')
    show.add_argument('directory', metavar='DIR', type=Path)
    show.add_argument(
        '--sheet', metavar='PNG', type=Path, help='also write a picture of up to 30 images')
    show.set_defaults(run=_show)

    merge = commands.add_parser('merge', help='write one dataset with the images of several')
    merge.add_argument('directories', metavar='DIR', type=Path, nargs='+')
    merge.add_argument('out', metavar='OUT', type=Path, help='a new folder')
    merge.set_defaults(run=_merge)

    export = commands.add_parser('export', help='write all days as one dataset')
    export.add_argument('directory', metavar='DIR', type=Path)
    export.add_argument('out', metavar='OUT', type=Path, help='a new folder')
    export.add_argument(
        '--format', choices=('coco', 'yolo'), default='coco',
        help='coco: annotations.json; yolo: also text files and data.yaml; default %(default)s')
    export.set_defaults(run=_export)

    remove = commands.add_parser('prune', help='remove images; not while a node collects')
    remove.add_argument('directory', metavar='DIR', type=Path)
    remove.add_argument(
        '--before', metavar='DAY', type=_day, help='remove the days before this one')
    remove.add_argument(
        '--rule', metavar='NAME', action='append', default=[],
        help='remove the images that this rule collected; may be repeated')
    remove.set_defaults(run=_prune)
    return parser


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()
