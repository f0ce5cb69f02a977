"""Where models lie: each in a slot of its own that never changes.

::

    partial/<slot>/...   being fetched
    slots/<slot>/...     sealed: whole, verified, on the disk, read-only
    damaged/<slot>/...   was sealed once, and does not verify any more

A slot is made by one rename of a folder whose content is on the disk. Its seal tells which files of the
bundle are there, and the hash of the manifest, which has theirs.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edgeagent.bundle.manifest import FileName, Sha256
from edgeagent.bundle.reading import MANIFEST, Bundle, open_bundle
from edgeagent.delivery.state.record import Installed, Remembered
from edgeagent.errors import BundleError
from edgeagent.files.atomic import sync, write_state
from edgeagent.files.durable import disk_errors, make_folder, move_folder, remove_folder
from edgeagent.files.hashing import hash_file

logger = logging.getLogger(__name__)

SEAL = "seal.json"
READ_ONLY = 0o444


class Seal(Remembered):
    """What a slot holds.

    Attributes:
        model: which.
        manifest_sha256: of its manifest.
        files: names of the files of the bundle that are there, without the manifest.
    """

    model: Installed
    manifest_sha256: Sha256
    files: tuple[FileName, ...]


@dataclass(frozen=True)
class _Heap:
    """A folder that may be deleted."""

    path: Path
    size: int
    age_s: float


class ModelSlots:
    """The slots of a board.

    Args:
        folder: of delivery; nothing is made before it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._slots, self._partial, self._damaged = (folder / n for n in ("slots", "partial", "damaged"))

    def partial(self, model: Installed) -> Path:
        """Return the folder that the files of a model are fetched into.

        Raises:
            DeliveryError: it cannot be made.
        """
        folder = self._partial / model.slot
        with disk_errors(folder):
            make_folder(folder)
        return folder

    def discard(self, model: Installed) -> None:
        """Remove what was fetched of a model.

        Raises:
            DeliveryError: it cannot be removed.
        """
        folder = self._partial / model.slot
        with disk_errors(folder):
            if folder.exists():
                remove_folder(folder)

    def seal(self, model: Installed, files: Collection[str]) -> Bundle:
        """Verify what was fetched, put it on the disk, and make it a slot.

        Args:
            model: which.
            files: names of its files that make the slot; others are removed.

        Raises:
            BundleError: the files are not those of the manifest, or the manifest is not the model's.
            DeliveryError: the disk is full or fails, or the slot exists.
        """
        source, target = self._partial / model.slot, self._slots / model.slot
        with disk_errors(target):
            wanted = tuple(sorted({*files} - {MANIFEST}))
            bundle = _open(source, model, wanted, _manifest_hash(source))
            self._put_on_disk(source, Seal(model=model, manifest_sha256=_manifest_hash(source), files=wanted))
            move_folder(source, target)
        return dataclasses.replace(bundle, directory=target)

    def has(self, model: Installed) -> bool:
        """Return whether a model has a slot; it need not verify."""
        return (self._slots / model.slot).is_dir()

    def open(self, model: Installed) -> Bundle:
        """Verify a slot and return its bundle.

        Raises:
            BundleError: it is missing or damaged, or holds another model.
        """
        folder = self._slots / model.slot
        seal = _read_seal(folder)
        return _open(folder, model, seal.files, seal.manifest_sha256)

    def put_aside(self, model: Installed) -> None:
        """Move a slot that does not verify out of the way; it may be missing.

        Raises:
            DeliveryError: it cannot be moved.
        """
        source, target = self._slots / model.slot, self._damaged / model.slot
        with disk_errors(source):
            if target.exists():
                remove_folder(target)
            if source.exists():
                move_folder(source, target)

    def installed(self) -> list[Installed]:
        """Return the models that have a slot, without verifying them; in the order of their names."""
        found = []
        for folder in _folders(self._slots):
            try:
                seal = _read_seal(folder)
            except BundleError as error:
                logger.error("%s", error)
                continue
            if seal.model.slot == folder.name:
                found.append(seal.model)
        return found

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each slot, by its name."""
        return {folder.name: _size(folder) for folder in _folders(self._slots)}

    def fetched(self, model: Installed) -> int:
        """Return the bytes that were fetched of a model so far."""
        return _size(self._partial / model.slot)

    def prune(self, keep: Collection[str], most_bytes: int, most_s: float) -> list[str]:
        """Delete what is not needed, and return the names of the slots that are gone.

        Args:
            keep: slots that stay whatever they weigh, also while they are fetched.
            most_bytes: that all others may have; the oldest go first.
            most_s: after which one goes anyhow. It is told by the clock of the system: after a step of that
                the others may go early or late, never those of ``keep``.

        Raises:
            DeliveryError: something cannot be deleted.
        """
        heaps = [self._heap(f) for f in _folders(self._slots) + _folders(self._damaged)]
        heaps = [heap for heap in heaps if heap.path.parent != self._slots or heap.path.name not in keep]
        heaps.sort(key=lambda heap: heap.age_s)
        gone, total = [], 0
        for heap in heaps:
            total += heap.size
            if total > most_bytes or heap.age_s > most_s:
                self._delete(heap.path)
                gone += [heap.path.name] if heap.path.parent == self._slots else []
        for folder in _folders(self._partial):
            if folder.name not in keep:
                self._delete(folder)
        return gone

    def _delete(self, folder: Path) -> None:
        """Delete a folder; a slot goes through ``damaged``, so that half of one is never taken for whole."""
        with disk_errors(folder):
            if folder.parent == self._slots:
                aside = self._damaged / folder.name
                if aside.exists():
                    remove_folder(aside)
                move_folder(folder, aside)
                folder = aside
            remove_folder(folder)

    def _heap(self, folder: Path) -> _Heap:
        mark = folder / SEAL if (folder / SEAL).exists() else folder
        return _Heap(folder, _size(folder), time.time() - mark.stat().st_mtime)

    def _put_on_disk(self, folder: Path, seal: Seal) -> None:
        names = {MANIFEST, *seal.files}
        for path in _files(folder):
            if str(path.relative_to(folder)) not in names:
                path.unlink()
                continue
            path.chmod(READ_ONLY)
            sync(path)
        write_state(folder / SEAL, seal.model_dump_json(indent=2).encode())
        (folder / SEAL).chmod(READ_ONLY)
        for inner, _, _ in os.walk(folder, topdown=False):
            sync(Path(inner))


def _open(folder: Path, model: Installed, files: Collection[str], manifest_sha256: str) -> Bundle:
    bundle = open_bundle(folder, files, manifest_sha256)
    manifest = bundle.manifest
    same_name = (manifest.name, manifest.version) == (model.name, model.version)
    if not same_name or not model.slot.endswith(f"-{manifest_sha256[:12]}"):
        raise BundleError(
            f"{folder}: holds {manifest.name} {manifest.version} with the manifest {manifest_sha256[:12]}, "
            f"not {model.name} {model.version}; do not use it"
        )
    return bundle


def _manifest_hash(folder: Path) -> str:
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder}: {MANIFEST} is missing; fetch it again")
    return hash_file(path)


def _read_seal(folder: Path) -> Seal:
    try:
        return Seal.model_validate_json((folder / SEAL).read_bytes())
    except FileNotFoundError:
        raise BundleError(f"{folder}: there is no sealed model") from None
    except OSError as error:
        raise BundleError(f"{folder}: {SEAL} cannot be read ({error.strerror})") from None
    except ValidationError:
        raise BundleError(f"{folder}: {SEAL} is damaged; the model has to be fetched again") from None


def _folders(above: Path) -> list[Path]:
    return sorted(path for path in above.iterdir() if path.is_dir()) if above.is_dir() else []


def _files(folder: Path) -> list[Path]:
    return [Path(inner) / name for inner, _, names in os.walk(folder) for name in names]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in _files(folder))
