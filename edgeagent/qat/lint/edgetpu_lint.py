"""Edge TPU linter: prediction of the result of the Edge TPU compiler for a TFLite file.

The rules of single operators are in :mod:`edgeagent.qat.lint.edgetpu_rules`. The rules for the whole file are
from the same documentation and from Coral, "Edge TPU Compiler" (coral.ai/docs/edgetpu/compiler):

- tensors are int8 or uint8 (biases int32), of static shape, and only their three innermost dimensions may be
  larger than 1;
- one partition of the graph is mapped: from the first operator that cannot be mapped, in the order of
  execution, all operators run on the CPU;
- parameters that do not fit into the chip's memory of about 8 MB, minus the executable, are streamed from the
  host at every inference;
- large activations make the compilation fail. The documentation gives no limit. The compiler rejected YOLOv5s
  at 352 x 352, whose largest tensor is 968 KiB, and accepted it at 320 x 320 (google-coral/edgetpu issue
  512).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.errors import DataError
from edgeagent.qat.lint.edgetpu_rules import Numbers, OperatorUse, limitation, size_risk
from edgeagent.qat.lint.finding import LintFinding

ON_CHIP = 8 * 2**20
EXECUTABLE = 2 * 2**20  # typical of a detector; the compiler's log has the true number
LARGE_ACTIVATION = 960 * 2**10
RUNTIME = 14


@dataclass(frozen=True)
class OperatorPlacement:
    """Predicted placement of an operator.

    Attributes:
        index: position in the order of execution, from 0.
        name: name of the TFLite operator.
        obstacle: reason why it cannot be mapped; empty if it can.
        mapped: whether it is predicted to run on the Edge TPU, together with all operators before it.
    """

    index: int
    name: str
    obstacle: str
    mapped: bool


@dataclass(frozen=True)
class EdgeTpuReport:
    """Prediction for a file.

    Attributes:
        operators: operators in the order of execution.
        parameter_bytes: size of the constants of the mapped operators.
        largest_activation: bytes of the largest tensor that is not constant.
        findings: broken rules.
        command: command line that compiles the file.
    """

    operators: tuple[OperatorPlacement, ...]
    parameter_bytes: int
    largest_activation: int
    findings: tuple[LintFinding, ...]
    command: str

    @property
    def mapped(self) -> int:
        """Number of operators that are predicted to run on the Edge TPU."""
        return sum(operator.mapped for operator in self.operators)


def lint_edgetpu(path: Path) -> EdgeTpuReport:
    """Return the predicted result of the Edge TPU compiler for a TFLite file.

    Raises:
        DataError: the file cannot be read, or is not a TFLite file.
    """
    uses = _uses(path)
    obstacles = [_obstacle(use) for use in uses]
    first = next((index for index, obstacle in enumerate(obstacles) if obstacle), len(uses))
    operators = tuple(
        OperatorPlacement(index, use.name, obstacle, index < first)
        for index, (use, obstacle) in enumerate(zip(uses, obstacles, strict=True))
    )
    parameters = _parameter_bytes(uses[:first])
    largest = max((_bytes(tensor) for use in uses for tensor in use.outputs), default=0)
    findings = tuple(_findings(uses, operators, first, parameters, largest))
    return EdgeTpuReport(operators, parameters, largest, findings, _command(path, operators, largest))


def _findings(
    uses: list[OperatorUse],
    operators: tuple[OperatorPlacement, ...],
    first: int,
    parameters: int,
    largest: int,
) -> Iterator[LintFinding]:
    for operator in operators:
        if operator.obstacle:
            where = f"{operator.index}: {operator.name}"
            yield LintFinding("operator", "error", where, operator.obstacle)
    if first < len(operators):
        yield LintFinding(
            "one-partition",
            "error",
            f"{first}: {operators[first].name}",
            f"the first operator that cannot be mapped: {len(operators) - first} of {len(operators)} "
            "operators are predicted to run on the CPU",
        )
    for index, use in enumerate(uses[:first]):
        risk = size_risk(use)
        if risk:
            yield LintFinding("size", "warning", f"{index}: {use.name}", risk)
    if parameters > ON_CHIP - EXECUTABLE:
        yield LintFinding(
            "parameters",
            "warning",
            "",
            f"{_mebibytes(parameters)} of parameters; about {_mebibytes(ON_CHIP - EXECUTABLE)} stay on the "
            "chip, the rest is streamed at every inference: use a smaller model or two Edge TPUs (-n 2)",
        )
    if largest > LARGE_ACTIVATION:
        yield LintFinding(
            "activations",
            "warning",
            "",
            f"the largest activation has {_mebibytes(largest)}; the compiler has rejected models with less. "
            "If it does, use a smaller input size; -d compiles the part that fits",
        )


def _obstacle(use: OperatorUse) -> str:
    return _tensors(use) or limitation(use) or ""


def _tensors(use: OperatorUse) -> str | None:
    """Return what is wrong with the tensors of an operator; None for nothing."""
    from ai_edge_litert.schema_py_generated import TensorType

    codes, names = {TensorType.INT8, TensorType.UINT8}, {v: k for k, v in vars(TensorType).items()}
    stored = zip(use.inputs, use.constants, strict=True)
    for tensor in [*(tensor for tensor, value in stored if value is None), *use.outputs]:
        if tensor.type not in codes:
            return f"a tensor is {names[tensor.type].lower()}; all must be int8 or uint8"
        if tensor.shapeSignature is not None and any(size < 0 for size in tensor.shapeSignature):
            return "a tensor has a dynamic shape; export a static one"
        if any(size > 1 for size in list(tensor.shape)[:-3]):
            return f"a tensor has the shape {[int(s) for s in tensor.shape]}; only 3 dimensions may exceed 1"
    return None


def _uses(path: Path) -> list[OperatorUse]:
    from ai_edge_litert import schema_py_generated as schema

    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if content[4:8] != b"TFL3":
        raise DataError(f"{path}: not a TFLite file; export one with edgeagent qat train --format tflite")
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
    except Exception as error:  # the flatbuffer reader raises many types on a damaged file
        raise DataError(f"{path}: a damaged TFLite file ({error}); export it again") from error
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    graph = model.subgraphs[0]
    uses = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name == "CUSTOM" and code.customCode:
            name = code.customCode.decode(errors="replace")
        inputs = tuple(graph.tensors[index] for index in operator.inputs if index >= 0)
        outputs = tuple(graph.tensors[index] for index in operator.outputs)
        constants = tuple(_constant(model, tensor) for tensor in inputs)
        uses.append(OperatorUse(name, operator.builtinOptions, inputs, outputs, constants))
    return uses


_DTYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 7: np.int16, 9: np.int8}


def _constant(model: Any, tensor: Any) -> Numbers | None:
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    return np.frombuffer(bytes(data), _DTYPES.get(tensor.type, np.uint8))


def _parameter_bytes(uses: list[OperatorUse]) -> int:
    stored = {
        tensor.buffer: value.nbytes
        for use in uses
        for tensor, value in zip(use.inputs, use.constants, strict=True)
        if value is not None
    }
    return sum(stored.values())


def _bytes(tensor: Any) -> int:
    return prod(int(size) for size in tensor.shape) * np.dtype(_DTYPES.get(tensor.type, np.uint8)).itemsize


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"


def _command(path: Path, operators: tuple[OperatorPlacement, ...], largest: int) -> str:
    """Return the compiler's command line: -d and -a map as much as possible."""
    options = ["-s", "-m", str(RUNTIME)]
    if largest > LARGE_ACTIVATION:
        options.append("-d")
    if any(not operator.mapped and not operator.obstacle for operator in operators):
        options.append("-a")
    return shlex.join(["edgetpu_compiler", *options, "-o", str(path.parent), str(path)])
