"""Frames of all devices on the disk, within a quota for each tenant.

::

    FOLDER/TENANT/DEVICE/CAMERA/TIME.json           notes of the device, sent first
                                TIME.jpg            picture; decoded before it is stored
                                TIME.labels.json    labels of a person

A tenant whose quota is full is refused further frames; no frame with a picture goes by itself, and no file of
a device is replaced. Notes whose picture is refused or does not follow are removed.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from edgeagent.errors import DataError, EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.naming import printable
from edgeagent.files.several import replace_files
from edgeagent.files.validation import first_mistake
from edgeagent.fleet.frames.frame_key import FrameKey, FrameRefusedError
from edgeagent.fleet.frames.received_notes import ReceivedNotes, TakenLabels
from edgeagent.fleet.frames.received_picture import check_received_picture
from edgeagent.fleet.page.permalinks import tenant_in

logger = logging.getLogger(__name__)

NOTES, PICTURE, LABELS = ".json", ".jpg", ".labels.json"
LATEST = 7_258_118_400.0
"""Start of the year 2200, in seconds since 1970: a later time is in another unit, or of a wrong clock."""
WAIT_S = 600.0
"""Longest time between notes and picture; a board that comes later sends both again."""
MOST_NOTES = 262_144
"""Most bytes of notes."""


class FrameTakenError(EdgeagentError):
    """Another file of this name is there, which stays."""


class QuotaFullError(EdgeagentError):
    """The frames of a tenant fill its quota."""


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
        clock: returns monotonic seconds.
    """

    def __init__(self, folder: Path, quota: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._quota, self._clock = folder, quota, clock
        self._lock = threading.Lock()
        self._frames: dict[FrameKey, ReceivedFrame] = {}
        self._sizes: dict[FrameKey, int] = {}
        self._waiting: dict[FrameKey, float] = {}
        """Frames without a picture, and until when they are kept."""
        self._used: Counter[str] = Counter()
        for key in self._found():
            self._look(key)
        self._forget_waiting()

    def put_notes(self, key: FrameKey, content: bytes) -> None:
        """Store the notes on a frame, whose picture follows.

        Raises:
            FrameRefusedError: they cannot be used.
            FrameTakenError: others are there.
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
        """Decode the picture of a frame, and store it; the notes of one that is refused are removed.

        Raises:
            FrameRefusedError: its notes are missing.
            DataError: it is no such picture.
            FrameTakenError: another one is there.
            QuotaFullError: the tenant has no room.
            EdgeagentError: it cannot be written.
        """
        notes = self._notes(key)
        if notes is None:
            raise FrameRefusedError("the notes are missing; send NAME.json first")
        try:
            if not self._stored(key, PICTURE, content):
                check_received_picture(content, (notes.width, notes.height), key.name)
                self._write(key, PICTURE, content)
        except DataError:
            self.refuse_picture(key)
            raise

    def refuse_picture(self, key: FrameKey) -> None:
        """Remove the notes of a frame whose picture is not taken; a frame with a picture stays."""
        with self._lock:
            if not self._path(key, PICTURE).is_file():
                self._remove(key)

    def put_labels(self, labels: Mapping[FrameKey, TakenLabels]) -> None:
        """Store the labels of a person for frames that are here, all or none; earlier ones are replaced.

        Raises:
            EdgeagentError: they cannot be written.
        """
        contents = {self._path(key, LABELS): one.model_dump_json().encode() for key, one in labels.items()}
        with self._lock:
            gone = next((key for key in labels if key not in self._frames), None)
            if gone is not None:
                raise EdgeagentError(f"{gone.name}: has been removed meanwhile; export the frames again")
            try:
                replace_files(contents)
            except OSError as error:
                raise EdgeagentError(
                    f"the labels cannot be stored ({error.strerror}); all are as they were"
                ) from error
            for key in labels:
                self._look(key)

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
            self._forget_waiting()
            return self._used[tenant], self._quota

    def remove(self, keys: Sequence[FrameKey]) -> int:
        """Remove frames with all their files; return how many there were.

        Raises:
            EdgeagentError: one cannot be removed.
        """
        removed = 0
        for key in keys:
            with self._lock:
                known = key in self._frames
                self._remove(key)
                removed += known
        return removed

    def _path(self, key: FrameKey, suffix: str) -> Path:
        return self._folder / f"{key.path}{suffix}"

    def _stored(self, key: FrameKey, suffix: str, content: bytes) -> bool:
        """Return whether a file of a device is there.

        Raises:
            FrameTakenError: it is another one.
            EdgeagentError: it cannot be read.
        """
        path = self._path(key, suffix)
        try:
            if not path.is_file():
                return False
            same = path.read_bytes() == content
        except OSError as error:
            raise EdgeagentError(f"{path}: cannot be read ({error.strerror})") from error
        if not same:
            raise FrameTakenError("another file of this name is there, and stays")
        return True

    def _write(self, key: FrameKey, suffix: str, content: bytes) -> None:
        """Write a file of a device; one that is there is not replaced."""
        path = self._path(key, suffix)
        with self._lock:
            if self._stored(key, suffix, content):
                return
            if suffix == PICTURE and self._notes(key) is None:  # removed meanwhile
                raise FrameRefusedError("the notes are missing; send NAME.json first")
            if self._used[key.tenant] + len(content) > self._quota:
                self._forget_waiting(key)
            if self._used[key.tenant] + len(content) > self._quota:
                raise QuotaFullError(
                    f"the frames of this tenant fill their {self._quota} bytes; remove some on the page, or "
                    "raise --frames-quota"
                )
            write_state(path, content)
            self._look(key)

    def _remove(self, key: FrameKey) -> None:
        try:
            for suffix in (PICTURE, LABELS, NOTES):
                self._path(key, suffix).unlink(missing_ok=True)
        except OSError as error:
            raise EdgeagentError(f"{key.path}: cannot be removed ({error.strerror})") from error
        finally:
            self._look(key)

    def _forget_waiting(self, needed: FrameKey | None = None) -> None:
        """Remove notes whose picture has not followed in time, but for those of a frame that comes now."""
        now = self._clock()
        for key in [one for one, until in self._waiting.items() if until <= now and one != needed]:
            try:
                self._remove(key)
            except EdgeagentError as error:
                logger.warning("notes without a picture: %s", printable(str(error)))
                return

    def _files(self, key: FrameKey) -> list[Path]:
        paths = (self._path(key, suffix) for suffix in (NOTES, PICTURE, LABELS))
        return [path for path in paths if path.is_file()]

    def _size(self, key: FrameKey) -> int:
        return sum(one.stat().st_size for one in self._files(key))

    def _notes(self, key: FrameKey) -> ReceivedNotes | None:
        try:
            return ReceivedNotes.model_validate_json(self._path(key, NOTES).read_bytes())
        except (OSError, ValidationError):
            return None

    def _look(self, key: FrameKey) -> None:
        """Know a frame as it is on the disk."""
        files = self._files(key)
        size = sum(one.stat().st_size for one in files)
        self._used[key.tenant] += size - self._sizes.pop(key, 0)
        self._frames.pop(key, None)
        if not files:
            self._waiting.pop(key, None)
            return
        self._sizes[key] = size
        if not self._path(key, PICTURE).is_file():
            age = max(0.0, time.time() - max(one.stat().st_mtime for one in files))
            self._waiting.setdefault(key, self._clock() + WAIT_S - age)
            return
        self._waiting.pop(key, None)
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

    def _found(self) -> Iterator[FrameKey]:
        """Return what an earlier run has left; what it has not written whole is removed."""
        for camera in sorted(self._folder.glob("*/*/*")):
            if camera.is_symlink() or not camera.is_dir():
                continue
            tenant, device = tenant_in(camera.parts[-3]), camera.parts[-2]
            stems = set()
            for path in camera.iterdir():
                found = re.match(r"\d{1,12}\.\d{6}(?=\.)", path.name)
                if found is None or path.is_symlink() or not path.is_file():
                    continue
                if path.suffix == ".new":
                    with suppress(OSError):
                        path.unlink()
                stems.add(found.group())
            for stem in sorted(stems):
                yield FrameKey(tenant, device, camera.name, stem)
