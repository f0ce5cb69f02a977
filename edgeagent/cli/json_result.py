"""The options ``--json`` and ``--json-file``, which mean the same in every command.

``--json``: the result is printed as one JSON document on standard output, and nothing else is; text for
people goes to standard error, where the log is. ``--json-file FILE``: the same document is written to a file,
with or without ``--json``. A command that fails prints no document. A file that cannot be written, or that is
one of the files that the command reads, is refused before a command that may run for hours.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeagent.errors import EdgeagentError
from edgeagent.files.result import write_result


def add_json_options(parser: argparse.ArgumentParser, *, file: bool = False, more: str = "") -> None:
    """Add ``--json``, and ``--json-file`` to commands that run long.

    Args:
        parser: of the command.
        file: whether to add ``--json-file``.
        more: text behind the help of ``--json``.
    """
    text = f"print the result as one JSON document instead of text{more}"
    parser.add_argument("--json", action="store_true", help=text)
    if file:
        parser.add_argument(
            "--json-file", type=Path, metavar="FILE", help="also write the JSON document to FILE"
        )


@contextlib.contextmanager
def text_on_stderr(arguments: argparse.Namespace) -> Iterator[None]:
    """Keep standard output for the document: with ``--json`` text that is printed goes to standard error."""
    arguments.document_output = sys.stdout
    if not getattr(arguments, "json", False):
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def check_json_file(arguments: argparse.Namespace) -> None:
    """Check that the file of ``--json-file`` can be written, and that no other option names it.

    Raises:
        EdgeagentError: it cannot, or one does.
    """
    path: Path | None = getattr(arguments, "json_file", None)
    problem = None if path is None else _problem(path, list(_other_paths(arguments)))
    if problem is not None:
        raise EdgeagentError(f"{path}: the result cannot be written ({problem})")


def _problem(path: Path, others: list[Path]) -> str | None:
    """Return why a file cannot be written; None where nothing is known."""
    if path.is_dir():
        return os.strerror(errno.EISDIR)
    if path.is_file() and any(other.exists() and other.samefile(path) for other in others):
        return "another option names the same file"
    try:
        path.parent.stat()
    except OSError as error:
        made = any(other in path.parents for other in others)  # perhaps the folder of another result
        return None if made else error.strerror
    # a file is replaced; a link, pipe or device is written to
    place = path if path.exists() and (path.is_symlink() or not path.is_file()) else path.parent
    if not place.is_dir() and place == path.parent:
        return os.strerror(errno.ENOTDIR)
    return None if os.access(place, os.W_OK) else "this user may not write there, or the disk is read-only"


def _other_paths(arguments: argparse.Namespace) -> Iterator[Path]:
    for name, value in vars(arguments).items():
        if name != "json_file":
            values = value if isinstance(value, list | tuple) else [value]
            yield from (one for one in values if isinstance(one, Path))


def give_result(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """Print and write the result of a command as its options ask.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    if arguments.json:
        print(json.dumps(result, indent=2), file=arguments.document_output)
    if getattr(arguments, "json_file", None) is not None:
        write_result(arguments.json_file, result)
