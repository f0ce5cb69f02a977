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
from edgeagent.qat.compilation.compilers import Compilation, compiler_for


def compile_bundle(
    bundle: Bundle,
    target: str,
    directory: Path,
    program: Path | None = None,
    system: Path | None = None,
    *,
    replace: bool = False,
    licence_accepted: bool = False,
) -> tuple[Bundle, CompilationRecord]:
    """Write a copy of a bundle with an artefact for an accelerator, and return both.

    An artefact that was compiled for the same target before is replaced; all other files stay.

    Args:
        bundle: with an artefact on grid a in the format that the compiler reads.
        target: such as ``ethos-u65-256``, ``qnn-v73`` or ``rknn-rk3588``.
        directory: of the new bundle.
        program: of the compiler; None searches the PATH.
        system: configuration of the compiler; None for its defaults.
        replace: whether a bundle that is there is replaced.
        licence_accepted: whether the user accepts the licence of the compiler, where it has one that must be.

    Raises:
        ConfigurationError: the bundle has no such artefact, the compiler is not there, or its licence was not
            accepted.
        DataError: the compiler failed.
        BundleError: the bundle cannot be read or written.
    """
    manifest, compiler = bundle.manifest, compiler_for(target, licence_accepted=licence_accepted)
    reads = compiler.reads
    source = next(
        (a for a in manifest.artefacts if a.format == reads and a.grid == "a" and not a.compiled_for), None
    )
    if source is None:
        raise ConfigurationError(
            f"{bundle.directory}: has no {reads} artefact in full integers, which the compiler for {target} "
            f"reads; make one with `edgeagent qat train --format {reads}`"
        )
    before = [record for record in COMPILATION.read(bundle) or () if record.target != target]
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / f"{Path(source.file).stem}.{target}.{compiler.writes}"
        record = compiler.compile(Compilation(bundle, source, target, result, program, system))
        artefact = Artefact(
            file=record.file,
            sha256="0" * 64,
            size=1,
            format=compiler.writes,
            grid="a",
            outputs=source.outputs,
            compiled_for=target,
            tolerance=_tolerance(bundle, record),
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


def _tolerance(bundle: Bundle, record: CompilationRecord) -> float | None:
    """Return the tolerance of the compiled file where it differs from that of the golden set."""
    golden, simulated = bundle.manifest.golden, record.simulated
    own = golden is not None and simulated is not None and simulated.tolerance != golden.tolerance
    return simulated.tolerance if own and simulated is not None else None


def _files(bundle: Bundle) -> list[str]:
    found = (path for path in bundle.directory.rglob("*") if path.is_file())
    names = (path.relative_to(bundle.directory).as_posix() for path in found)
    return [name for name in names if name != MANIFEST]
