"""Every rule of the Edge TPU linter: a file of operators that breaks it, beside one that does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.cli import main
from edgeagent.errors import DataError
from edgeagent.qat.lint.edgetpu_lint import EdgeTpuReport, lint_edgetpu
from tests.engines.tflite_graphs import flatbuffers, schema, write_model

PICTURE = (1, 8, 8, 4)


@dataclass
class Op:
    """One operator: reads the result of the one before, and constants."""

    name: str
    constants: Sequence[Any] = ()
    options: dict[str, Any] = field(default_factory=dict)
    shape: Sequence[int] = PICTURE
    dtype: str = "INT8"
    extra: int = 0  # further inputs that are not constant
    first: bool = False  # constants come before the computed input


OPTIONS = {"MAX_POOL_2D": "Pool2D", "AVERAGE_POOL_2D": "Pool2D", "CONV_2D": "Conv2D", "PACK": "Pack"}
OPTIONS |= {"DEPTHWISE_CONV_2D": "DepthwiseConv2D", "CONCATENATION": "Concatenation", "ADD": "Add"}
OPTIONS |= {"STRIDED_SLICE": "StridedSlice"}


def write(
    path: Path, *ops: Op, shape: Sequence[int] = PICTURE, signature: Sequence[int] | None = None
) -> Path:
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
    graph.tensors, graph.operators = [], []

    def tensor(shape: Sequence[int], dtype: str, data: Any = None) -> int:
        item = schema.TensorT()
        item.name, item.shape, item.type = (
            f"t{len(graph.tensors)}",
            list(shape),
            getattr(schema.TensorType, dtype),
        )
        item.buffer, item.shapeSignature = 0, None
        if data is not None:
            stored = schema.BufferT()
            stored.data = np.frombuffer(data.tobytes(), np.uint8)
            item.buffer = len(model.buffers)
            model.buffers.append(stored)
        graph.tensors.append(item)
        return len(graph.tensors) - 1

    last = tensor(shape, "INT8")
    graph.tensors[last].shapeSignature = signature
    graph.inputs = [last]
    for op in ops:
        code = schema.OperatorCodeT()
        code.version, code.builtinCode = 1, getattr(schema.BuiltinOperator, op.name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        model.operatorCodes.append(code)
        constants = [np.asarray(value) for value in op.constants]
        stored = [tensor(c.shape, c.dtype.name.upper(), c) for c in constants]
        computed = [last, *(tensor(PICTURE, "INT8") for _ in range(op.extra))]
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs = [*stored, *computed] if op.first else [*computed, *stored]
        last = tensor(op.shape, op.dtype)
        operator.outputs = [last]
        if op.name in OPTIONS:
            kind = f"{OPTIONS[op.name]}Options"
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            for name, value in op.options.items():
                setattr(operator.builtinOptions, name, value)
        graph.operators.append(operator)
    graph.outputs = [last]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def weights(*shape: int) -> list[Any]:
    return [np.ones(shape, np.int8), np.zeros(shape[0], np.int32)]


CONV = Op("CONV_2D", weights(4, 1, 1, 4))
ONES = np.array([1, 1, 1, 1], np.int32)
ZEROS, ENDS = np.zeros(4, np.int32), np.array(PICTURE, np.int32)
PADS = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)

GOOD = [
    CONV,
    Op("DEPTHWISE_CONV_2D", weights(1, 3, 3, 4)),
    Op("LOGISTIC"),
    Op("MUL", extra=1),
    Op("ADD", extra=1),
    Op("CONCATENATION", extra=1),
    Op("CONCATENATION", [np.zeros(PICTURE, np.int8)]),
    Op("MAX_POOL_2D"),
    Op("PAD", [PADS]),
    Op("STRIDED_SLICE", [ZEROS, ENDS, ONES]),
    Op("MEAN", [np.array([1, 2], np.int32)]),
    Op("SPLIT", [np.array(3, np.int32)], first=True),
    Op("QUANTIZE", dtype="UINT8"),
    Op("PRELU", [np.ones((1, 1, 4), np.int8)]),
    Op("SQUEEZE", shape=(8, 8, 4)),
    Op("PACK", options={"axis": 1}, extra=1),
]

BAD = [
    (Op("HARD_SWISH"), "not among the operators"),
    (Op("LEAKY_RELU"), "not among the operators"),
    (Op("TRANSPOSE", [np.array([0, 3, 1, 2], np.int32)]), "not among the operators"),
    (Op("MAX_POOL_2D", options={"fusedActivationFunction": 1}), "fused activation"),
    (Op("AVERAGE_POOL_2D", options={"fusedActivationFunction": 3}), "fused activation"),
    (Op("CONCATENATION", options={"fusedActivationFunction": 1}, extra=1), "fused activation"),
    (Op("CONCATENATION", [np.ones(PICTURE, np.int8)]), "all zeros"),
    (Op("CONCATENATION", [np.zeros(PICTURE, np.int8)], extra=1), "all zeros"),
    (Op("CONV_2D", extra=1), "weights are computed"),
    (Op("CONV_2D", weights(4, 1, 1, 4), {"dilationWFactor": 2, "dilationHFactor": 1}), "dilations"),
    (Op("STRIDED_SLICE", [ZEROS, ENDS, np.array([1, 2, 2, 1], np.int32)]), "strides are not all 1"),
    (Op("MEAN", [np.array([0], np.int32)]), "batch"),
    (Op("PAD", [np.array([[1, 0], *PADS[1:].tolist()], np.int32)]), "batch"),
    (Op("SPLIT", [np.array(0, np.int32)], first=True), "batch"),
    (Op("PACK", options={"axis": 0}, extra=1), "batch"),
    (Op("PRELU", [np.ones((8, 8, 4), np.int8)]), "slopes"),
    (Op("SOFTMAX"), "one dimension"),
    (Op("LOGISTIC", dtype="FLOAT32"), "float32"),
    (Op("ADD", dtype="INT16", extra=1), "int16"),
    (Op("RESHAPE", shape=(2, 4, 8, 4)), "3 dimensions"),
]


def predicted(path: Path) -> EdgeTpuReport:
    return lint_edgetpu(path)


@pytest.mark.parametrize("op", GOOD, ids=lambda op: op.name)
def test_supported_operators_are_mapped(tmp_path: Path, op: Op) -> None:
    report = predicted(write(tmp_path / "m.tflite", op))
    assert report.findings == ()
    assert report.mapped == 1


@pytest.mark.parametrize(("op", "reason"), BAD, ids=lambda value: getattr(value, "name", None))
def test_limitations_keep_an_operator_on_the_cpu(tmp_path: Path, op: Op, reason: str) -> None:
    report = predicted(write(tmp_path / "m.tflite", op))
    assert report.mapped == 0
    own, partition = report.findings
    assert (own.rule, partition.rule) == ("operator", "one-partition")
    assert reason in own.message


def test_softmax_of_one_dimension(tmp_path: Path) -> None:
    ok = predicted(write(tmp_path / "m.tflite", Op("SOFTMAX", shape=(1, 16_000)), shape=(1, 16_000)))
    assert ok.mapped == 1
    long = predicted(write(tmp_path / "m.tflite", Op("SOFTMAX", shape=(1, 16_001)), shape=(1, 16_001)))
    assert "16000" in long.findings[0].message


def test_a_squeeze_that_moves_data(tmp_path: Path) -> None:
    op = Op("SQUEEZE", shape=(5, 10))
    assert predicted(write(tmp_path / "m.tflite", op, shape=(1, 5, 1, 10))).mapped == 0


def test_a_dynamic_shape(tmp_path: Path) -> None:
    report = predicted(write(tmp_path / "m.tflite", Op("LOGISTIC"), signature=(-1, 8, 8, 4)))
    assert "dynamic shape" in report.findings[0].message


def test_the_first_unsupported_operator_sends_the_rest_to_the_cpu(tmp_path: Path) -> None:
    ops = [CONV, Op("LOGISTIC"), Op("HARD_SWISH"), CONV, CONV]
    report = predicted(write(tmp_path / "m.tflite", *ops))
    assert [operator.mapped for operator in report.operators] == [True, True, False, False, False]
    assert "3 of 5" in report.findings[-1].message
    assert report.findings[-1].node == "2: HARD_SWISH"
    assert report.parameter_bytes == 4 * 4 + 4 * 4  # of the mapped convolution alone
    assert report.command.startswith("edgetpu_compiler -s -m 14 -a -o ")


def test_parameters_beyond_the_memory_on_the_chip(tmp_path: Path) -> None:
    report = predicted(write(tmp_path / "m.tflite", Op("CONV_2D", weights(1024, 1, 1, 7168))))
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("parameters", "warning")]
    assert report.parameter_bytes == 7 * 2**20 + 4096
    assert report.mapped == 1


def test_a_large_activation(tmp_path: Path) -> None:
    report = predicted(write(tmp_path / "m.tflite", Op("LOGISTIC", shape=(1, 320, 320, 16))))
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("activations", "warning")]
    assert report.largest_activation == 320 * 320 * 16
    assert " -d " in report.command


@pytest.mark.parametrize("name", ["RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR", "RESHAPE"])
def test_sizes_that_may_not_be_mapped(tmp_path: Path, name: str) -> None:
    report = predicted(write(tmp_path / "m.tflite", Op(name)))
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("size", "warning")]
    assert report.mapped == 1


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        lint_edgetpu(tmp_path / "m.tflite")
    (tmp_path / "m.tflite").write_bytes(b"no model")
    with pytest.raises(DataError, match="not a TFLite file"):
        lint_edgetpu(tmp_path / "m.tflite")


def test_the_command_shows_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good.tflite", CONV)
    assert main(["qat", "lint", str(good)]) == 0
    shown = capsys.readouterr().out
    assert "predicted: 1 operators on the Edge TPU, 0 on the CPU" in " ".join(shown.split())
    assert f"edgetpu_compiler -s -m 14 -o {tmp_path} {good}" in shown
    bad = write_model(tmp_path / "bad.tflite", "CUSTOM")
    assert main(["qat", "lint", str(bad)]) == 1
    assert "NoSuchOperator" in capsys.readouterr().out


def test_the_command_speaks_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(tmp_path / "good.tflite", CONV), write(tmp_path / "bad.tflite", Op("HARD_SWISH"))
    assert main(["qat", "lint", "--json", str(good), str(bad)]) == 1
    first, second = json.loads(capsys.readouterr().out)["files"]
    assert (first["target"], first["findings"], first["predicted"]["mapped"]) == ("edgetpu", [], 1)
    assert second["findings"][0]["node"] == "0: HARD_SWISH"


def test_the_command_refuses_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["qat", "lint", str(tmp_path / "model.pt")]) == 2
    assert "lint takes .onnx" in capsys.readouterr().err
    (tmp_path / "m.onnx").write_bytes(b"\x08\xff")
    assert main(["qat", "lint", str(tmp_path / "m.onnx")]) != 0
    assert "m.onnx" in capsys.readouterr().err
