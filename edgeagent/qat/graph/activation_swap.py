"""Replacement of SiLU by another activation function, for engines on which SiLU is slow.

SiLU is three 8-bit operators; ReLU and ReLU6 are fused into the convolution before them and cost none. The
function is replaced in the graph; training in float must first recover the teacher's outputs, before
anything is quantized.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.silu import find_silu

Activation = Literal["relu", "relu6", "hardswish"]
LOW, HIGH = "activation.low", "activation.high"


def swap_activations(graph: Graph, activation: Activation) -> Graph:
    """Return the graph with every SiLU replaced by ``activation``.

    Raises:
        DataError: the graph has no SiLU.
    """
    products = find_silu(graph)
    if not products:
        raise DataError(
            f"activation {activation}: the model has no SiLU, x * sigmoid(x), to exchange; train it as it is"
        )
    gates = {name for x, node in products.items() for name in node.inputs if name != x}
    swapped = {node.outputs[0]: x for x, node in products.items()}
    constants: dict[str, Constant] = dict(graph.constants)
    if activation == "relu6":
        constants |= {LOW: np.array(0, np.float32), HIGH: np.array(6, np.float32)}
    nodes = [
        _activation(node, swapped[node.outputs[0]], activation) if node.outputs[0] in swapped else node
        for node in graph.nodes
        if node.outputs[0] not in gates
    ]
    return replace(graph, nodes=tuple(nodes), constants=constants, opset=_opset(graph, activation))


def _activation(product: Node, x: str, activation: Activation) -> Node:
    operator = {"relu": "Relu", "relu6": "Clip", "hardswish": "HardSwish"}[activation]
    inputs = (x, LOW, HIGH) if activation == "relu6" else (x,)
    return Node(product.name, operator, inputs, product.outputs, {})


def _opset(graph: Graph, activation: Activation) -> int:
    """Return the opset: HardSwish exists since opset 14, which changes no other operator used here."""
    return max(graph.opset, 14) if activation == "hardswish" else graph.opset
