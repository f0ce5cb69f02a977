"""Files of a folder within bounds of age, size and free space: the oldest are removed first."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import PRIVATE_FILE, PRIVATE_FOLDER
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

NEW = ".new"
CLOCK_SET_S = 60.0
"""Difference of the clocks between two looks from which on the clock was set."""
REMOVED_AT_ONCE = 64
"""Most files that one call removes: a slow card takes milliseconds for each."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of a folder.

    Attributes:
        age_s: seconds after which a file is removed.
        size: most bytes of all files together.
        free: bytes that stay free on the disk.
    """

    age_s: float
    size: int
    free: int


class NoSpaceError(EdgeagentError):
    """The disk has no room, although all older files were removed."""


class RetainedFiles:
    """Bounded files below a folder; used by one thread.

    Files of earlier runs count, too; those with other names are left alone. When the clock is set, the times
    of files that this run has written move with it. A file is written under
    another name first, so that a reader never sees half of it; it is not brought to the disk at once, since a
    picture that a power cut takes is no loss of state.

    One call removes :data:`REMOVED_AT_ONCE` files at most: a folder that is far beyond its bounds, as after
    they were lowered, comes within them step by step.

    Args:
        folder: made as needed.
        names: pattern of the names of the files; they are in folders of this one.
        bounds: of the folder.
        now: returns seconds since 1970.
        clock: returns monotonic seconds.
        free: returns the free bytes of the disk of a folder.
    """

    def __init__(
        self,
        folder: Path,
        names: re.Pattern[str],
        bounds: Bounds,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._folder, self._names, self._bounds = folder, names, bounds
        self._now, self._clock, self._free = now, clock, free
        self._times = now(), clock()
        self._files: OrderedDict[str, tuple[float, int]] = OrderedDict()  # time and size, oldest first
        self._size = self._growing = 0  # bytes of finished files, and of those that grow
        self._listed = False
        self._repeats = RepeatLimit()

    def write(self, name: str, content: bytes) -> Path:
        """Write a file, after removing the oldest ones that stand in its way, and return its path.

        Args:
            name: below the folder, such as ``yard/1.jpg``; a file of this name is replaced.
            content: of the file.

        Raises:
            NoSpaceError: there is no room.
            EdgeagentError: the file cannot be written.
        """
        growing = self.begin(name)
        try:
            growing.write(content)
            return growing.finish()
        finally:
            growing.discard()

    def begin(self, name: str) -> GrowingFile:
        """Return a new file to write to; it has its name only once it is finished.

        Args:
            name: below the folder; a file of this name is replaced.

        Raises:
            EdgeagentError: the file cannot be created.
        """
        path = self._folder / name
        try:
            path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._list()
        except OSError as error:
            raise EdgeagentError(f"{path}: cannot be written ({error.strerror})") from error
        return GrowingFile(self, name, path)

    def remove_old(self) -> bool:
        """Remove the files that are too old or too large together; return whether more is left.

        A folder that cannot be read is none that this run has written to; the next write tells.
        """
        try:
            self._list()
        except OSError:
            return False
        self._follow_clock()
        return self._remove_while(self._beyond) == REMOVED_AT_ONCE and self._beyond()

    def grow(self, size: int) -> None:
        """Remove the oldest files that stand in the way of more bytes, and count these.

        Raises:
            NoSpaceError: there is no room.
            OSError: the disk cannot be asked.
        """
        self._follow_clock()
        self._remove_while(self._too_old)
        if self._free(self._folder) + self._size < self._bounds.free + size:
            raise NoSpaceError(
                f"{self._folder}: {self._bounds.free} bytes would not be free on the disk, even without all "
                "older files; nothing is stored until there is room"
            )
        if self._growing + size > self._bounds.size:
            raise NoSpaceError(f"{self._folder}: a file would be larger than all together may be")
        self._remove_while(lambda: self._too_large(size))
        removed = self._remove_while(lambda: self._free(self._folder) < self._bounds.free + size)
        if removed and self._repeats.allows("full", time.monotonic()):
            logger.warning("%s: the disk is full; the oldest files are removed", self._folder)
        if removed == REMOVED_AT_ONCE and self._free(self._folder) < self._bounds.free + size:
            raise NoSpaceError(f"{self._folder}: the disk is full; older files are being removed")
        self._growing += size

    def shrink(self, size: int) -> None:
        """Count fewer bytes, those of a file that was given up."""
        self._growing -= size

    def finished(self, name: str, size: int) -> None:
        """Count a file whose bytes have been counted as it grew."""
        self._forget(name)
        self._growing -= size
        self._files[name] = self._now(), size
        self._size += size

    def _list(self) -> None:
        """Read what is in the folder, once.

        Raises:
            OSError: it cannot be read.
        """
        if self._listed:
            return
        found = []
        with os.scandir(self._folder) as entries:
            folders = [one.name for one in entries if one.is_dir(follow_symlinks=False)]
        for folder in folders:
            with os.scandir(self._folder / folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") and entry.name.endswith(NEW):
                        with suppress(OSError):
                            os.unlink(entry.path)  # noqa: PTH108 - a write that was interrupted
                    elif self._names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        facts = entry.stat(follow_symlinks=False)
                        found.append((facts.st_mtime, f"{folder}/{entry.name}", facts.st_size))
        for written_s, name, size in sorted(found):
            self._files[name] = written_s, size
            self._size += size
        self._listed = True

    def _follow_clock(self) -> None:
        """Move the times of the files when the clock was set."""
        now_s, clock_s = self._now(), self._clock()
        moved_s = (now_s - self._times[0]) - (clock_s - self._times[1])
        self._times = now_s, clock_s
        if abs(moved_s) > CLOCK_SET_S:
            logger.warning("the clock was set by %.0f s; files keep their age", moved_s)
            for name, (written_s, size) in self._files.items():
                self._files[name] = written_s + moved_s, size

    def _beyond(self) -> bool:
        """Return whether the oldest file is to be removed."""
        return bool(self._files) and (self._too_old() or self._too_large())

    def _too_old(self) -> bool:
        """Return whether the oldest file is too old."""
        return next(iter(self._files.values()))[0] < self._now() - self._bounds.age_s

    def _too_large(self, size: int = 0) -> bool:
        """Return whether all files are too large together, with more bytes."""
        return self._size + self._growing + size > self._bounds.size

    def _remove_while(self, beyond: Callable[[], bool]) -> int:
        """Remove the oldest files as long as that is needed, and return their number."""
        removed = 0
        while self._files and removed < REMOVED_AT_ONCE and beyond():
            self._remove(next(iter(self._files)))
            removed += 1
        return removed

    def _remove(self, name: str) -> None:
        """Remove a file; one that cannot be removed is left and no longer counted."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            if self._repeats.allows("left", time.monotonic()):
                logger.warning(
                    "%s/%s: cannot be removed (%s); left there", self._folder, name, error.strerror
                )
        self._forget(name)

    def _forget(self, name: str) -> None:
        known = self._files.pop(name, None)
        if known is not None:
            self._size -= known[1]


