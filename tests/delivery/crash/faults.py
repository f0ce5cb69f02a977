"""A disk on which the machine dies at a chosen step, and on which a power cut loses what it may lose.

Every fsync, sync, rename, removal, new folder and new link below a root is a step. A process can be made to
die just before any of them: by SIGKILL alone, which loses nothing that was written, or by a power cut. Then

- bytes that were written to a file since its last fsync are partly gone, or zeros;
- of names that were made, changed or removed since the last fsync of their folder, the latest ones are as
  before: a new file or folder is gone, a renamed one has its old name, a removed one is back.

How much is lost is drawn by a seed. That is as pessimistic as POSIX allows for one folder, and keeps the
order of changes of names, as journalling file systems do.
"""

from __future__ import annotations

import builtins
import io
import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Plan:
    """Where a process dies.

    Attributes:
        step: number of the step before which it does, from 1; 0 never.
        how: only the process, or the power.
        seed: of what a power cut loses.
    """

    step: int
    how: Literal["kill", "power"] = "kill"
    seed: int = 0


@dataclass(frozen=True)
class _Change:
    """A change of a name that no fsync of its folder has followed yet.

    Attributes:
        folder: whose fsync makes it last.
        undo: makes it not have happened.
    """

    folder: Path
    undo: Callable[[], None]


