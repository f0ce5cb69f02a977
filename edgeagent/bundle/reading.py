"""Opening and verifying a model bundle. Nothing is used before everything is verified.

Order of the checks: the directory, ``manifest.yaml`` (a regular file of at most 1 MiB), its YAML, the
required version, the schema, then for every file in the manifest its path, type, size and hash. Other files
are ignored. A device that fetched only the artefacts it can run has a partial bundle; the files present are
verified in the same way.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeagent.bundle.files import MAX_ARTEFACT, MAX_EVIDENCE, MAX_GOLDEN, locate, verify_file
from edgeagent.bundle.manifest import SCHEMA_VERSION, Artefact, GoldenSet, Manifest
from edgeagent.bundle.onnx_message import external_files
from edgeagent.bundle.task import TASKS
from edgeagent.errors import BundleError
from edgeagent.files.resources import included_bundles
from edgeagent.files.strict_yaml import MAX_BYTES, YamlMistakeError, parse
from edgeagent.files.validation import first_mistake
from edgeagent.version import __version__

MANIFEST = "manifest.yaml"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Verified bundle.

    Attributes:
        directory: directory of the bundle.
        manifest: its manifest.
    """

    directory: Path
    manifest: Manifest

    def artefact_path(self, artefact: Artefact) -> Path:
        """Return the path of an artefact of this bundle."""
        return self.directory / artefact.file

    def golden_pictures(self) -> tuple[Path, ...]:
        """Return the paths of the golden pictures, in order; empty without a golden set."""
        golden = self.manifest.golden
        return tuple(self.directory / name for name in golden.pictures) if golden else ()

    def golden_outputs(self, artefact: Artefact) -> Path | None:
        """Return the path of an artefact's reference outputs; None without a golden set."""
        golden = self.manifest.golden
        if golden is None:
            return None
        return self.directory / golden.other_outputs.get(artefact.grid, golden.outputs)


def open_bundle(
    directory: str | Path, files: Collection[str] | None = None, manifest_sha256: str | None = None
) -> Bundle:
    """Verify a bundle and return it.

    Args:
        directory: directory of the bundle.
        files: names of the files of a partial bundle, see :func:`restrict_manifest`; None for a complete one.
        manifest_sha256: expected SHA-256 of the manifest in hexadecimal, where a trusted source provides it.

    Raises:
        BundleError: the bundle is missing, damaged, hostile or requires a newer edgeagent. The message names
            the file or field.
    """
    directory = Path(directory)
    try:
        found = directory.is_dir()
    except OSError as error:
        raise BundleError(f"{directory}: cannot be opened ({error.strerror})") from None
    if not found:
        names = ", ".join(included_bundles())
        hint = f", or name an included bundle: {names}" if len(directory.parts) == 1 else ""
        raise BundleError(f"{directory}: no such bundle directory; check the path{hint}")
    path, _ = locate(directory, MANIFEST, MAX_BYTES)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{directory}: {MANIFEST} cannot be read ({error.strerror})") from None
    digest = hashlib.sha256(content).hexdigest()
    if manifest_sha256 is not None and digest != manifest_sha256:
        raise BundleError(
            f"{directory}: {MANIFEST} has the sha256 {digest[:12]}..., {manifest_sha256[:12]}... was "
            "expected; copy the bundle again"
        )
    manifest = parse_manifest(content, str(path))
    if files is not None:
        manifest = restrict_manifest(manifest, files, str(directory))
    verify_files(directory, manifest)
    return Bundle(directory, manifest)


def restrict_manifest(manifest: Manifest, files: Collection[str], source: str) -> Manifest:
    """Return the manifest of a partial bundle.

    It keeps the golden set, with the reference outputs of the grids of the remaining artefacts, and the
    evidence files that are present.

    Args:
        manifest: manifest of the complete bundle.
        files: names of the files present.
        source: name of the bundle, for messages.

    Raises:
        BundleError: no artefact is among the files.
    """
    artefacts = tuple(artefact for artefact in manifest.artefacts if artefact.file in files)
    if not artefacts:
        raise BundleError(f"{source}: none of the artefacts of {manifest.name} {manifest.version} is there")
    evidence = manifest.evidence
    kept = {name: sha256 for name, sha256 in evidence.files.items() if name in files}
    return manifest.model_copy(
        update={
            "artefacts": artefacts,
            "golden": manifest.golden and _restrict_golden(manifest.golden, artefacts),
            "evidence": evidence.model_copy(update={"files": kept}),
        }
    )