class GrowingFile:
    """File of :class:`RetainedFiles` that is being written, as a binary file for libraries.

    Args:
        files: whose bounds hold.
        name: below their folder.
        path: of the finished file.

    Attributes:
        path: of the finished file.

    Raises:
        EdgeagentError: the file cannot be created.
    """

    def __init__(self, files: RetainedFiles, name: str, path: Path) -> None:
        self._files, self._name, self.path = files, name, path
        self._new = path.with_name(f".{path.name}{NEW}")
        self._size, self._open = 0, True
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.fdopen(os.open(self._new, flags, PRIVATE_FILE), "wb")
        except OSError as error:
            raise self._error(error) from error

    def write(self, content: bytes) -> int:
        """Write bytes at the present place, and return their number; after :meth:`discard` they are dropped.

        Raises:
            NoSpaceError: there is no room.
            EdgeagentError: they cannot be written.
        """
        if not self._open:
            return len(content)
        try:
            more = max(0, self._file.tell() + len(content) - self._size)
            if more:
                self._files.grow(more)
                self._size += more
            return self._file.write(content)
        except OSError as error:
            raise self._error(error) from error

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the present place."""
        return self._file.seek(offset, whence) if self._open else 0

    def tell(self) -> int:
        """Return the present place."""
        return self._file.tell() if self._open else 0

    def finish(self) -> Path:
        """Give the file its name, and return its path.

        Raises:
            EdgeagentError: it cannot be written; it is gone.
        """
        try:
            self._file.close()
            self._new.replace(self.path)
        except OSError as error:
            raise self._error(error) from error
        self._open = False
        self._files.finished(self._name, self._size)
        return self.path

    def discard(self) -> None:
        """Remove the file unless it is finished."""
        if not self._open:
            return
        self._open = False
        self._files.shrink(self._size)
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._new.unlink(missing_ok=True)

    def _error(self, error: OSError) -> EdgeagentError:
        return EdgeagentError(f"{self.path}: cannot be written ({error.strerror})")
