"""Wheel set: archive with everything that a version of the agent needs on a platform.

A ZIP archive (stored, not compressed: wheels are)::

    manifest.json      version, platform, formats, and the list of wheels with hashes
    wheels/*.whl       the agent's own wheel and those of its requirements

Signed metadata of TUF has the hash of the archive; the manifest has those of the wheels, and each wheel lists
those of its files (RECORD, https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from pydantic import Field, PositiveInt, StringConstraints

from edgeagent.bundle.section import Sha256, Version
from edgeagent.delivery.repository.agent_entry import WheelPlatform
from edgeagent.delivery.repository.channel_entry import Signed
from edgeagent.errors import DeliveryError
from edgeagent.files.state_json import DamagedJsonError, parse_json

SET_MANIFEST, WHEELS = "manifest.json", "wheels/"
MOST_WHEELS, MOST_MANIFEST, MOST_UNPACKED = 500, 1 << 20, 8 << 30
WheelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}\.whl$")]


class WheelSetError(DeliveryError):
    """A wheel set is damaged, incomplete, or for another platform."""


class WheelFile(Signed):
    """Wheel of a set.

    Attributes:
        file: its name.
        sha256, size: of the file; size in bytes.
        unpacked: bytes of its files.
    """

    file: WheelName
    sha256: Sha256
    size: PositiveInt
    unpacked: PositiveInt

    @property
    def tags(self) -> frozenset[Tag]:
        """Compatibility tags in its name (PEP 425).

        Raises:
            WheelSetError: the name is none of a wheel.
        """
        return wheel_tags(self.file)


class WheelSetManifest(Signed):
    """Manifest of a wheel set.

    Attributes:
        version: of the agent.
        platform: that all wheels fit.
        provided: packages that the system of the boards has itself, and that are not in the set.
        record_format, state_format, minimum_state_format: see :mod:`edgeagent.launcher.formats`.
        wheels: all of them.
    """

    schema_version: Literal[1] = 1
    version: Version
    platform: WheelPlatform
    provided: tuple[str, ...] = ()
    record_format: PositiveInt
    state_format: PositiveInt
    minimum_state_format: PositiveInt
    wheels: Annotated[tuple[WheelFile, ...], Field(min_length=1, max_length=MOST_WHEELS)]

    @property
    def unpacked(self) -> int:
        """Bytes of all files of all wheels."""
        return sum(wheel.unpacked for wheel in self.wheels)


def read_set_manifest(archive: zipfile.ZipFile, source: str) -> WheelSetManifest:
    """Return the manifest of a set, after a check of the list of files in the archive.

    Args:
        archive: open.
        source: its name, for messages.

    Raises:
        WheelSetError: the manifest is missing or damaged, or the files are not those that it lists.
    """
    try:
        found = archive.getinfo(SET_MANIFEST)
        if found.file_size > MOST_MANIFEST:
            raise WheelSetError(f"{source}: its {SET_MANIFEST} has {found.file_size} bytes, too many")
        manifest = parse_json(archive.read(found), WheelSetManifest)
    except KeyError:
        raise WheelSetError(f"{source}: is no wheel set, it has no {SET_MANIFEST}") from None
    except DamagedJsonError as error:
        raise WheelSetError(
            f"{source}: its {SET_MANIFEST} is damaged, or for a newer edgeagent ({error})"
        ) from None
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise WheelSetError(f"{source}: is damaged ({error})") from None
    wanted = {SET_MANIFEST, *(f"{WHEELS}{wheel.file}" for wheel in manifest.wheels)}
    names = archive.namelist()
    if set(names) != wanted or len(names) != len(wanted):
        odd = sorted(set(names) ^ wanted) or ["a file twice"]
        raise WheelSetError(f"{source}: its files are not those of its {SET_MANIFEST}: {odd[0]}")
    if manifest.unpacked > MOST_UNPACKED:
        raise WheelSetError(f"{source}: has {manifest.unpacked} bytes unpacked, which is too much")
    return manifest


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an archive.

    Raises:
        WheelSetError: it cannot be read, or is no ZIP archive.
    """
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise WheelSetError(f"{path}: cannot be read ({error.strerror})") from None
    except (zipfile.BadZipFile, ValueError) as error:
        raise WheelSetError(f"{path}: is no wheel set, or damaged ({error})") from None


def wheel_tags(file: str) -> frozenset[Tag]:
    """Return the compatibility tags of a wheel by its name.

    Raises:
        WheelSetError: the name is none of a wheel.
    """
    try:
        return parse_wheel_filename(file)[3]
    except InvalidWheelFilename as error:
        raise WheelSetError(f"{file}: is no name of a wheel ({error})") from None


def check_tags(manifest: WheelSetManifest, supported: Iterable[Tag]) -> None:
    """Check that an interpreter can use every wheel of a set.

    Args:
        manifest: of the set.
        supported: tags of the interpreter.

    Raises:
        WheelSetError: one wheel is for another platform.
    """
    known = frozenset(supported)
    for wheel in manifest.wheels:
        if known.isdisjoint(wheel.tags):
            raise WheelSetError(
                f"{wheel.file}: is for another platform than this board; the set says {manifest.platform}"
            )
