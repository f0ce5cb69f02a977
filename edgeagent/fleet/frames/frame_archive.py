"""Frames of all devices on the disk, within a quota for each tenant.

::

    FOLDER/TENANT/DEVICE/CAMERA/TIME.json           notes of the device, sent first
                                TIME.jpg            picture; decoded before it is stored
                                TIME.labels.json    labels of a person

A tenant whose quota is full is refused further frames; nothing that is kept goes by itself. Names are checked
letter by letter before they become a path.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from edgeagent.errors import DataError, EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.naming import printable
from edgeagent.files.validation import first_mistake
from edgeagent.fleet.frames.received_notes import ReceivedNotes, TakenLabels
from edgeagent.fleet.frames.received_picture import check_received_picture
from edgeagent.fleet.page.permalinks import NO_TENANT, tenant_in

logger = logging.getLogger(__name__)

PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.@+ -]{0,63}")
"""Name of a device or a camera: no slash, and no dot first."""
STEM = re.compile(r"\d{1,12}\.\d{6}")
NOTES, PICTURE, LABELS = ".json", ".jpg", ".labels.json"
LATEST = 7_258_118_400.0
"""Start of the year 2200, in seconds since 1970: a later time is in another unit, or of a wrong clock."""
MOST_NOTES = 262_144
"""Most bytes of notes."""


class FrameRefusedError(DataError):
    """A frame that cannot be taken, now or ever."""


class QuotaFullError(EdgeagentError):
    """The frames of a tenant fill its quota."""


@dataclass(frozen=True, slots=True)
class FrameKey:
    """Identity of a frame.

    Attributes:
        tenant: "" for devices without one.
        device, camera: names.
        stem: seconds since 1970.
    """

    tenant: str
    device: str
    camera: str
    stem: str

    @property
    def path(self) -> str:
        """Path below the folder, without a suffix."""
        return f"{self.tenant or NO_TENANT}/{self.device}/{self.camera}/{self.stem}"

    @property
    def name(self) -> str:
        """Name of the picture in exports, unique over the fleet."""
        digest = hashlib.sha256(self.path.encode()).hexdigest()[:8]
        parts = (re.sub(r"[^A-Za-z0-9_-]", "_", one) for one in (self.device, self.camera, self.stem))
        return f"{'-'.join(parts)}-{digest}.jpg"

    @classmethod
    def checked(cls, tenant: str, device: str, camera: str, stem: str) -> FrameKey:
        """Return a key of names that somebody else has given.

        Raises:
            FrameRefusedError: one cannot be a part of a path.
        """
        if tenant == NO_TENANT:  # its folder is that of devices without a tenant
            raise FrameRefusedError(f"{NO_TENANT} is no name of a tenant; issue a token for another one")
        if not all(PART.fullmatch(one) for one in (tenant or NO_TENANT, device, camera)):
            raise FrameRefusedError("device and camera: use letters, digits and _ - . @ +, 64 at most")
        if not STEM.fullmatch(stem):
            raise FrameRefusedError("expected the seconds since 1970 with six decimals as the name of a file")
        return cls(tenant, device, camera, stem)


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """Frame with a picture.

    Attributes:
        key: its identity.
        notes: of the device.
        size: bytes of all its files.
        labels: of a person; None where nobody has labelled it.
    """

    key: FrameKey
    notes: ReceivedNotes
    size: int
    labels: TakenLabels | None = None


class FrameArchive:
    """Keeper of the frames; thread-safe.

    Args:
        folder: made as needed, for the owner only.
        quota: most bytes of the frames of one tenant.
    """

    def __init__(self, folder: Path, quota: int) -> None:
        self._folder, self._quota = folder, quota
        self._lock = threading.Lock()
        self._frames: dict[FrameKey, ReceivedFrame] = {}
        self._used: Counter[str] = Counter()
        for key, size in self._found():
            self._used[key.tenant] += size
            self._read(key, size)

    def put_notes(self, key: FrameKey, content: bytes) -> None:
        """Store the notes on a frame, whose picture follows.

        Raises:
            FrameRefusedError: they cannot be used.
            QuotaFullError: the tenant has no room.
            EdgeagentError: they cannot be written.
        """
        if float(key.stem) >= LATEST:
            raise FrameRefusedError(
                "the time of the frame is behind the year 2199; give seconds since 1970, and set the clock"
            )
        if len(content) > MOST_NOTES:
            raise FrameRefusedError(f"the notes have {len(content)} bytes; {MOST_NOTES} are the most")
        try:
            ReceivedNotes.model_validate_json(content)
        except ValidationError as error:
            raise FrameRefusedError(f"the notes cannot be used ({first_mistake(error)})") from None
        self._write(key, NOTES, content)

    def put_picture(self, key: FrameKey, content: bytes) -> None:
        """Decode the picture of a frame, and store it.

        Raises:
            FrameRefusedError: its notes are missing.
            DataError: it is no such picture.
            QuotaFullError: the tenant has no room.
            EdgeagentError: it cannot be written.
        """
        notes = self._notes(key)
        if notes is None:
            raise FrameRefusedError("the notes are missing; send NAME.json first")
        check_received_picture(content, (notes.width, notes.height), key.name)
        self._write(key, PICTURE, content)

    def put_labels(self, key: FrameKey, labels: TakenLabels) -> None:
        """Store the labels of a person; earlier ones are replaced.

        Raises:
            EdgeagentError: they cannot be written.
        """
        self._write(key, LABELS, labels.model_dump_json().encode(), limited=False)

    def picture(self, key: FrameKey) -> Path | None:
        """Return the picture of a frame; None where there is none."""
        with self._lock:
            return self._path(key, PICTURE) if key in self._frames else None

    def frames(self, tenant: str | None) -> list[ReceivedFrame]:
        """Return frames, newest first.

        Args:
            tenant: whose; None for those of all.
        """
        with self._lock:
            found = [one for one in self._frames.values() if tenant is None or one.key.tenant == tenant]
        return sorted(found, key=lambda one: (-float(one.key.stem), one.key.path))

    def used(self, tenant: str) -> tuple[int, int]:
        """Return how many bytes a tenant uses, and how many it may."""
        with self._lock:
            return self._used[tenant], self._quota

    def remove(self, keys: Sequence[FrameKey]) -> int:
        """Remove frames with all their files; return how many there were.

        Raises:
            EdgeagentError: one cannot be removed.
        """
        removed = 0
        for key in keys:
            with self._lock:
                known = self._frames.pop(key, None)
                try:
                    for suffix in (PICTURE, LABELS, NOTES):
                        self._path(key, suffix).unlink(missing_ok=True)
                except OSError as error:
                    raise EdgeagentError(f"{key.path}: cannot be removed ({error.strerror})") from error
                if known is not None:
                    removed += 1
                    self._used[key.tenant] -= known.size
        return removed

    def _path(self, key: FrameKey, suffix: str) -> Path:
        return self._folder / f"{key.path}{suffix}"

    def _write(self, key: FrameKey, suffix: str, content: bytes, limited: bool = True) -> None:
        path = self._path(key, suffix)
        with self._lock:
            before = path.stat().st_size if path.is_file() else 0
            more = len(content) - before
            if limited and self._used[key.tenant] + more > self._quota:
                raise QuotaFullError(
                    f"the frames of this tenant fill their {self._quota} bytes; remove some on the page, or "
                    "raise --frames-quota"
                )
            write_state(path, content)
            self._used[key.tenant] += more
            self._read(key, sum(one.stat().st_size for one in self._files(key)))

    def _files(self, key: FrameKey) -> list[Path]:
        paths = (self._path(key, suffix) for suffix in (NOTES, PICTURE, LABELS))
        return [path for path in paths if path.is_file()]

    def _notes(self, key: FrameKey) -> ReceivedNotes | None:
        try:
            return ReceivedNotes.model_validate_json(self._path(key, NOTES).read_bytes())
        except (OSError, ValidationError):
            return None

    def _read(self, key: FrameKey, size: int) -> None:
        """Know a frame that has a picture."""
        if not self._path(key, PICTURE).is_file():
            return
        notes = self._notes(key)
        if notes is None:
            logger.warning("%s: its notes cannot be read; the frame is not shown", printable(key.path))
            return
        frame = ReceivedFrame(key, notes, size)
        path = self._path(key, LABELS)
        if path.is_file():
            try:
                frame = replace(frame, labels=TakenLabels.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError):
                logger.warning("%s: its labels cannot be read; bring them again", printable(key.path))
        self._frames[key] = frame

    def _found(self) -> Iterator[tuple[FrameKey, int]]:
        """Return what an earlier run has left, with bytes."""
        for camera in sorted(self._folder.glob("*/*/*")):
            if camera.is_symlink() or not camera.is_dir():
                continue
            tenant, device = tenant_in(camera.parts[-3]), camera.parts[-2]
            sizes: Counter[str] = Counter()
            for path in camera.iterdir():
                found = re.match(r"\d{1,12}\.\d{6}(?=\.)", path.name)
                if found is not None and path.is_file() and not path.is_symlink():
                    sizes[found.group()] += path.stat().st_size
            for stem, size in sizes.items():
                yield FrameKey(tenant, device, camera.name, stem), size
