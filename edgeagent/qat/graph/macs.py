"""Multiply-accumulates of a graph, and the share of them that runs on integers.

One multiply-accumulate (MAC) is counted for every weight that contributes to an output value of a convolution
or matrix product; element-wise operators count none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod

from edgeagent.qat.core.operator_kinds import WEIGHTED
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Shape
from edgeagent.qat.graph.onnx_model import tensor_shapes


def count_macs(graph: Graph) -> dict[str, int]:
    """Return the MACs of every weighted operator for one picture, by node name."""
    shapes = {**tensor_shapes(graph), **{name: array.shape for name, array in graph.constants.items()}}
    return {
        node.name: operator_macs(node.operator, node.inputs, node.outputs[0], shapes, node.attributes)
        for node in graph.nodes
        if node.operator in WEIGHTED
    }


def integer_share(graph: Graph, float_nodes: Collection[str]) -> float:
    """Return the share 0..1 of a graph's MACs on integers when the named nodes compute in float."""
    macs = count_macs(graph)
    total = sum(macs.values())
    return 1.0 if not total else 1 - sum(macs.get(name, 0) for name in float_nodes) / total


def operator_macs(
    operator: str,
    inputs: tuple[str, ...],
    output: str,
    shapes: Mapping[str, Shape],
    attributes: Mapping[str, object],
) -> int:
    """Return the MACs of one weighted ONNX operator.

    Args:
        operator: Conv, ConvTranspose, Gemm or MatMul.
        inputs: names of its inputs; the second is the weight.
        output: name of its output.
        shapes: shapes of tensors and constants.
        attributes: attributes of the node.
    """
    weight, result = shapes[inputs[1]], shapes[output]
    if operator == "Conv":
        return prod(result) * prod(weight[1:])
    if operator == "ConvTranspose":
        return prod(shapes[inputs[0]]) * prod(weight[1:])
    inner = weight[-1] if operator == "Gemm" and attributes.get("transB") else weight[-2]
    return prod(result) * inner
