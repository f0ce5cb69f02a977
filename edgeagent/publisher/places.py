"""Where things lie in a publisher's folder, and the lock that keeps two publishers apart."""

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
_LONGEST = 180  # of one name; the hash before it makes 245 of the 255 that file systems take
_DEEPEST = 6  # levels of a target path, as the delegation of a channel allows


def metadata_folder(folder: Path) -> Path:
    """Return the served folder of metadata."""
    return folder / REPOSITORY / "metadata"


def targets_folder(folder: Path) -> Path:
    """Return the served folder of targets."""
    return folder / REPOSITORY / "targets"


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other publishers out of a folder.

    Raises:
        PublishError: there is no such folder, or another publisher works on it and ``wait`` is not set.
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
    """Refuse a target path that a URL, a file system or the delegation of a channel would not take.

    Raises:
        PublishError: other characters than letters, digits, ``.``, ``_`` and ``-``, a part that begins with a
            dot or a dash, too long or too deep.
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
    """Return where a target lies; its hash comes before its name (TUF, consistent snapshots).

    Raises:
        PublishError: the path could lead out of the folder.
    """
    check_target_path(target.path)
    return targets_folder(folder) / target.get_prefixed_paths()[0]


def place_target(folder: Path, path: str, source: BinaryIO) -> tuple[TargetFile, Path | None]:
    """Copy a file into the served folder, durably; a target that is there already is the same.

    Returns:
        The target, and its file if it was not there before.

    Raises:
        PublishError: the path is no good, or the disk is full or fails; nothing is left behind.
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