class FaultyDisk:
    """Watches what this process does below a folder.

    Args:
        root: of the state.
        shadow: folder on the same file system, for what may come back.
        plan: where to die.

    Attributes:
        steps: what was done, as ``fsync state/record.json.new``.
    """

    def __init__(self, root: Path, shadow: Path, plan: Plan) -> None:
        self._root, self._shadow, self._plan = root.resolve(), shadow, plan
        self._shadow.mkdir(parents=True, exist_ok=True)
        self.steps: list[str] = []
        self._pending: list[_Change] = []
        self._safe: dict[int, int] = {}  # bytes that are on the disk of each file that was written, by inode
        self._saved, self._dead = 0, False

    def install(self) -> None:
        """Put itself between this process and the system, for good."""
        self._fsync, self._rename, self._mkdir = os.fsync, os.rename, os.mkdir
        self._unlink, self._rmdir, self._os_open, self._open = os.unlink, os.rmdir, os.open, io.open
        os.fsync, os.mkdir, os.rmdir, os.open = self.fsync, self.mkdir, self.rmdir, self.os_open  # type: ignore[assignment]
        self._symlink, os.symlink = os.symlink, self.symlink  # type: ignore[assignment]
        os.sync = self.sync
        os.rename = os.replace = self.rename  # type: ignore[assignment]
        os.unlink = os.remove = self.unlink
        io.open = builtins.open = self.open

    def fsync(self, descriptor: int) -> None:
        """Make a file or the names in a folder last."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not self._is_ours(path):
            return self._fsync(descriptor)
        self._step("fsync", path)
        status = os.fstat(descriptor)
        if path.is_dir():
            self._pending = [change for change in self._pending if change.folder != path]
        else:
            self._safe[status.st_ino] = status.st_size
        return None  # a real one would only cost time: this process dies, not the machine

    def sync(self) -> None:
        """Make everything last."""
        self._step("sync", self._root)
        self._pending = []
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder) / name for name in names):
                status = path.lstat()
                self._safe[status.st_ino] = status.st_size

    def rename(self, source: Any, target: Any, **keywords: Any) -> None:
        """Rename a file or a folder."""
        old, new = self._path(source), self._path(target)
        if not self._is_ours(new):
            return self._rename(source, target, **keywords)
        self._step("rename", new)
        before = self._save(new)
        self._rename(old, new)

        def undo() -> None:
            self._rename(new, old)
            if before is not None:
                self._rename(before, new)

        self._pending.append(_Change(new.parent, undo))
        return None

    def mkdir(self, path: Any, mode: int = 0o777, **keywords: Any) -> None:
        """Make a folder."""
        new = self._path(path)
        if not self._is_ours(new) or new.exists():
            return self._mkdir(path, mode, **keywords)
        self._step("mkdir", new)
        self._mkdir(new, mode)
        self._pending.append(_Change(new.parent, lambda: shutil.rmtree(new)))
        return None

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        """Remove a file."""
        old = self._path(path, dir_fd)
        if not self._is_ours(old):
            return self._unlink(path, dir_fd=dir_fd)
        self._step("unlink", old)
        saved = self._save(old)
        self._unlink(old)
        if saved is not None:
            self._pending.append(_Change(old.parent, lambda: self._rename(saved, old)))
        return None

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        """Remove a folder."""
        old = self._path(path, dir_fd)
        if not self._is_ours(old):
            return self._rmdir(path, dir_fd=dir_fd)
        self._step("rmdir", old)
        self._rmdir(old)
        self._pending.append(_Change(old.parent, lambda: self._mkdir(old)))
        return None

    def symlink(self, target: Any, path: Any, *arguments: Any, **keywords: Any) -> None:
        """Make a symbolic link."""
        new = self._path(path)
        if not self._is_ours(new):
            return self._symlink(target, path, *arguments, **keywords)
        self._step("symlink", new)
        self._symlink(target, new)
        self._pending.append(_Change(new.parent, lambda: self._unlink(new)))
        return None

    def os_open(self, path: Any, flags: int, mode: int = 0o777, **keywords: Any) -> int:
        """Open a descriptor; a file that is opened to be written may be torn."""
        if (
            isinstance(path, int)
            or keywords.get("dir_fd") is not None
            or not flags & (os.O_WRONLY | os.O_RDWR)
        ):
            return self._os_open(path, flags, mode, **keywords)
        with self._Writing(self, self._path(path), bool(flags & os.O_TRUNC)):
            return self._os_open(path, flags, mode, **keywords)

    def open(self, file: Any, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:
        """Open a file; one that is opened to be written may be torn."""
        if isinstance(file, int) or not set("wax+").intersection(mode):
            return self._open(file, mode, *arguments, **keywords)
        with self._Writing(self, self._path(file), "w" in mode):
            return self._open(file, mode, *arguments, **keywords)

    class _Writing:
        """Notes a file that is opened to be written: what is on the disk of it, and whether it is new."""

        def __init__(self, disk: FaultyDisk, path: Path, truncated: bool) -> None:
            self._disk, self._path, self._truncated = disk, path, truncated
            self._new = not path.exists()

        def __enter__(self) -> None:
            return

        def __exit__(self, *_: object) -> None:
            if not self._disk._is_ours(self._path) or not self._path.is_file():
                return
            path, status = self._path, self._path.stat()
            if self._truncated or self._new:
                self._disk._safe[status.st_ino] = 0
            else:
                self._disk._safe.setdefault(status.st_ino, status.st_size)
            if self._new:
                unlink = self._disk._unlink
                self._disk._pending.append(_Change(path.parent, lambda: unlink(path)))

    def _step(self, what: str, path: Path) -> None:
        self.steps.append(f"{what} {path.relative_to(self._root)}")
        if len(self.steps) != self._plan.step:
            return
        if self._plan.how == "power":
            self._lose_power()
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()  # it comes at once, but not necessarily before the next line

    def _lose_power(self) -> None:
        chance, self._dead = random.Random(self._plan.seed), True
        lost = chance.randint(0, len(self._pending))
        for change in reversed(self._pending[len(self._pending) - lost :]):
            try:
                change.undo()
            except OSError:  # a later change made it last, as its folder is not there any more
                continue
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder) / name for name in names):
                if not path.is_symlink():
                    self._tear(path, chance)

    def _tear(self, path: Path, chance: random.Random) -> None:
        status = path.lstat()
        safe = self._safe.get(status.st_ino, status.st_size)
        if safe >= status.st_size:
            return
        left = chance.randint(safe, status.st_size)
        path.chmod(0o644)
        descriptor = self._os_open(path, os.O_WRONLY)
        os.ftruncate(descriptor, left)
        if chance.random() < 0.5:  # the length was written, the content not
            os.ftruncate(descriptor, status.st_size)
        os.close(descriptor)

    def _save(self, path: Path) -> Path | None:
        """Keep a file or a link that is about to be replaced or removed."""
        if not path.is_symlink() and not path.is_file():
            return None
        self._saved += 1
        saved = self._shadow / str(self._saved)
        os.link(path, saved, follow_symlinks=False)
        return saved

    def _is_ours(self, path: Path) -> bool:
        return path.is_relative_to(self._root) and not self._dead

    @staticmethod
    def _path(path: Any, dir_fd: int | None = None) -> Path:
        above = Path.cwd() if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink()
        return above / os.fsdecode(path)
