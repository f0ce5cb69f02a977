"""TensorRT linter: prediction whether TensorRT runs a QDQ ONNX file in integers, as it was trained.

The rules are those of TensorRT's explicit quantization (NVIDIA, TensorRT developer guide, "Explicit
Quantization", and the operator pages of QuantizeLinear and DequantizeLinear; NVIDIA/TensorRT issues 2774 and
4698 on zero points; NVIDIA's yolo_deepstream on residuals and concats). TensorRT itself is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from edgeagent.errors import DataError
from edgeagent.qat.core.operator_kinds import ACTIVATIONS, WEIGHTED
from edgeagent.qat.graph.reading import load_onnx
from edgeagent.qat.lint.finding import LintFinding, Severity
from edgeagent.qat.lint.qdq_model import QdqModel, is_dq, is_q

MINIMUM_OPSET = 13
SCORES = frozenset({"Sigmoid", "Softmax"})


def lint_tensorrt(model: onnx.ModelProto) -> list[LintFinding]:
    """Return what TensorRT would reject, or not run in integers."""
    view = QdqModel(model)
    return [finding for rule in _RULES for finding in rule(view)]


def lint_tensorrt_file(path: Path) -> list[LintFinding]:
    """Return the findings of :func:`lint_tensorrt` for an ONNX file.

    Raises:
        DataError: the file cannot be read.
    """
    model = load_onnx(path)
    if not model.graph.node:
        raise DataError(f"{path}: an ONNX model without operators; export it again")
    return lint_tensorrt(model)


def _finding(rule: str, node: onnx.NodeProto, message: str, severity: Severity = "error") -> LintFinding:
    return LintFinding(rule, severity, node.name or node.output[0], message)


def _opset(model: QdqModel) -> Iterator[LintFinding]:
    if model.opset < MINIMUM_OPSET:
        yield LintFinding(
            "opset",
            "error",
            "",
            f"opset {model.opset} has no per-channel DequantizeLinear; export with opset {MINIMUM_OPSET} or "
            "higher",
        )


def _parameters(model: QdqModel) -> Iterator[LintFinding]:
    """Check scales and zero points of every QuantizeLinear and DequantizeLinear."""
    for node in model.pairs:
        scale = model.constant(node.input[1])
        if scale is None:
            yield _finding("constant-scale", node, "its scale is computed; store it as an initializer")
            continue
        if not np.all(np.isfinite(scale)) or not np.all(scale > 0):
            yield _finding("positive-scale", node, "its scale is not a positive number; calibrate again")
        if scale.size > 1 and not model.is_weight(node.input[0]):
            yield _finding(
                "activation-per-tensor", node, "an activation has one scale per channel; give it one scale"
            )
        kind = model.code_type(node)
        if kind == TensorProto.UINT8:
            yield _finding(
                "int8", node, "its codes are uint8; TensorRT takes int8 (export with --format onnx-b)"
            )
        elif kind != TensorProto.INT8:
            name = TensorProto.DataType.Name(kind)
            yield _finding("int8", node, f"its codes are {name}; TensorRT takes int8, and biases as floats")
        zero = model.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1)
        if zero is None or np.any(zero != 0):
            yield _finding(
                "zero-point",
                node,
                "its zero point is not 0; use symmetric grids (export with --format onnx-b)",
            )


def _weighted(model: QdqModel) -> Iterator[LintFinding]:
    """Check that both inputs of an operator with weights are quantized, or neither."""
    for node in model.nodes:
        if node.op_type not in WEIGHTED:
            continue
        picture, weight = (model.producer(name) for name in node.input[:2])
        given, known = is_dq(picture), is_dq(weight)
        if not given and not known:
            yield _finding(
                "float-operator", node, "computes in float: none of its inputs is quantized", "warning"
            )
        elif not given:
            yield _finding(
                "quantized-input", node, f"{node.input[0]} comes without Q/DQ; put a pair in front of it"
            )
        elif not known:
            yield _finding(
                "quantized-weight", node, f"{node.input[1]} comes without DQ; store it as int8 with a DQ"
            )
        if weight is not None and known and model.is_weight(weight.input[0]):
            yield from _weight(model, node, weight)


def _weight(model: QdqModel, node: onnx.NodeProto, dq: onnx.NodeProto) -> Iterator[LintFinding]:
    if model.constant(dq.input[0]) is None:
        yield _finding(
            "stored-weight", node, "its weight is stored as float and quantized by Q; store int8", "warning"
        )
    scale, shape = model.constant(dq.input[1]), model.weight_shape(dq.input[0])
    if scale is None or not shape:
        return
    axis = _output_axis(node, len(shape))
    attribute = next((item.i for item in dq.attribute if item.name == "axis"), 1)
    if scale.size == 1 and shape[axis] > 1:
        yield _finding(
            "per-channel-weight",
            node,
            "its weight has one scale; give each output channel its own",
            "warning",
        )
    elif scale.size > 1 and attribute % len(shape) != axis:
        yield _finding(
            "weight-axis", node, f"its scales lie along axis {attribute}; output channels are axis {axis}"
        )


def _output_axis(node: onnx.NodeProto, rank: int) -> int:
    if node.op_type == "ConvTranspose":
        return 1
    if node.op_type == "Gemm":
        transposed = any(item.name == "transB" and item.i for item in node.attribute)
        return 0 if transposed else 1
    return rank - 1 if node.op_type == "MatMul" else 0


def _residual(model: QdqModel) -> Iterator[LintFinding]:
    """Check that only the branch of a sum that is not fused with a convolution is quantized."""
    for node in model.nodes:
        if node.op_type != "Add" or any(model.constant(name) is not None for name in node.input):
            continue
        quantized = [is_dq(model.producer(name)) for name in node.input]
        sources = [model.unquantized(name) for name in node.input]
        fusable = [model.from_weights(source) for source in sources]
        if all(quantized) and any(fusable):
            yield _finding(
                "residual",
                node,
                "both branches come from Q/DQ, so that it cannot be fused with the convolution before it; "
                "quantize the residual only",
            )
        elif not any(quantized) and any(fusable) and not all(sources[0] == source for source in sources):
            yield _finding(
                "residual", node, "no branch is quantized, so that the residual is held in float", "warning"
            )


def _concat(model: QdqModel) -> Iterator[LintFinding]:
    """Check that all inputs of a concat share one scale, and that boxes and scores do not."""
    for node in model.nodes:
        if node.op_type != "Concat":
            continue
        pairs = [model.quantized_by(name) for name in node.input]
        pairs += [reader for reader in model.readers(node.output[0]) if is_q(reader)]
        scales = {float(np.max(scale)) for pair in pairs if (scale := model.scale(pair)) is not None}
        if len(scales) > 1:
            yield _finding(
                "concat-scale",
                node,
                f"its inputs and result have different scales {sorted(scales)}; share one",
            )
        scores = [model.source(name) in SCORES for name in node.input]
        if scales and any(scores) and not all(scores):
            yield _finding(
                "boxes-and-scores",
                node,
                "boxes and scores share a scale, which leaves the scores without resolution; keep it float",
            )


def _between(model: QdqModel) -> Iterator[LintFinding]:
    """Check that no Q/DQ stands between an operator with weights and its activation."""
    for node in model.pairs:
        producer = model.producer(node.input[0])
        if not is_q(node) or producer is None or producer.op_type not in WEIGHTED:
            continue
        after = [reader for dq in model.readers(node.output[0]) for reader in model.readers(dq.output[0])]
        if any(reader.op_type in ACTIVATIONS for reader in after):
            yield _finding(
                "between-conv-and-activation",
                node,
                f"stands between {producer.op_type} and its activation, so that they cannot be fused; put it "
                "behind the activation",
            )


_RULES: tuple[Callable[[QdqModel], Iterator[LintFinding]], ...] = (
    _opset,
    _parameters,
    _weighted,
    _residual,
    _concat,
    _between,
)
