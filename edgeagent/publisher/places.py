"""Layout of a publisher's folder, its target paths, and its lock."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tuf.api.metadata import TargetFile

from edgeagent.files.atomic import sync
from edgeagent.files.hashing import copy_hashed
from edgeagent.publisher.errors import PublishError

REPOSITORY = "repository"
STAGED = "staged"
STEPS = "steps.json"
LOCK = "lock"

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_LONGEST = 180  # of one name; with its hash 245 of the 255 characters that file systems allow
_DEEPEST = 6  # levels of a target path, as in the delegation of a channel


def metadata_folder(folder: Path) -> Path:
    """Return the served folder of metadata."""
    return folder / REPOSITORY / "metadata"


def targets_folder(folder: Path) -> Path:
    """Return the served folder of targets."""
    return folder / REPOSITORY / "targets"


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of a publisher's folder.

    Args:
        folder: to lock.
        wait: whether to wait for another publisher.

    Raises:
        PublishError: there is no such folder, or another publisher holds the lock and ``wait`` is not set.
    """
    try:
        file = (folder / LOCK).open("a+", encoding="ascii")
    except OSError as error:
        raise PublishError(f"{folder}: cannot be published to ({error.strerror})") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            other = file.read() or "?"
            raise PublishError(
                f"{folder}: another publisher (process {other}) works on it; wait for it"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def check_target_path(path: str) -> None:
    """Check that a URL, a file system and the delegation of a channel accept a target path.

    Raises:
        PublishError: it has characters other than letters, digits, ``.``, ``_`` and ``-``, a part that begins
            with a dot or a dash, or is too long or too deep.
    """
    parts = path.split("/")
    if len(parts) > _DEEPEST:
        raise PublishError(f"{path}: lies too deep; a file of a bundle may lie in {_DEEPEST - 4} folders")
    for part in parts:
        if not _PLAIN.fullmatch(part) or len(part) > _LONGEST:
            raise PublishError(
                f"{path}: {part!r} cannot be part of a web address; use letters, digits, ., _ and -, at most "
                f"{_LONGEST} of them, the first a letter, a digit or _"
            )


def served_path(folder: Path, target: TargetFile) -> Path:
    """Return the served path of a target; its hash precedes its name (TUF, consistent snapshots).

    Raises:
        PublishError: the target path is not allowed.
    """
    check_target_path(target.path)
    return targets_folder(folder) / target.get_prefixed_paths()[0]


def place_target(folder: Path, path: str, source: BinaryIO) -> tuple[TargetFile, Path | None]:
    """Copy a file into the served folder, durably.

    Args:
        folder: of the publisher.
        path: target path.
        source: file that is open for reading.

    Returns:
        The target, and its file; None for the file if the same target was there already.

    Raises:
        PublishError: the path is not allowed, or the disk is full or fails; nothing is left behind.
    """
    check_target_path(path)
    parent, _, name = path.rpartition("/")
    directory = targets_folder(folder) / parent
    part = directory / f".{name}.part"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)  # of an interrupted publisher
        try:
            digest, size = copy_hashed(source, part)
            final = directory / f"{digest}.{name}"
            new = None if final.exists() else final
            part.replace(final)
        finally:
            part.unlink(missing_ok=True)
        for level in (directory, *directory.parents):
            sync(level)
            if level == folder:
                break
    except OSError as error:
        raise PublishError(
            f"{directory / name}: cannot be written ({error.strerror}); nothing was published"
        ) from error
    return TargetFile(size, {"sha256": digest}, path), new
