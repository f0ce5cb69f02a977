"""Wheel sets on the publisher's side: check a folder of wheels, and pack it as an archive.

Whatever would fail on a board is refused here: a file that is no wheel, a wheel for another platform than the
others, a requirement that no wheel of the set fulfils, and an agent that does not state its formats.
"""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from edgeagent.delivery.agent.wheel_files import installed_name, record_hashes
from edgeagent.delivery.agent.wheel_set import (
    SET_MANIFEST,
    WHEELS,
    WheelFile,
    WheelSetError,
    WheelSetManifest,
    open_archive,
    read_set_manifest,
    wheel_tags,
)
from edgeagent.delivery.repository.agent_entry import WheelPlatform
from edgeagent.files.hashing import chunks
from edgeagent.files.validation import first_mistake

AGENT = "edgeagent"
FORMATS = "edgeagent/launcher/formats.py"
_NUMBERS = ("RECORD_FORMAT", "STATE_FORMAT", "MINIMUM_STATE_FORMAT")
_OLD_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class CheckedWheel:
    """Wheel that was examined: its file, entry and metadata."""

    path: Path
    entry: WheelFile
    metadata: Message

    @property
    def name(self) -> str:
        """Normal name of its project."""
        return str(canonicalize_name(self.metadata["Name"]))


@dataclass(frozen=True)
class CheckedSet:
    """Wheel set that was checked.

    Attributes:
        manifest: of it.
        wheels: its files.
    """

    manifest: WheelSetManifest
    wheels: tuple[CheckedWheel, ...]

    def write(self, target: Path) -> None:
        """Write the archive, with equal bytes for equal wheels.

        Raises:
            WheelSetError: a wheel was changed since it was checked.
            OSError: the disk is full or fails.
        """
        with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
            content = (self.manifest.model_dump_json(indent=1, exclude_none=True) + "\n").encode()
            archive.writestr(zipfile.ZipInfo(SET_MANIFEST, _ZIP_DATE), content)
            for wheel in self.wheels:
                info = zipfile.ZipInfo(f"{WHEELS}{wheel.entry.file}", _ZIP_DATE)
                digest = hashlib.sha256()
                with wheel.path.open("rb") as source, archive.open(info, "w", force_zip64=True) as copy:
                    for chunk in chunks(source):
                        digest.update(chunk)
                        copy.write(chunk)
                if digest.hexdigest() != wheel.entry.sha256:
                    raise WheelSetError(f"{wheel.path}: was changed while it was packed")


def check_wheels(
    folder: Path, provided: Sequence[str] = (), extras: Sequence[str] = (), python: str | None = None
) -> CheckedSet:
    """Check a folder of wheels.

    Args:
        folder: whose files are all wheels.
        provided: packages that the boards have from their system, and that are not in the set.
        extras: of the agent whose requirements must be in the set, too.
        python: version of the boards' interpreter; None takes that of the wheels.

    Raises:
        WheelSetError: the set would not work; the message lists why.
    """
    wheels = tuple(_examined(path) for path in _files(folder))
    agents = [wheel for wheel in wheels if wheel.name == AGENT]
    if len(agents) != 1:
        raise WheelSetError(f"{folder}: has {len(agents)} wheels of {AGENT}; one is needed")
    platform = _platform(wheels, python)
    missing = sorted(set(_missing(wheels, platform, provided, extras)))
    if missing:
        raise WheelSetError(
            f"{folder}: {'; '.join(missing)}. Add the wheels, or name with --provided what the system of the "
            "boards has"
        )
    agent = agents[0]
    numbers = _formats(agent.path)
    try:
        manifest = WheelSetManifest(
            version=agent.metadata["Version"],
            platform=platform,
            provided=tuple(sorted(str(canonicalize_name(name)) for name in provided)),
            record_format=numbers["RECORD_FORMAT"],
            state_format=numbers["STATE_FORMAT"],
            minimum_state_format=numbers["MINIMUM_STATE_FORMAT"],
            wheels=tuple(wheel.entry for wheel in wheels),
        )
    except ValidationError as error:
        mistake = first_mistake(error)
        raise WheelSetError(f"{folder}: {mistake} ({mistake.value!r})") from None
    return CheckedSet(manifest, wheels)


def unpack_set(archive: Path, folder: Path) -> WheelSetManifest:
    """Unpack an archive into a folder of wheels, to be checked as such; return its manifest.

    Raises:
        WheelSetError: it is damaged.
    """
    with open_archive(archive) as content:
        manifest = read_set_manifest(content, str(archive))
        for wheel in manifest.wheels:
            try:
                data = content.read(f"{WHEELS}{wheel.file}")
            except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
                raise WheelSetError(f"{archive}: {wheel.file} is damaged ({error})") from None
            (folder / wheel.file).write_bytes(data)
    return manifest


