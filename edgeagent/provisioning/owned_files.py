"""Files of the configuration folder: root writes them, the service reads them, nobody else does."""

from __future__ import annotations

import grp
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgeagent.files.atomic import sync

SERVICE_GROUP = "edgeagent"
_FILE, _FOLDER = 0o640, 0o750
_FILE_ALONE, _FOLDER_ALONE = 0o600, 0o700


@dataclass(frozen=True)
class Ownership:
    """Owner of new files.

    Attributes:
        group: id of the group that reads them; None where the system has no such group, or this user may not
            give files away: then only the owner reads them.
    """

    group: int | None

    @classmethod
    def of_service(cls, name: str = SERVICE_GROUP) -> Ownership:
        """Return the ownership for the group of the service."""
        with suppress(KeyError):
            if os.geteuid() == 0:
                return cls(grp.getgrnam(name).gr_gid)
        return cls(None)

    def make_folder(self, path: Path) -> None:
        """Make a folder durably, if it is missing; its mode and owner are set in any case.

        Raises:
            OSError: it cannot be made.
        """
        if not path.is_dir():
            path.mkdir(_FOLDER_ALONE, parents=True)
            sync(path.parent)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._give(descriptor, _FOLDER, _FOLDER_ALONE)
        finally:
            os.close(descriptor)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file durably, whole or not at all, through ``NAME.new``.

        Raises:
            OSError: it cannot be written; an older file is as it was.
        """
        staged = path.with_name(f"{path.name}.new")
        try:
            self.stage(staged, content)
            staged.replace(path)
            sync(path.parent)
        except OSError:
            with suppress(OSError):
                staged.unlink(missing_ok=True)
            raise

    def stage(self, path: Path, content: bytes) -> None:
        """Write a new file whose bytes, mode and owner are on the disk; a leftover of that name is replaced.

        Raises:
            OSError: it cannot be written.
        """
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_ALONE)
        with os.fdopen(descriptor, "wb") as file:
            self._give(descriptor, _FILE, _FILE_ALONE)
            file.write(content)
            file.flush()
            os.fsync(descriptor)

    def _give(self, descriptor: int, shared: int, alone: int) -> None:
        if self.group is None:
            os.fchmod(descriptor, alone)
        else:
            os.fchown(descriptor, os.geteuid(), self.group)
            os.fchmod(descriptor, shared)


PRIVATE = Ownership(None)
"""Ownership of files that only their owner reads."""
