"""Picture files of a folder, and their check before long work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.imaging.picture import PICTURE_SUFFIXES, read_picture

logger = logging.getLogger(__name__)

RESOURCE_FORK = "._"
"""Start of the names of the files that macOS puts beside files on other file systems."""


def list_pictures(folder: Path, *, recursive: bool = False) -> list[Path]:
    """Return the picture files of a folder, sorted by name.

    Folders with the name of a picture, dead links and resource forks of macOS (``._x.jpg``) are left out with
    a warning.

    Args:
        folder: an existing folder.
        recursive: whether folders in it are searched, too.

    Raises:
        DataError: the folder, or one in it, cannot be listed.
    """
    try:
        return readable_files(folder.rglob("*") if recursive else folder.iterdir(), PICTURE_SUFFIXES, folder)
    except OSError as error:
        raise DataError(
            f"{printable(error.filename or folder)}: cannot be listed ({error.strerror}); check the "
            "folder of pictures"
        ) from error


def readable_files(paths: Iterable[Path], suffixes: Iterable[str], folder: Path) -> list[Path]:
    """Return the files with one of the suffixes (lower case), sorted; what is no file is left out.

    Args:
        paths: paths in the folder.
        suffixes: suffixes with their dot; the case in file names does not matter.
        folder: for the warning.
    """
    wanted = frozenset(suffixes)
    named = sorted(path for path in paths if path.suffix.lower() in wanted)
    found = [path for path in named if not path.name.startswith(RESOURCE_FORK) and path.is_file()]
    if len(found) < len(named):
        left_out = sorted(set(named).difference(found))
        logger.warning(
            "%s: %d names are left out, as they are folders, dead links or resource forks of macOS; the "
            "first is %s",
            printable(folder),
            len(left_out),
            printable(left_out[0].name),
        )
    return found


def names_file(path: Path) -> bool:
    """Return whether a path from a document is a file; a name that no file system takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def names_folder(path: Path) -> bool:
    """Return whether a path from a document is a folder, as :func:`names_file` does for files."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def check_pictures(pictures: Sequence[Path], report: Callable[[int], None] = lambda done: None) -> None:
    """Read every picture once, so that a damaged one is found before work begins.

    Args:
        pictures: files; a repeated one is read once.
        report: called with the number of pictures done.

    Raises:
        DataError: a picture cannot be read; with several, the message names the first and their number.
    """
    damaged = []
    with ThreadPoolExecutor() as pool:
        for done, error in enumerate(pool.map(_damage, dict.fromkeys(pictures)), 1):
            if error is not None:
                damaged.append(error)
            report(done)
    if damaged:
        more = f" (and {len(damaged) - 1} more pictures)" if len(damaged) > 1 else ""
        raise DataError(f"{damaged[0]}{more}")


def _damage(path: Path) -> DataError | None:
    try:
        read_picture(path)
    except DataError as error:
        return error
    return None
