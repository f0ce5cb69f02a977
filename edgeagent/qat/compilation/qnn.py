"""QNN, Qualcomm's compiler for Hexagon tensor processors: ``onnxruntime-qnn`` in an environment of its own.

Its execution provider for ONNX Runtime is open source (MIT); the libraries beside it that prepare a graph,
and simulate the processor on x86-64, are under Qualcomm's licence, which the user accepts. A graph becomes
one binary context for a version of the processor, inside an ONNX file.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from edgeagent.bundle.evidence import CompilationRecord, LeftOperator
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.engines.delegates import QNN_VERSIONS
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.compilation.package import CompilerPackage
from edgeagent.qat.compilation.qnn_facts import read_qnn_facts
from edgeagent.qat.compilation.simulation import simulate
from edgeagent.qat.compilation.tool import MOST_LEFT, told_text

TARGET = re.compile(r"qnn-v(\d{2})")
LICENCE = "Qualcomm's licence (Qualcomm_LICENSE.pdf in the package onnxruntime-qnn)"
PACKAGE = CompilerPackage(
    "QNN",
    "qnn_program.py",
    ("numpy", "onnxruntime", "onnxruntime_qnn"),
    "install it in an environment of its own with Python 3.11 or newer (python3 -m venv qnn; "
    "qnn/bin/pip install onnxruntime-qnn)",
    "qnn/bin/python",
)


def qnn_version(target: str) -> str:
    """Return the version of the processor in the name of a target.

    Raises:
        ConfigurationError: the target is none.
    """
    found = TARGET.fullmatch(target)
    if found is None or int(found[1]) not in QNN_VERSIONS:
        known = ", ".join(f"qnn-v{version}" for version in QNN_VERSIONS)
        raise ConfigurationError(f"{target}: is no version of the processor; known are {known}")
    return found[1]


def compile_for_qnn(
    bundle: Bundle, source: Artefact, target: str, result: Path, program: Path | None = None
) -> CompilationRecord:
    """Compile an ONNX artefact, and compare its outputs in the simulator with the golden ones.

    Args:
        bundle: of the artefact.
        source: ONNX artefact on grid a.
        target: such as ``qnn-v73``.
        result: file to write.
        program: Python of the environment with ``onnxruntime-qnn``.

    Raises:
        ConfigurationError: there is no such Python, or the target is none.
        DataError: the compiler failed, hung, wrote nothing, or gave the accelerator nothing to do.
    """
    version = qnn_version(target)
    model = bundle.directory / source.file
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context, facts = folder / "context.onnx", folder / "facts.json"
        arguments = ["compile", str(model.resolve()), version, str(context), str(facts)]
        PACKAGE.run(program, folder, context, *arguments)
        told = read_qnn_facts(facts)
        if not told.on_accelerator:
            raise DataError(f"{model}: QNN leaves every operator to the processor")
        record = CompilationRecord(
            file=result.name,
            target=target,
            compiler=told_text(f"onnxruntime-qnn {told.onnxruntime_qnn}, onnxruntime {told.onnxruntime}"),
            licence=told_text(LICENCE),
            on_accelerator=told.on_accelerator,
            on_processor=len(told.left),
            left=tuple(
                LeftOperator(
                    operator=told_text(one.operator), tensor=told_text(one.tensor), reason="QNN gives none"
                )
                for one in told.left[:MOST_LEFT]
            ),
            simulated=simulate(
                bundle,
                source,
                "QNN",
                folder,
                lambda inputs, outputs: PACKAGE.run(
                    program, folder, outputs, "simulate", str(context), str(inputs), str(outputs)
                ),
            ),
        )
        result.write_bytes(context.read_bytes())
    return record
