"""Releases of tiny bundles that really detect, and a source that gives them out from a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.bundle.reading import MANIFEST
from edgeagent.delivery.errors import CancelledError, RefusedError
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.delivery.update.protocols import TargetRelease
from edgeagent.files.hashing import hash_file
from tests.engines.cell_detector import build_bundle

PIECE = 4096


@dataclass(frozen=True)
class Published:
    """A release, where its files lie, and their hashes as signed metadata would give them."""

    release: Release
    folder: Path
    hashes: dict[str, str]


def publish(folder: Path, version: str = "1.0.0", sequence: int = 1) -> Published:
    """Build a bundle in a folder and return its release."""
    return published(build_bundle(folder, version=version).directory, version, sequence)


def published(folder: Path, version: str, sequence: int) -> Published:
    """Return the release of a bundle that is in a folder already."""
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    release = Release(
        name="tiny",
        version=version,
        sequence=sequence,
        boards=("any",),
        manifest_sha256=hash_file(folder / MANIFEST),
        files={name: path.stat().st_size for name, path in paths.items()},
        rollout=Rollout(id=f"to-{version}"),
    )
    return Published(release, folder, {name: hash_file(path) for name, path in paths.items()})


class FolderSource:
    """Gives out releases from folders, resumable and durable as the client does it.

    Args:
        offered: the newest last; it is what the device is to have.

    Attributes:
        check_error, fetch_error: raised by every check, and every fetch, as long as they are set.
        waits: why nothing may serve yet.
        waiting, expires, leave, board: what it says of the last check, and of the board.
        fetched, copied: files that were asked for, in order, and the bytes that were copied.
        offers_nothing: whether there is no target, whatever is offered.
        on_piece: called after every piece of a file.
        action: of every target.
    """

    def __init__(self, *offered: Published) -> None:
        self.offered = list(offered)
        self.check_error: Exception | None = None
        self.fetch_error: Exception | None = None
        self.waits: str | None = None
        self.fetched: list[str] = []
        self.copied = 0
        self.on_piece: Callable[[], None] = lambda: None
        self.offers_nothing = False
        self.action: str | None = None
        self.waiting: str | None = None
        self.expires: str | None = None
        self.leave: str | None = None
        self.board: str | None = None

    def target(self) -> TargetRelease | None:
        """Return the newest release."""
        if self.check_error is not None:
            raise self.check_error
        if self.offers_nothing:
            return None
        release = next((one.release for one in reversed(self.offered)), None)
        source: Literal["channel", "hawkbit"] = "hawkbit" if self.action else "channel"
        return TargetRelease(release, source, self.action) if release else None

    def find(self, name: str, version: str) -> Release | None:
        """Return a release that is offered."""
        named = (one.release for one in self.offered)
        return next((one for one in named if (one.name, one.version) == (name, version)), None)

    @property
    def withdrawn(self) -> frozenset[str] | None:
        """Return the slots of the withdrawn releases."""
        return frozenset(one.release.slot for one in self.offered if one.release.withdrawn is not None)

    def board_hindrance(self, release: Release) -> str | None:
        """Return why not, as it was set."""
        return self.board

    def serve_hindrance(self, release: Release) -> str | None:
        """Return why not, as it was set."""
        return self.waits

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = lambda size: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Copy a file in pieces, going on where the last attempt ended."""
        self.fetched.append(file)
        if self.fetch_error is not None:
            raise self.fetch_error
        published = next(one for one in self.offered if one.release.slot == release.slot)
        if destination.is_file() and hash_file(destination) == published.hashes[file]:
            return
        destination.parent.mkdir(parents=True, exist_ok=True)
        part = destination.with_name(f"{destination.name}.part")
        with part.open("ab") as target, (published.folder / file).open("rb") as origin:
            origin.seek(target.tell())
            while piece := origin.read(PIECE):
                if cancelled():
                    raise CancelledError(f"{file}: the download was cancelled")
                target.write(piece)
                self.copied += len(piece)
                target.flush()
                progress(origin.tell())
                self.on_piece()
            target.flush()
            os.fsync(target.fileno())
        if hash_file(part) != published.hashes[file]:
            part.unlink()
            raise RefusedError(f"{file}: its sha256 is not the one in signed metadata")
        part.replace(destination)
        descriptor = os.open(destination.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