def _restrict_golden(golden: GoldenSet, artefacts: tuple[Artefact, ...]) -> GoldenSet:
    grids = {artefact.grid for artefact in artefacts}
    others = {grid: name for grid, name in golden.other_outputs.items() if grid in grids}
    outputs = golden.outputs if grids - set(others) else next(iter(others.values()))
    unused = {golden.outputs, *golden.other_outputs.values()} - {outputs, *others.values()}
    hashes = {name: sha256 for name, sha256 in golden.sha256.items() if name not in unused}
    return golden.model_copy(update={"outputs": outputs, "other_outputs": others, "sha256": hashes})


def parse_manifest(content: bytes, source: str) -> Manifest:
    """Parse the content of a manifest file.

    Args:
        content: content of the file.
        source: name of the file, for messages.

    Raises:
        BundleError: the content is not UTF-8 YAML, does not match the schema or requires a newer edgeagent.
    """
    try:
        document = parse(content, quick=True)
    except YamlMistakeError as error:
        raise BundleError(f"{source}: line {error.line}: {error}") from None
    for line, place in document.duplicates:
        raise BundleError(f"{source}: line {line}: duplicate key {place[-1]!r}")
    if not isinstance(document.data, dict):
        raise BundleError(f"{source}: holds no mapping; docs/bundle.md describes a manifest")
    return validate_manifest(document.data, source)


def validate_manifest(data: dict[str, Any], source: str) -> Manifest:
    """Return the manifest of plain data, as parsed from a file.

    The version and the task are checked before the schema, because fields of a newer version may not match
    this schema.

    Args:
        data: fields of the manifest.
        source: name of the file, for messages.

    Raises:
        BundleError: see :func:`parse_manifest`.
    """
    schema, wanted = data.get("schema_version", SCHEMA_VERSION), data.get("minimum_agent_version")
    task = data.get("task")
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise BundleError(
            f"{source}: has schema version {schema}, this edgeagent ({__version__}) knows {SCHEMA_VERSION}; "
            "install a newer edgeagent"
        )
    if isinstance(wanted, str) and needs_newer(wanted, __version__):
        raise BundleError(
            f"{source}: needs edgeagent {wanted} or newer, this is {__version__}; install a newer edgeagent"
        )
    if isinstance(task, str) and task not in TASKS:
        raise BundleError(
            f"{source}: is for the task {task!r}, this edgeagent ({__version__}) knows {', '.join(TASKS)}; "
            "install a newer edgeagent, or correct the task"
        )
    try:
        return Manifest.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        others = error.error_count() - 1
        more = f" (and {others} more)" if others else ""
        raise BundleError(f"{source}: {first_mistake(error)}{more}") from None


def verify_files(directory: Path, manifest: Manifest) -> None:
    """Verify that every file of a manifest is in the directory, complete and unchanged.

    Raises:
        BundleError: see :func:`edgeagent.bundle.files.verify_file`; or the weights of an ONNX artefact lie in
            other files, which the manifest does not cover.
    """
    for artefact in manifest.artefacts:
        verify_file(directory, artefact.file, artefact.sha256, MAX_ARTEFACT, artefact.size)
        if artefact.format == "onnx" and (others := external_files(directory / artefact.file)):
            raise BundleError(
                f"{directory}: the weights of {artefact.file} lie in {', '.join(others)}, which the manifest "
                "does not verify; write the bundle again with the weights inside the ONNX file"
            )
    golden = manifest.golden
    if golden is not None:
        for name in sorted({*golden.files(), *golden.sha256}):
            verify_file(directory, name, golden.sha256[name], MAX_GOLDEN)
    for name, sha256 in manifest.evidence.files.items():
        verify_file(directory, name, sha256, MAX_EVIDENCE)


def needs_newer(wanted: str, version: str) -> bool:
    """Return whether a bundle that needs the version ``wanted`` of edgeagent is too new for ``version``."""
    return _release(wanted) > _release(version)


def _release(version: str) -> tuple[int, ...]:
    """Return (major, minor, patch) without a suffix; empty for an invalid version."""
    match = re.match(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})", version)
    return tuple(int(number) for number in match.groups()) if match else ()
