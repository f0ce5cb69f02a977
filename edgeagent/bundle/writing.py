"""Atomic writing of a model bundle: a reader finds a complete bundle or none.

A new bundle is built in ``.NAME.part`` beside its target, flushed to the disk (fsync), opened and verified
like any other, and then renamed. A replaced bundle is kept as ``.NAME.old`` between the two renames; the next
:func:`write_bundle` to the same target repairs an interruption there.
"""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from edgeagent.files.atomic import replace_file, sync
from edgeagent.files.hashing import copy_hashed

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_bundle(
    directory: Path,
    manifest: Mapping[str, Any] | Manifest,
    files: Mapping[str, Path | bytes],
    *,
    replace: bool = False,
) -> Bundle:
    """Write a bundle, verify it and return it.

    Args:
        directory: target directory; parent directories are created as needed.
        manifest: fields as in docs/bundle.md, as plain data or sections of
            :mod:`edgeagent.bundle.manifest`. ``sha256`` and ``size`` of the files are computed;
            ``evidence.files`` may be a list of names.
        files: content, or a file to copy, by name in the bundle; at least the files of the manifest.
        replace: replace an existing bundle, which stays until the new one is complete.

    Raises:
        BundleError: the target exists, a file is missing or unreadable, the manifest is invalid, or the disk
            is full or fails. The previous state of the target is then unchanged.
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
                _write_content(part, directory, manifest, files)
                bundle = open_bundle(part)
                _move_into_place(part, directory, old)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return dataclasses.replace(bundle, directory=directory)


def update_manifest(directory: Path, changes: Mapping[str, Any]) -> Bundle:
    """Replace top-level fields of a bundle's manifest, verify the bundle and return it.

    Fields that are not in ``changes`` stay, including unknown ones.

    Raises:
        BundleError: the bundle is damaged, the new manifest is invalid or does not match the files, or it
            cannot be written. The old manifest then stays in place.
    """
    with _system_errors(directory), _locked(directory.resolve().parent):
        data = {**manifest_data(open_bundle(directory).manifest), **to_jsonable_python(dict(changes))}
        manifest = validate_manifest(data, str(directory / MANIFEST))
        verify_files(directory, manifest)
        replace_file(directory / MANIFEST, manifest_text(manifest).encode())
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
    """Hold an exclusive lock on a directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _repair(directory: Path, part: Path, old: Path) -> None:
    """Restore the state before an interrupted writer."""
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
        raise BundleError(
            f"{directory}: exists already; remove it, replace it (--replace), or choose another directory"
        )
    if not (directory / MANIFEST).is_file():
        raise BundleError(f"{directory}: is not a bundle and is not replaced; choose another directory")


def _write_content(
    part: Path, target: Path, manifest: Mapping[str, Any] | Manifest, files: Mapping[str, Path | bytes]
) -> None:
    """Write files and manifest into ``part`` and flush them to the disk."""
    facts = {}
    for name, content in files.items():
        check_name(target, name)
        if name == MANIFEST:
            raise BundleError(f"{target}: {MANIFEST} is written from the manifest given; leave it out")
        facts[name] = _write_file(content, part / name)
    data = manifest_data(manifest) if isinstance(manifest, Manifest) else to_jsonable_python(dict(manifest))
    _complete_manifest(target, data, facts)
    complete = validate_manifest(data, str(target / MANIFEST))
    _write_file(manifest_text(complete).encode(), part / MANIFEST)
    for folder, _, _ in os.walk(part):
        sync(Path(folder))


def _complete_manifest(target: Path, data: dict[str, Any], facts: Mapping[str, tuple[str, int]]) -> None:
    def fact(name: str) -> tuple[str, int]:
        if name not in facts:
            raise BundleError(f"{target}: the manifest names {name!r}, but no such file was given")
        return facts[name]

    for artefact in data.get("artefacts", ()):
        if "file" in artefact:  # otherwise the schema reports it
            artefact["sha256"], artefact["size"] = fact(artefact["file"])
    golden = data.get("golden")
    if golden and "pictures" in golden and "outputs" in golden:
        labels = (golden.get("accuracy") or {}).get("labels", {}).values()
        names = (*golden["pictures"], golden["outputs"], *golden.get("other_outputs", {}).values(), *labels)
        golden["sha256"] = {name: fact(name)[0] for name in names}
    evidence = data.get("evidence")
    if evidence and "files" in evidence:
        evidence["files"] = {name: fact(name)[0] for name in evidence["files"]}


def _write_file(content: Path | bytes, target: Path) -> tuple[str, int]:
    """Write a new file, flush it to the disk and return (SHA-256 in hexadecimal, size in bytes)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _source(content) as source:
        return copy_hashed(source, target)


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
        sync(directory.parent)
        return
    directory.rename(old)
    try:
        part.rename(directory)
    except OSError:
        old.rename(directory)
        raise
    sync(directory.parent)
    shutil.rmtree(old, ignore_errors=True)
