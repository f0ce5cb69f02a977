"""QNN, Qualcomm's compiler for Hexagon tensor processors: ``onnxruntime-qnn`` in an environment of its own.

Its execution provider for ONNX Runtime is open source (MIT); the libraries beside it that prepare a graph,
and simulate the processor on x86-64, are under Qualcomm's licence, which the user accepts. A graph becomes
one binary context for a version of the processor, inside an ONNX file.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.bundle.evidence import CompilationRecord, LeftOperator, SimulatedOutputs
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.delegates import QNN_VERSIONS
from edgeagent.engines.engine import Array, Engine, LoadedEngine
from edgeagent.engines.loading import load_engine
from edgeagent.errors import ConfigurationError, DataError, EdgeagentError
from edgeagent.files.naming import escape_controls
from edgeagent.qat.compilation import qnn_program
from edgeagent.qat.compilation.tool import find_tool, run_tool

TARGET = re.compile(r"qnn-v(\d{2})")
ABSENT = re.compile(r"ModuleNotFoundError: No module named '(numpy|onnxruntime|onnxruntime_qnn)\b")
LICENCE = "Qualcomm's licence (Qualcomm_LICENSE.pdf in the package onnxruntime-qnn)"
INSTALL = (
    "install it in an environment of its own with Python 3.11 or newer (python3 -m venv qnn; "
    "qnn/bin/pip install onnxruntime-qnn)"
)
LONGEST = 255


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
    if program is None:
        raise ConfigurationError(
            f"QNN is a package of Python; {INSTALL}, and give qnn/bin/python with --tool"
        )
    python = find_tool("python", program, INSTALL)
    model = bundle.directory / source.file
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context, facts = folder / "context.onnx", folder / "facts.json"
        # absolute, and not resolved: the environment is that of the link
        command = [str(python.absolute()), "-I", str(Path(qnn_program.__file__).resolve())]
        arguments = ["compile", str(model.resolve()), version, str(context), str(facts)]
        try:
            run_tool([*command, *arguments], folder, context)
        except DataError as error:
            if (lacks := ABSENT.search(str(error))) is None:
                raise
            raise ConfigurationError(
                f"{program}: has no package {lacks[1]}, so QNN is not installed there; {INSTALL}, and give "
                "qnn/bin/python with --tool"
            ) from None
        told = _told(facts)
        if not told["on_accelerator"]:
            raise DataError(f"{model}: QNN leaves every operator to the processor")
        record = CompilationRecord(
            file=result.name,
            target=target,
            compiler=_text(f"onnxruntime-qnn {told['onnxruntime_qnn']}, onnxruntime {told['onnxruntime']}"),
            licence=_text(LICENCE),
            on_accelerator=told["on_accelerator"],
            on_processor=len(told["left"]),
            left=tuple(
                LeftOperator(
                    operator=_text(one["operator"]), tensor=_text(one["tensor"]), reason="QNN gives none"
                )
                for one in told["left"]
            ),
            simulated=_simulated(bundle, source, context, command, folder),
        )
        result.write_bytes(context.read_bytes())
    return record


class RecordedEngine(LoadedEngine):
    """Outputs that were computed elsewhere, in the order of the calls.

    Args:
        engine: whose tensors the outputs have.
        results: outputs of each call by name.
    """

    def __init__(self, engine: Engine, results: Sequence[dict[str, Array]]) -> None:
        self._inputs, self._outputs = engine.inputs, engine.outputs
        self._facts = replace(engine.facts, delegate="simulator")
        self._results = iter(results)

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Write the outputs of the next call."""
        result = next(self._results)
        for spec, output in zip(self._outputs, outputs, strict=True):
            output[...] = result[spec.name].reshape(spec.shape)

    def close(self) -> None:
        """Do nothing: nothing is loaded."""


def _simulated(
    bundle: Bundle, source: Artefact, context: Path, command: Sequence[str], folder: Path
) -> SimulatedOutputs | None:
    """Return how far the simulator is from the golden outputs; None without a golden set."""
    if bundle.golden_outputs(source) is None:
        return None
    check, inputs, outputs = GoldenCheck(bundle, source), folder / "inputs.npz", folder / "outputs.npz"
    engine = load_engine(bundle.directory / source.file, "onnx", engine="onnxruntime", sha256=source.sha256)
    codes = [codes for codes, _ in check.prepare(engine)]
    archive: dict[str, Any] = {str(number): one for number, one in enumerate(codes)}
    np.savez(inputs, **archive)
    run_tool([*command, "simulate", str(context), str(inputs), str(outputs)], folder, outputs)
    try:
        with np.load(outputs) as found:
            results = [
                {spec.name: found[f"{number}/{spec.name}"] for spec in engine.outputs}
                for number in range(len(codes))
            ]
        measured = check.run(RecordedEngine(engine, results))
        if not math.isfinite(measured.worst):
            raise ValueError("a number is not finite")
    except (OSError, KeyError, ValueError, EdgeagentError) as error:
        raise DataError(f"{context.name}: its outputs in QNN's simulator cannot be used ({error})") from error
    finally:
        engine.close()
    return SimulatedOutputs(
        pictures=len(codes),
        mean_steps=measured.mean,
        worst_steps=measured.worst,
        tolerance=measured.tolerance,
        labelled=measured.labelled,
        found=measured.found,
        needed=measured.least_found,
    )


def _told(facts: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(facts.read_bytes())
        told["on_accelerator"] = int(told["on_accelerator"])
        told["left"] = [{name: str(one[name]) for name in ("operator", "tensor")} for one in told["left"]]
        return {**told, **{name: str(told[name]) for name in ("onnxruntime", "onnxruntime_qnn")}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"QNN: did not tell its placement ({error})") from error


def _text(text: str) -> str:
    return escape_controls(text)[:LONGEST] or "unknown"