def _files(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise WheelSetError(f"{folder}: cannot be read ({error.strerror})") from None
    other = [path.name for path in found if path.suffix != ".whl"]
    if other:
        sdist = any(name.endswith((".tar.gz", ".zip")) for name in other)
        build = "; a source archive is not built on boards, make a wheel of it" if sdist else ""
        raise WheelSetError(f"{folder}: {other[0]} is no wheel{build}")
    return found


def _examined(path: Path) -> CheckedWheel:
    """Return a wheel, whose every file has the hash of RECORD."""
    wheel_tags(path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            hashes = record_hashes(archive, path.name)
            unpacked = 0
            for member in archive.infolist():
                installed_name(member.filename, path.name)
                unpacked += member.file_size
                digest = hashlib.sha256(archive.read(member)).hexdigest()
                if hashes.get(member.filename, digest) != digest:
                    raise WheelSetError(f"{path.name}: {member.filename} has not the hash of its RECORD")
            (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            message = Parser().parsestr(archive.read(metadata).decode())
    except (zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise WheelSetError(f"{path.name}: is no wheel, or damaged ({error})") from None
    except OSError as error:
        raise WheelSetError(f"{path}: cannot be read ({error.strerror})") from None
    content = path.read_bytes()
    entry = WheelFile(
        file=path.name, sha256=hashlib.sha256(content).hexdigest(), size=len(content), unpacked=unpacked
    )
    return CheckedWheel(path, entry, message)


def _platform(wheels: Iterable[CheckedWheel], python: str | None) -> WheelPlatform:
    """Return the platform that all wheels fit, from their tags."""
    pythons, machines, libcs = {python} if python else set(), set(), []
    for wheel in wheels:
        tags = wheel.entry.tags
        exact = {_version(tag) for tag in tags if tag.abi.startswith("cp")}
        if exact and not any(tag.abi in ("abi3", "none") for tag in tags):
            pythons |= exact
        native = [tag for tag in tags if tag.platform != "any"]
        if not native:
            continue
        found = [_libc_and_machine(tag, wheel.entry.file) for tag in native]
        machines |= {machine for _, machine in found}
        libcs.append(min(libc for libc, _ in found))
    if len(pythons) > 1 or len(machines) > 1:
        what = " and ".join(sorted({*pythons, *machines}))
        raise WheelSetError(f"the wheels are for different platforms: {what}")
    return WheelPlatform(
        python=next(iter(pythons), None), machine=next(iter(machines), None), glibc=max(libcs, default=None)
    )


def _version(tag: Tag) -> str:
    return f"{tag.interpreter[2]}.{tag.interpreter[3:]}"


def _libc_and_machine(tag: Tag, source: str) -> tuple[tuple[int, int], str]:
    for name, libc in _OLD_MANYLINUX.items():
        if tag.platform.startswith(f"{name}_"):
            return libc, tag.platform.removeprefix(f"{name}_")
    parts = tag.platform.split("_", 3)
    if parts[0] != "manylinux" or len(parts) != 4:
        raise WheelSetError(
            f"{source}: is for {tag.platform}; only wheels for manylinux say which C library they need"
        )
    return (int(parts[1]), int(parts[2])), parts[3]


def _missing(
    wheels: Sequence[CheckedWheel], platform: WheelPlatform, provided: Sequence[str], extras: Sequence[str]
) -> Iterator[str]:
    """Yield every requirement for the platform that no wheel of the set fulfils."""
    found = {wheel.name: wheel for wheel in wheels}
    absent = {str(canonicalize_name(name)) for name in provided}
    environment = _markers(platform)
    for wheel in wheels:
        needs = wheel.metadata.get("Requires-Python")
        if needs and platform.python and not _fits(needs, platform.python, wheel.name):
            yield f"{wheel.name} needs Python {needs}, the set is for {platform.python}"
        wanted = ("", *extras) if wheel.name == AGENT else ("",)
        for line in wheel.metadata.get_all("Requires-Dist", []):
            try:
                requirement = Requirement(line)
            except InvalidRequirement as error:
                raise WheelSetError(f"{wheel.entry.file}: its requirement {line!r} is invalid") from error
            marker = requirement.marker
            if marker and not any(marker.evaluate({**environment, "extra": extra}) for extra in wanted):
                continue
            name = str(canonicalize_name(requirement.name))
            other = found.get(name)
            if other is None and name not in absent:
                yield f"{wheel.name} needs {requirement}"
            elif other is not None and not requirement.specifier.contains(
                other.metadata["Version"], prereleases=True
            ):
                yield f"{wheel.name} needs {requirement}, the set has {other.metadata['Version']}"


def _fits(specifier: str, python: str, source: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(f"{python}.99")
    except InvalidSpecifier as error:
        raise WheelSetError(f"{source}: its Requires-Python {specifier!r} is invalid") from error


def _markers(platform: WheelPlatform) -> dict[str, str]:
    """Return the environment of the boards for dependency markers (PEP 508)."""
    python = platform.python or "3.11"
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": platform.machine or "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def _formats(agent: Path) -> dict[str, int]:
    """Return the numbers of :mod:`edgeagent.launcher.formats` of an agent's wheel, without running it."""
    with zipfile.ZipFile(agent) as archive:
        try:
            tree = ast.parse(io.TextIOWrapper(archive.open(FORMATS), "utf-8").read())
        except (KeyError, SyntaxError, ValueError):
            raise WheelSetError(
                f"{agent.name}: has no readable {FORMATS}; this version cannot be delivered"
            ) from None
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and isinstance(node.value.value, int):
                    found[target.id] = node.value.value
    if not set(_NUMBERS) <= set(found):
        raise WheelSetError(f"{agent.name}: {FORMATS} lacks one of {', '.join(_NUMBERS)}")
    return found
