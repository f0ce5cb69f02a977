"""A bundle with one more artefact, which a vendor's compiler made of an artefact that it has."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgeagent.bundle.evidence import COMPILATION, CompilationRecord
from edgeagent.bundle.manifest import Artefact, Evidence
from edgeagent.bundle.manifest_text import manifest_data
from edgeagent.bundle.reading import MANIFEST, Bundle
from edgeagent.bundle.writing import write_bundle
from edgeagent.errors import ConfigurationError
from edgeagent.qat.compilation.vela import compile_for_ethos_u


def compile_bundle(
    bundle: Bundle,
    target: str,
    directory: Path,
    program: Path | None = None,
    system: Path | None = None,
    *,
    replace: bool = False,
) -> tuple[Bundle, CompilationRecord]:
    """Write a copy of a bundle with an artefact for an accelerator, and return both.

    An artefact that was compiled for the same target before is replaced; all other files stay.

    Args:
        bundle: with a TFLite artefact on grid a.
        target: such as ``ethos-u65-256``.
        directory: of the new bundle.
        program: of the compiler; None searches the PATH.
        system: configuration of the compiler; None for its defaults.
        replace: whether a bundle that is there is replaced.

    Raises:
        ConfigurationError: the bundle has no such artefact, or the compiler is not there.
        DataError: the compiler failed.
        BundleError: the bundle cannot be read or written.
    """
    manifest = bundle.manifest
    source = next(
        (a for a in manifest.artefacts if a.format == "tflite" and a.grid == "a" and not a.compiled_for), None
    )
    if source is None:
        raise ConfigurationError(
            f"{bundle.directory}: has no TFLite artefact in full integers, which the compiler for {target} "
            "reads; make one with `edgeagent qat train --format tflite`"
        )
    before = [record for record in COMPILATION.read(bundle) or () if record.target != target]
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / f"{Path(source.file).stem}.{target}.tflite"
        record = compile_for_ethos_u(bundle.directory / source.file, target, result, program, system)
        artefact = Artefact(
            file=record.file,
            sha256="0" * 64,
            size=1,
            format="tflite",
            grid="a",
            outputs=source.outputs,
            compiled_for=target,
        )
        artefacts = (*(a for a in manifest.artefacts if a.compiled_for != target), artefact)
        data = manifest_data(manifest)
        data["artefacts"] = [a.model_dump(mode="json", exclude_none=True) for a in artefacts]
        files: dict[str, Path | bytes] = {name: bundle.directory / name for name in _files(bundle)}
        files[record.file] = result
        files[COMPILATION.name] = COMPILATION.encode([*before, record])
        data.setdefault("evidence", Evidence().model_dump(mode="json", exclude_none=True))
        data["evidence"]["files"] = sorted({*manifest.evidence.files, COMPILATION.name})
        return write_bundle(directory, data, files, replace=replace), record


def _files(bundle: Bundle) -> list[str]:
    found = (path for path in bundle.directory.rglob("*") if path.is_file())
    names = (path.relative_to(bundle.directory).as_posix() for path in found)
    return [name for name in names if name != MANIFEST]
