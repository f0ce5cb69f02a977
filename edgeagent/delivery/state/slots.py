"""Model slots: a folder for each model, which never changes once it is sealed.

::

    partial/<slot>/...   being fetched
    slots/<slot>/...     sealed: complete, verified, on the disk, read-only
    damaged/<slot>/...   was sealed, and does not verify any more

A slot is made by one rename of a folder whose content is on the disk. Its seal lists the files of the bundle
in it, and holds the hash of the manifest, which in turn holds theirs.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.reading import MANIFEST, Bundle, open_bundle
from edgeagent.bundle.section import FileName, Sha256
from edgeagent.delivery.state.record import Installed, StateDocument
from edgeagent.errors import BundleError
from edgeagent.files.atomic import sync, write_state
from edgeagent.files.durable import disk_errors, make_folder, move_folder, remove_folder
from edgeagent.files.hashing import hash_file
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)

SEAL = "seal.json"
READ_ONLY = 0o444


class Seal(StateDocument):
    """Seal of a slot, the content of ``seal.json``.

    Attributes:
        model: in the slot.
        manifest_sha256: hash of its manifest.
        files: names of the bundle's files in the slot, without the manifest.
    """

    model: Installed
    manifest_sha256: Sha256
    files: tuple[FileName, ...]


@dataclass(frozen=True)
class _Deletable:
    """Folder that may be deleted; size in bytes."""

    path: Path
    size: int
    age_s: float


class ModelSlots:
    """Slots of a board.

    Args:
        folder: of delivery; subfolders are made when they are needed.
    """

    def __init__(self, folder: Path) -> None:
        self._slots, self._partial, self._damaged = (folder / n for n in ("slots", "partial", "damaged"))

    def partial(self, model: Installed) -> Path:
        """Return the folder into which the files of a model are fetched; make it if needed.

        Raises:
            DeliveryError: it cannot be made.
        """
        folder = self._partial / model.slot
        with disk_errors(folder):
            make_folder(folder)
        return folder

    def discard(self, model: Installed) -> None:
        """Remove the fetched files of a model that has no slot yet.

        Raises:
            DeliveryError: it cannot be removed.
        """
        folder = self._partial / model.slot
        with disk_errors(folder):
            if folder.exists():
                remove_folder(folder)

    def seal(self, model: Installed, files: Collection[str]) -> Bundle:
        """Verify the fetched files of a model, bring them to the disk, and make them a slot.

        Args:
            model: that was fetched.
            files: names of the files of the slot; others are removed.

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
        """Return whether a model has a slot, verified or not."""
        return (self._slots / model.slot).is_dir()

    def open(self, model: Installed) -> Bundle:
        """Verify a slot and return its bundle.

        Raises:
            BundleError: it is missing or damaged, or holds another model.
        """
        folder = self._slots / model.slot
        seal = _read_seal(folder)
        return _open(folder, model, seal.files, seal.manifest_sha256)

    def quarantine(self, model: Installed) -> None:
        """Move a slot that does not verify to ``damaged``, if it is there.

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
        """Return the models that have a slot, not verified, in the order of their names."""
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
        """Return the size of each slot in bytes, by name."""
        return {folder.name: _size(folder) for folder in _folders(self._slots)}

    def fetched(self, model: Installed) -> int:
        """Return the bytes of a model that are fetched so far."""
        return _size(self._partial / model.slot)

    def prune(self, keep: Collection[str], most_bytes: int, most_s: float) -> list[str]:
        """Delete slots and partial downloads, oldest first, and return the names of the deleted slots.

        Args:
            keep: slots that stay, whatever their size, also while they are fetched.
            most_bytes: size of all others together.
            most_s: age in seconds after which one is deleted anyhow, by the system's clock: a step of the
                clock may delete others early or late, but never those of ``keep``.

        Raises:
            DeliveryError: something cannot be deleted.
        """
        with disk_errors(self._slots):
            others = [self._deletable(f) for f in _folders(self._slots) + _folders(self._damaged)]
        others = [one for one in others if one.path.parent != self._slots or one.path.name not in keep]
        others.sort(key=lambda one: one.age_s)
        gone, total = [], 0
        for one in others:
            total += one.size
            if total > most_bytes or one.age_s > most_s:
                self._delete(one.path)
                gone += [one.path.name] if one.path.parent == self._slots else []
        for folder in _folders(self._partial):
            if folder.name not in keep:
                self._delete(folder)
        return gone

    def _delete(self, folder: Path) -> None:
        """Delete a folder; a slot is moved to ``damaged`` first, so that no partial slot remains."""
        with disk_errors(folder):
            if folder.parent == self._slots:
                aside = self._damaged / folder.name
                if aside.exists():
                    remove_folder(aside)
                move_folder(folder, aside)
                folder = aside
            remove_folder(folder)

    def _deletable(self, folder: Path) -> _Deletable:
        dated = folder / SEAL if (folder / SEAL).exists() else folder
        return _Deletable(folder, _size(folder), time.time() - dated.stat().st_mtime)

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
        return read_json(folder / SEAL, Seal)
    except FileNotFoundError:
        raise BundleError(f"{folder}: there is no sealed model") from None
    except OSError as error:
        raise BundleError(f"{folder}: {SEAL} cannot be read ({error.strerror})") from None
    except DamagedJsonError:
        raise BundleError(f"{folder}: {SEAL} is damaged; the model has to be fetched again") from None


def _folders(above: Path) -> list[Path]:
    return sorted(path for path in above.iterdir() if path.is_dir()) if above.is_dir() else []


def _files(folder: Path) -> list[Path]:
    return [Path(inner) / name for inner, _, names in os.walk(folder) for name in names]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in _files(folder))
