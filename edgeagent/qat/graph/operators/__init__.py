"""Torch functions of ONNX operators in normal form.

Each entry of a table takes the node and the constants, and returns a function of the node's *operands*: the
inputs that are values, computed or constant, in contrast to parameters such as sizes and axes. Convolutions
are not included: they have weights and are modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edgeagent.errors import DataError
from edgeagent.qat.graph.node import Constant, Node, unsupported
from edgeagent.qat.graph.operators.arithmetic import ARITHMETIC, MANY_OPERANDS
from edgeagent.qat.graph.operators.function import Builder, Function
from edgeagent.qat.graph.operators.moves import MOVES
from edgeagent.qat.graph.operators.pooling import POOLING
from edgeagent.qat.graph.operators.resize import RESIZE

_BUILDERS: dict[str, Builder] = {**ARITHMETIC, **MOVES, **POOLING, **RESIZE}

ALREADY_QUANTIZED = frozenset({"QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger"})
"""Operators of a quantized model."""


def build_function(node: Node, constants: Mapping[str, Constant]) -> Function:
    """Return the torch function of a node, which takes the operands in order.

    Raises:
        DataError: the operator, or this use of it, is not supported; the message names the node.
    """
    builder = _BUILDERS.get(node.operator)
    if builder is None:
        raise DataError(
            f"operator {node.operator} of node {node.name} is not supported by qat; supported are "
            f"Conv, {', '.join(sorted(_BUILDERS))}"
        )
    return builder(node, constants)


def operands(node: Node) -> tuple[str, ...]:
    """Return the inputs of a node that are values, not parameters; for a convolution, only its first."""
    return node.inputs if node.operator in MANY_OPERANDS else node.inputs[:1]


def convolution_options(node: Node) -> dict[str, Any]:
    """Return stride, dilation, groups and pads (top, left, bottom, right) of a Conv node."""
    return {
        "stride": tuple(node.attributes.get("strides", (1, 1))),
        "dilation": tuple(node.attributes.get("dilations", (1, 1))),
        "groups": node.attributes.get("group", 1),
        "pads": tuple(node.attributes.get("pads", (0, 0, 0, 0))),
    }


def find_problems(nodes: Iterable[Node], constants: Mapping[str, Constant]) -> list[str]:
    """Return one sentence per unsupported node, and one for all unknown operators."""
    problems, unknown = [], []
    for node in nodes:
        if node.operator == "Conv":
            if any(name not in constants for name in node.inputs[1:]):
                problems.append(str(unsupported(node, "a computed weight")))
        elif node.operator not in _BUILDERS:
            unknown.append(f"operator {node.operator} of node {node.name}")
        else:
            try:
                build_function(node, constants)
            except DataError as error:
                problems.append(str(error))
    if any(item.split()[1] in ALREADY_QUANTIZED for item in unknown):
        return ["the model is quantized already; give the float model it was made from"]
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        supported = ", ".join(sorted({"Conv", "ConvTranspose", "Gemm", *_BUILDERS}))
        problems.insert(0, f"{', '.join(unknown)} {verb} not supported by qat; supported are {supported}")
    return problems
