"""Files that must survive a power cut: whole and old, or whole and new."""

from __future__ import annotations

import os
from pathlib import Path

from edgeagent.errors import EdgeagentError


def write_state(path: Path, content: bytes) -> None:
    """Write, fsync, rename, fsync the folder: when this returns, the content is on the disk.

    Raises:
        EdgeagentError: it cannot be written; an older file is as it was.
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise EdgeagentError(f"{path}: cannot be written ({error.strerror})") from error


def sync(path: Path) -> None:
    """Bring a file's content, or the names in a folder, to the disk.

    Raises:
        OSError: it cannot be opened or written.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
