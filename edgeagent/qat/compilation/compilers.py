"""The vendors' compilers, as data: their targets, what they read, and their licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.evidence import CompilationRecord
from edgeagent.bundle.manifest import Artefact, ArtefactFormat
from edgeagent.bundle.reading import Bundle
from edgeagent.errors import ConfigurationError
from edgeagent.qat.compilation import qnn, rknn
from edgeagent.qat.compilation.vela import check_ethos_u, compile_for_ethos_u


@dataclass(frozen=True)
class Compilation:
    """What is to be compiled.

    Attributes:
        bundle: that has the artefact.
        source: artefact to compile.
        target: accelerator.
        result: file to write.
        program: of the compiler; None searches the PATH, where that can be.
        system: configuration of the compiler; None for its defaults.
    """

    bundle: Bundle
    source: Artefact
    target: str
    result: Path
    program: Path | None
    system: Path | None


@dataclass(frozen=True)
class VendorCompiler:
    """A vendor's compiler.

    Attributes:
        prefix: of its targets.
        reads: format of the artefacts that it reads.
        writes: format of its result.
        licence: that the user has to accept; None for a permissive one.
        check: of the name of a target; raises ConfigurationError for one that it does not know.
        compile: runs it.
    """

    prefix: str
    reads: str
    writes: ArtefactFormat
    licence: str | None
    check: Callable[[str], object]
    compile: Callable[[Compilation], CompilationRecord]


def _ethos_u(job: Compilation) -> CompilationRecord:
    model = job.bundle.directory / job.source.file
    return compile_for_ethos_u(model, job.target, job.result, job.program, job.system)


def _package(
    compile_for: Callable[[Bundle, Artefact, str, Path, Path | None], CompilationRecord],
) -> Callable[[Compilation], CompilationRecord]:
    def run(job: Compilation) -> CompilationRecord:
        if job.system is not None:
            raise ConfigurationError(f"--tool-config: the compiler for {job.target} has no such file")
        return compile_for(job.bundle, job.source, job.target, job.result, job.program)

    return run


COMPILERS = (
    VendorCompiler("ethos-u", "tflite", "tflite", None, check_ethos_u, _ethos_u),
    VendorCompiler("qnn", "onnx", "onnx", qnn.LICENCE, qnn.qnn_version, _package(qnn.compile_for_qnn)),
    VendorCompiler(
        rknn.PREFIX, "onnx", "rknn", rknn.LICENCE, rknn.rknn_chip, _package(rknn.compile_for_rknn)
    ),
)


def compiler_for(target: str, *, licence_accepted: bool) -> VendorCompiler:
    """Return the compiler of a target.

    Raises:
        ConfigurationError: there is none, it does not know the target, or a licence was not accepted.
    """
    found = next((one for one in COMPILERS if target.startswith(one.prefix)), None)
    if found is None:
        raise ConfigurationError(
            f"{target}: no compiler here makes files for it; known are such as ethos-u65-256, qnn-v73 and "
            "rknn-rk3588 (docs/compilers.md)"
        )
    found.check(target)
    if found.licence is not None and not licence_accepted:
        raise ConfigurationError(
            f"the compiler for {target} is under {found.licence}: read it, and accept it with "
            "--accept-licence"
        )
    return found
