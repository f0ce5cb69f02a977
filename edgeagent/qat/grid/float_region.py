"""Nodes that stay in float beside the integer ones: which tensors then have no grid.

A node that is left in float computes on real numbers. A tensor has a grid where an integer node makes or
reads it, so that float nodes in a row have none between them and only a region's border is quantized. Heads
always have one: what the artefact gives does not depend on what computed it.
"""

from __future__ import annotations

from collections.abc import Collection

from edgeagent.qat.graph.graph import Graph


def real_tensors(graph: Graph, float_nodes: Collection[str]) -> frozenset[str]:
    """Return the tensors that only float nodes make and read.

    Args:
        graph: cut at its heads.
        float_nodes: names of nodes.
    """
    if not float_nodes:
        return frozenset()
    integer_reads = {name for node in graph.nodes if node.name not in float_nodes for name in node.inputs}
    bordering = integer_reads | {head.tensor for head in graph.heads}
    made = {name for node in graph.nodes if node.name in float_nodes for name in node.outputs}
    return frozenset(made - bordering)
