"""Files that survive a power cut: after a write a reader finds the old file whole, or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from edgeagent.errors import EdgeagentError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
"""Permissions of state, which only its owner reads."""
SHARED_FILE, SHARED_FOLDER = 0o666, 0o777
"""Permissions of results, narrowed by the umask of the user."""


def write_state(path: Path, content: bytes, *, shared: bool = False) -> None:
    """Write a file durably; see :func:`replace_file`. The folder of it is made as needed.

    Args:
        path: of the file.
        content: of the file.
        shared: whether others may read it, as the umask says; else file and new folder are the owner's only.

    Raises:
        EdgeagentError: it cannot be written; an older file is as it was.
    """
    mode, folder_mode = (SHARED_FILE, SHARED_FOLDER) if shared else (PRIVATE_FILE, PRIVATE_FOLDER)
    try:
        path.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
        replace_file(path, content, mode)
    except OSError as error:
        raise EdgeagentError(f"{path}: cannot be written ({error.strerror})") from error


def replace_file(path: Path, content: bytes, mode: int = SHARED_FILE) -> None:
    """Write a file through ``NAME.new``: write, fsync, rename, fsync of the folder.

    When it returns, the content is on the disk. A symbolic link ``NAME.new`` is refused.

    Raises:
        OSError: it cannot be written; an older file is as it was, and ``NAME.new`` is gone.
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        _write(temporary, content, os.O_TRUNC | os.O_NOFOLLOW, mode)
        temporary.replace(path)
        sync(path.parent)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def create_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file durably.

    Raises:
        FileExistsError: there is a file already; it is as it was.
        OSError: it cannot be written.
    """
    _write(path, content, os.O_EXCL, mode)
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file's content, or the names in a folder, to the disk (fsync).

    Raises:
        OSError: it cannot be opened or written.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, flags: int, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
