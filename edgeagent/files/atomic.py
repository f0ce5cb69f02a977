"""Files that survive a power cut: after a write a reader finds the old file whole, or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from edgeagent.errors import EdgeagentError


def write_state(path: Path, content: bytes) -> None:
    """Write a file durably; see :func:`replace_file`. Folders above it are made as needed.

    Raises:
        EdgeagentError: it cannot be written; an older file is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise EdgeagentError(f"{path}: cannot be written ({error.strerror})") from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file through ``NAME.new``: write, fsync, rename, fsync of the folder.

    When it returns, the content is on the disk. A symbolic link ``NAME.new`` is refused.

    Raises:
        OSError: it cannot be written; an older file is as it was, and ``NAME.new`` is gone.
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        _write(temporary, content, os.O_TRUNC | os.O_NOFOLLOW, 0o666)
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
