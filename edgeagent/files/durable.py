"""Folder operations that survive a power cut, in the order in which they were made.

A file is on the disk after fsync of the file *and* of its folder; a folder that was made, renamed or removed
is so after fsync of the one above. Each function returns when that is done.
:func:`edgeagent.files.atomic.write_state` does the same for the content of a file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeagent.errors import DeliveryError
from edgeagent.files.atomic import PRIVATE_FOLDER, sync


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a DeliveryError that names the file and what to do.

    Args:
        path: to name where the OSError names none.

    Raises:
        DeliveryError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DeliveryError(
            f"{error.filename or path}: cannot be changed ({error.strerror}); make room, or make the state "
            "folder writable to the agent"
        ) from error


def make_folder(path: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Make a folder and its missing parents.

    Args:
        path: of the folder.
        mode: permissions of new folders, narrowed by the umask; by default the owner's only.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        folder.mkdir(mode=mode, exist_ok=True)
        sync(folder.parent)


def move_folder(source: Path, target: Path) -> None:
    """Rename a folder, whose content must be on the disk already.

    Raises:
        OSError: the target exists, or the disk fails.
    """
    make_folder(target.parent)
    source.rename(target)
    sync(target.parent)
    sync(source.parent)


def remove_file(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        OSError: it cannot be removed.
    """
    if path.exists():
        path.unlink(missing_ok=True)
        sync(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder and its content.

    Raises:
        OSError: it cannot be removed; part of its content may be gone.
    """
    shutil.rmtree(path)
    sync(path.parent)
