"""SiLU in a graph: ``x * sigmoid(x)``, written as two nodes."""

from __future__ import annotations

from collections.abc import Collection

from edgeagent.qat.graph.clamps import is_fused_with_clamp
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Node


def find_silu(graph: Graph, float_nodes: Collection[str] = ()) -> dict[str, Node]:
    """Return the Mul node of every integer SiLU whose parts no other node reads, by the name of x.

    A SiLU followed by a clamp counts as separate operators: its product is quantized after the clamp.

    Args:
        graph: graph, cut at its heads.
        float_nodes: names of the nodes that stay float.
    """
    readers = graph.consumers()
    heads = {head.tensor for head in graph.heads}
    found = {}
    for node in graph.nodes:
        if node.operator != "Sigmoid" or node.name in float_nodes:
            continue
        x, gate = node.inputs[0], node.outputs[0]
        gate_readers = readers.get(gate, [])
        if len(gate_readers) != 1 or len(readers[x]) != 2 or x in heads:
            continue
        product = gate_readers[0]
        is_product = product.operator == "Mul" and set(product.inputs) == {x, gate}
        if not is_product or product.name in float_nodes:
            continue
        output = product.outputs[0]
        if output in heads or not is_fused_with_clamp(product, output, readers, float_nodes):
            found[x] = product
    return found
