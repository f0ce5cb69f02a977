"""RKNN, Rockchip's compiler for the NPUs of its chips: ``rknn-toolkit2`` in an environment of its own.

It takes the grids and the weights of an artefact, and computes none anew. What is read from it: the table of
operators that it prints, with the type of their numbers and where they run. Its cycles are not kept, as it
gives 0 for additions and concatenations.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from edgeagent.bundle.evidence import CompilationRecord, LeftOperator
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.engines.delegates import RKNN_CHIPS
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.compilation.package import CompilerPackage
from edgeagent.qat.compilation.simulation import simulate
from edgeagent.qat.compilation.tool import MOST_LEFT, told_text

PREFIX = "rknn"
LICENCE = "Rockchip's RKNN SDK License (LICENSE of github.com/airockchip/rknn-toolkit2)"
PACKAGE = CompilerPackage(
    "RKNN",
    "rknn_program.py",
    ("numpy", "onnx", "rknn"),
    "install it in an environment of its own with Python 3.8 to 3.12 (python3 -m venv rknn; "
    "rknn/bin/pip install rknn-toolkit2)",
    "rknn/bin/python",
)
_VERSION = re.compile(r"rknn-toolkit2 version: ([\w.+-]{1,40})")
_ERROR = re.compile(r"^E RKNN: (.*)$", re.MULTILINE)
_OPERATOR = re.compile(
    r"^D RKNN: \[[\d:.]+\] \d+ +(?P<kind>\w+) +(?P<numbers>\w+) +(?P<place>NPU|CPU|GPU) .* (?P<name>\S+) *$",
    re.MULTILINE,
)


def rknn_chip(target: str) -> str:
    """Return the chip in the name of a target.

    Raises:
        ConfigurationError: the target is none.
    """
    chip = target.removeprefix(f"{PREFIX}-")
    if chip not in RKNN_CHIPS:
        known = ", ".join(f"{PREFIX}-{one}" for one in RKNN_CHIPS)
        raise ConfigurationError(f"{target}: is no chip that RKNN compiles for; known are {known}")
    return chip


def compile_for_rknn(
    bundle: Bundle, source: Artefact, target: str, result: Path, program: Path | None = None
) -> CompilationRecord:
    """Compile an ONNX artefact, and compare its outputs in the simulator with the golden ones.

    Args:
        bundle: of the artefact.
        source: ONNX artefact on grid a.
        target: such as ``rknn-rk3588``.
        result: file to write.
        program: Python of the environment with ``rknn-toolkit2``.

    Raises:
        ConfigurationError: there is no such Python, or the target is none.
        DataError: the compiler failed, hung, wrote nothing, or gave the NPU nothing to do in integers.
    """
    chip, model, spec = rknn_chip(target), bundle.directory / source.file, bundle.manifest.input
    with tempfile.TemporaryDirectory() as name:
        folder, printed = Path(name), ""
        written = folder / "model.rknn"

        def build(*archives: Path) -> None:
            nonlocal printed
            normalization = (json.dumps(spec.mean), json.dumps(spec.std))
            arguments = (str(model.resolve()), chip, *normalization, str(written), *map(str, archives))
            printed = PACKAGE.run(program, folder, written, *arguments)

        simulated = simulate(bundle, source, "RKNN", folder, build, pixels=True)
        if simulated is None:
            build()
        if (error := _ERROR.search(printed)) is not None:
            raise DataError(f"{model}: RKNN wrote a file in spite of an error: {told_text(error[1])}")
        operators = list(_OPERATOR.finditer(printed))
        left = [one for one in operators if one["place"] != "NPU"]
        if not any(one["place"] == "NPU" and one["numbers"] == "INT8" for one in operators):
            raise DataError(f"{model}: RKNN runs no operator on the NPU in integers; is it full integer?")
        version = _VERSION.search(printed)
        record = CompilationRecord(
            file=result.name,
            target=target,
            compiler=told_text(f"rknn-toolkit2 {version[1] if version else 'of unknown version'}"),
            licence=told_text(LICENCE),
            on_accelerator=len(operators) - len(left),
            on_processor=len(left),
            left=tuple(
                LeftOperator(
                    operator=told_text(one["kind"]), tensor=told_text(one["name"]), reason="RKNN gives none"
                )
                for one in left[:MOST_LEFT]
            ),
            simulated=simulated,
        )
        result.write_bytes(written.read_bytes())
    return record
