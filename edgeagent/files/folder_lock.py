"""Lock of a state folder, so that one agent uses it; the kernel releases it when the process ends."""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from edgeagent.errors import DeliveryError

logger = logging.getLogger(__name__)

LOCKS = Path("/proc/locks")


class LockedError(DeliveryError):
    """Another agent uses the state folder."""


class FolderLock:
    """Advisory lock (flock(2)) of a folder, held from construction on; works on a read-only disk.

    Args:
        folder: to lock.

    Raises:
        LockedError: another process holds it.
        DeliveryError: the folder cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise DeliveryError(f"{folder}: cannot be opened ({error.strerror})") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = holder_of(os.fstat(self._descriptor).st_ino)
            os.close(self._descriptor)
            raise LockedError(
                f"{folder}: another agent ({f'pid {holder}' if holder else 'of another container'}) uses it; "
                "stop that one, or give this one another state folder"
            ) from error

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def lock_if_free(folder: Path) -> FolderLock | None:
    """Lock a folder, so that other commands see who uses it.

    Returns:
        The lock; None where another agent holds it, which is logged, and where the folder cannot be opened.
    """
    try:
        return FolderLock(folder)
    except LockedError as error:
        logger.warning("%s", error)
    except DeliveryError:
        logger.debug("%s is not locked", folder)
    return None


def holder_of(inode: int, locks: Path = LOCKS) -> int | None:
    """Return the pid that holds the flock of a file; None where the kernel does not tell.

    Args:
        inode: of the file.
        locks: the kernel's list of locks.

    A line of /proc/locks (proc(5)): ``1: FLOCK  ADVISORY  WRITE 1234 08:01:56789 0 EOF``.
    """
    for line in locks.read_text(encoding="ascii").splitlines():
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[5].endswith(f":{inode}"):
            pid = int(fields[4])
            return pid if pid > 0 else None
    return None
