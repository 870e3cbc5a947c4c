# SPDX-FileCopyrightText: 2026 udp_infer_ros developers
# SPDX-License-Identifier: Apache-2.0

"""Standard input, output and errors of the commands: closed, full, or a pipe that is closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
import os
import sys

Main = Callable[[Sequence[str] | None], int]


def with_standard_streams(cannot_write: int) -> Callable[[Main], Callable[..., int]]:
    """
    Decorate the main function of a command, so that it ends well whatever its streams are.

    A stream that is closed, as by `>&-`, is replaced by /dev/null. If the reader of the output
    ends first, as in `| head`, the command ends with exit code 0.

    :param cannot_write: exit code if the output cannot be written.
    """
    def decorate(main: Main) -> Callable[..., int]:
        @wraps(main)
        def run(arguments: Sequence[str] | None = None) -> int:
            open_closed_streams()
            try:
                try:
                    return main(arguments)
                finally:
                    write_output('', end='')
            except BrokenPipeError:
                discard_output()
                return 0
            except OutputError as error:
                discard_output()
                print(error, file=sys.stderr)
                return cannot_write
        return run
    return decorate


class OutputError(Exception):
    """Standard output cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f'cannot write to standard output: {error.strerror}')


def write_output(text: str, end: str = '\n') -> None:
    """
    Write a text to standard output, and all that is in its buffer.

    :raises BrokenPipeError: if its reader has ended.
    :raises OutputError: if it cannot be written for another reason.
    """
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error) from error


def discard_output() -> None:
    """Redirect standard output to /dev/null; at exit, Python writes what is left in its buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """Open /dev/null for each closed stream; otherwise, a socket would get its descriptor."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # Python sets a stream that was closed at its start to None; print() then uses another one.
    if sys.stdout is None:
        sys.stdout = open(1, 'w', closefd=False)
    if sys.stderr is None:
        sys.stderr = open(2, 'w', closefd=False)
