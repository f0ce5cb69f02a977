"""Writing a model bundle so that a reader finds a whole one in its place, or none.

A new bundle is built in ``.NAME.part`` beside its target, put on the disk (fsync), opened and verified like
any other, and only then renamed. When it replaces an old one, that one waits as ``.NAME.old`` between two
renames; an interruption there is repaired by the next :func:`write_bundle` to the same target.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import to_jsonable_python

from edgeagent.bundle.files import check_name
from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.manifest_text import manifest_data, manifest_text
from edgeagent.bundle.reading import (
    MANIFEST,
    Bundle,
    open_bundle,
    validate_manifest,
    verify_files,
)
from edgeagent.errors import BundleError

_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_bundle(
    directory: Path,
    manifest: Mapping[str, Any] | Manifest,
    files: Mapping[str, Path | bytes],
    *,
    replace: bool = False,
) -> Bundle:
    """Write a bundle and return it, verified.

    Args:
        directory: where; directories above it are made as needed.
        manifest: fields as in docs/bundle.md, as plain data or sections of
            :mod:`edgeagent.bundle.manifest`. ``sha256`` and ``size`` of the files are filled in;
            ``evidence.files`` may be a list of names.
        files: content, or a file to copy, for each name in the bundle: at least those the manifest names.
        replace: replace a bundle that is already there; it stays until the new one is complete.

    Raises:
        BundleError: the target exists, a file is not given or cannot be read, the manifest is wrong, or
            the disk is full or fails. What was in place before is then still there, and nothing else.
    """
    directory = Path(os.path.abspath(directory))  # noqa: PTH100  (a link stays a link, to be refused)
    part, old = (directory.with_name(f".{directory.name}.{suffix}") for suffix in ("part", "old"))
    with _system_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _locked(directory.parent):
            _repair(directory, part, old)
            _refuse_target(directory, replace)
            try:
                part.mkdir()
                _fill(part, directory, manifest, files)
                bundle = open_bundle(part)
                _move_into_place(part, directory, old)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return changed(bundle, directory=directory)


def update_manifest(directory: Path, changes: Mapping[str, Any]) -> Bundle:
    """Replace top-level fields of a bundle's manifest and return the bundle, verified.

    Fields that are not in ``changes`` stay, those that this version does not know included.

    Raises:
        BundleError: the bundle is damaged, the new manifest is wrong or does not fit the files, or it
            cannot be written. The old manifest is then still in place.
    """
    part = directory / f".{MANIFEST}.part"
    with _system_errors(directory), _locked(directory.resolve().parent):
        data = {**manifest_data(open_bundle(directory).manifest), **to_jsonable_python(dict(changes))}
        manifest = validate_manifest(data, str(directory / MANIFEST))
        verify_files(directory, manifest)
        try:
            part.unlink(missing_ok=True)
            _put(manifest_text(manifest).encode(), part)
            part.replace(directory / MANIFEST)
            _sync(directory)
        finally:
            part.unlink(missing_ok=True)
        return open_bundle(directory)


@contextmanager
def _system_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = "free some space" if error.errno in _FULL else "check the disk and its permissions"
        raise BundleError(
            f"{directory}: cannot be written ({error.strerror}), what was there is unchanged; {advice}"
        ) from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other writers out of a directory."""
    with _opened(directory) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _sync(directory: Path) -> None:
    """Put the names in a directory on the disk."""
    with _opened(directory) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _repair(directory: Path, part: Path, old: Path) -> None:
    """Undo what an interrupted writer left."""
    if part.exists():
        shutil.rmtree(part)
    if old.exists() and not directory.exists():
        old.rename(directory)
    elif old.exists():
        shutil.rmtree(old)


def _refuse_target(directory: Path, replace: bool) -> None:
    if directory.is_symlink():
        raise BundleError(f"{directory}: is a symbolic link; name the directory itself")
    if not directory.exists():
        return
    if not replace:
        raise BundleError(f"{directory}: exists already; remove it or choose another directory")
    if not (directory / MANIFEST).is_file():
        raise BundleError(f"{directory}: is not a bundle and is not replaced; choose another directory")


def _fill(
    part: Path, target: Path, manifest: Mapping[str, Any] | Manifest, files: Mapping[str, Path | bytes]
) -> None:
    """Put files and manifest into ``part``, all of it on the disk."""
    facts = {}
    for name, content in files.items():
        check_name(target, name)
        if name == MANIFEST:
            raise BundleError(f"{target}: {MANIFEST} is written from the manifest given; leave it out")
        facts[name] = _put(content, part / name)
    data = manifest_data(manifest) if isinstance(manifest, Manifest) else to_jsonable_python(dict(manifest))
    _fill_in_facts(target, data, facts)
    complete = validate_manifest(data, str(target / MANIFEST))
    _put(manifest_text(complete).encode(), part / MANIFEST)
    for folder, _, _ in os.walk(part):
        _sync(Path(folder))


def _fill_in_facts(target: Path, data: dict[str, Any], facts: Mapping[str, tuple[str, int]]) -> None:
    def fact(name: str) -> tuple[str, int]:
        if name not in facts:
            raise BundleError(f"{target}: the manifest names {name!r}, but no such file was given")
        return facts[name]

    for artefact in data.get("artefacts", ()):
        if "file" in artefact:  # else the schema tells
            artefact["sha256"], artefact["size"] = fact(artefact["file"])
    golden = data.get("golden")
    if golden and "pictures" in golden and "outputs" in golden:
        labels = (golden.get("accuracy") or {}).get("labels", {}).values()
        names = (*golden["pictures"], golden["outputs"], *golden.get("other_outputs", {}).values(), *labels)
        golden["sha256"] = {name: fact(name)[0] for name in names}
    evidence = data.get("evidence")
    if evidence and "files" in evidence:
        evidence["files"] = {name: fact(name)[0] for name in evidence["files"]}


def _put(content: Path | bytes, target: Path) -> tuple[str, int]:
    """Write a new file, put it on the disk and return its SHA-256 and its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with _source(content) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def _source(content: Path | bytes) -> BinaryIO:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    try:
        return content.open("rb")
    except OSError as error:
        raise BundleError(f"{content}: cannot be read ({error.strerror})") from None


def _move_into_place(part: Path, directory: Path, old: Path) -> None:
    if not directory.exists():
        part.rename(directory)
        _sync(directory.parent)
        return
    directory.rename(old)
    try:
        part.rename(directory)
    except OSError:
        old.rename(directory)
        raise
    _sync(directory.parent)
    shutil.rmtree(old, ignore_errors=True)
