"""Files of a wheel, verified against its RECORD and laid into ``site-packages``.

Format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/. Of the ``.data``
folder only ``purelib`` and ``platlib`` are used: the agent starts no script and reads no header of a package.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path, PurePosixPath

from edgeagent.delivery.agent.wheel_set import WheelFile, WheelSetError
from edgeagent.files.hashing import chunks, hash_file

MOST_FILES, MOST_RECORD = 100_000, 32 << 20
_UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")


def unpack_wheel(path: Path, wheel: WheelFile, site: Path) -> None:
    """Unpack a wheel.

    Args:
        path: of the wheel's file.
        wheel: entry of the set's manifest, for names and bounds.
        site: folder of the packages.

    Raises:
        WheelSetError: a file is not that of RECORD, has an unsafe name, is larger than stated, or differs
            from that of another wheel.
        OSError: the disk is full or fails.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            hashes = record_hashes(archive, wheel.file)
            left = wheel.unpacked
            for member in archive.infolist():
                if member.is_dir():
                    continue
                left -= member.file_size
                if left < 0:
                    raise WheelSetError(f"{wheel.file}: has more bytes unpacked than its manifest says")
                _unpack(archive, member, hashes.get(member.filename), wheel.file, site)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise WheelSetError(f"{wheel.file}: is damaged ({error})") from None


def record_hashes(archive: zipfile.ZipFile, source: str) -> dict[str, str]:
    """Return the SHA-256 of each file of a wheel by its name, from RECORD.

    Raises:
        WheelSetError: RECORD is missing or damaged, or a file has no SHA-256 in it.
    """
    members = archive.infolist()
    if len(members) > MOST_FILES:
        raise WheelSetError(f"{source}: has {len(members)} files, which is too much")
    records = [one for one in members if _is_of_dist_info(one.filename, "RECORD")]
    if len(records) != 1 or records[0].file_size > MOST_RECORD:
        raise WheelSetError(f"{source}: is no wheel, it has no single RECORD")
    found = {}
    try:
        for row in csv.reader(io.StringIO(archive.read(records[0]).decode())):
            if row and row[1].startswith("sha256="):
                digest = row[1].partition("=")[2]
                found[row[0]] = base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    except (ValueError, IndexError, csv.Error) as error:
        raise WheelSetError(f"{source}: its RECORD is damaged ({error})") from None
    for member in members:
        listed = member.filename in found or any(_is_of_dist_info(member.filename, one) for one in _UNLISTED)
        if not member.is_dir() and not listed:
            raise WheelSetError(f"{source}: {member.filename} has no SHA-256 in RECORD")
    return found


def _unpack(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, expected: str | None, source: str, site: Path
) -> None:
    name = installed_name(member.filename, source)
    if name is None:
        return
    target = site / name
    there = target.exists()
    temporary = target.with_name(f"{target.name}.new") if there else target
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(member) as file, temporary.open("xb") as copy:
        for chunk in chunks(file):
            digest.update(chunk)
            copy.write(chunk)
    if expected is not None and digest.hexdigest() != expected:
        raise WheelSetError(f"{source}: {member.filename} has not the hash of its RECORD")
    temporary.chmod(0o755 if member.external_attr >> 16 & 0o111 else 0o644)
    if there:
        if hash_file(target) != digest.hexdigest():
            raise WheelSetError(f"{source}: {name} is also in another wheel, with other content")
        temporary.unlink()


def installed_name(member: str, source: str) -> str | None:
    """Return the name below ``site-packages``; None for a file that is not installed.

    Raises:
        WheelSetError: the name leads somewhere else.
    """
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or "\\" in member or "\0" in member or not path.parts:
        raise WheelSetError(f"{source}: the name {member!r} leads out of its folder")
    if path.parts[0].endswith(".data"):
        if len(path.parts) < 3 or path.parts[1] not in ("purelib", "platlib"):
            return None
        path = PurePosixPath(*path.parts[2:])
    return str(path)


def _is_of_dist_info(name: str, file: str) -> bool:
    folder, _, last = name.partition("/")
    return folder.endswith(".dist-info") and last == file
