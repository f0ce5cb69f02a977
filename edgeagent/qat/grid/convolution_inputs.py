"""Grids where operators with weights read, and nowhere else: common part of the symmetric and partial plans.

Some engines fuse operators between QuantizeLinear/DequantizeLinear pairs, so that the position of the pairs
decides what is fused. Pairs stand in front of every input of an operator with weights; everything between a
DequantizeLinear and the next QuantizeLinear is float, so that bias, activation and sum are fused into the
convolution:

- of an Add of a convolution and a residual, only the residual is quantized;
- operators that move values (concat, max-pool, nearest resize, slice, ...) run on codes when their result is
  quantized; their inputs then share its scale;
- head convolutions return float.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.core.operator_kinds import ACTIVATIONS, WEIGHTED
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Node
from edgeagent.qat.grid.plan import Channels, Grid, GridPlan, keeps_codes


def plan_convolution_inputs(
    graph: Graph,
    kind: GridKind,
    picture: tuple[float, int],
    normalization: tuple[Channels, Channels],
    float_nodes: Collection[str] = (),
) -> GridPlan:
    """Return the plan with a grid for every tensor that an operator with weights reads.

    Args:
        graph: graph, cut at its heads.
        kind: kind of grid, ``symmetric`` or ``partial``.
        picture: scale and zero point 0..255 of the normalized picture.
        normalization: mean and std per channel, which the artefact itself computes from the 0..255 picture.
        float_nodes: names of operators with weights that compute in float.
    """
    weighted = [node for node in graph.nodes if node.operator in WEIGHTED]
    wanted = {name for node in weighted if node.name not in float_nodes for name in _read(graph, node)}
    _spread(graph, wanted)
    producers = {output: node for node in graph.nodes for output in node.outputs}
    reads_float = {(node.outputs[0], node.inputs[0]) for node in weighted if node.name in float_nodes}
    for node in graph.nodes:
        main, residual = _branches(graph, node, producers, wanted)
        if residual:
            wanted.add(residual)
        if main:
            reads_float.add((node.outputs[0], main))
        reads_float.update(_fused(graph, node, producers))
    _spread(graph, wanted)
    grids = _grids(graph, wanted, kind == "symmetric")
    for grid in grids:
        if graph.input in grid.tensors:
            grid.fixed = picture
    of = {tensor: index for index, grid in enumerate(grids) for tensor in grid.tensors}
    kept = frozenset((reader, tensor) for reader, tensor in reads_float if tensor in of)
    return GridPlan(tuple(grids), of, {}, kind, kept, *normalization, frozenset(float_nodes))


def _read(graph: Graph, node: Node) -> list[str]:
    """Computed inputs of a node."""
    return [name for name in node.inputs if name and name not in graph.constants]


def _moves(graph: Graph, wanted: set[str]) -> Iterator[list[str]]:
    """Yield the tensors of each operator that moves codes, last operator first."""
    for node in reversed(graph.nodes):
        if keeps_codes(node) and wanted.intersection(node.outputs):
            yield [*_read(graph, node), *node.outputs]


def _spread(graph: Graph, wanted: set[str]) -> None:
    """Add the inputs of code-moving operators whose results are wanted."""
    for tensors in _moves(graph, wanted):
        wanted.update(tensors)


def _branches(
    graph: Graph, node: Node, producers: dict[str, Node], wanted: set[str]
) -> tuple[str | None, str | None]:
    """Return the branch of a sum that is fused with its convolution, and the branch that is quantized."""
    tensors = _read(graph, node)
    if node.operator != "Add" or len(set(tensors)) != 2:
        return None, None
    fusable = [name for name in tensors if _from_weights(name, producers)]
    if not fusable:
        return None, None
    order = {output: index for index, item in enumerate(graph.nodes) for output in item.outputs}
    main = min(fusable, key=lambda name: (name in wanted, -order[name]))
    (residual,) = (name for name in tensors if name != main)
    return main, residual


def _from_weights(tensor: str, producers: dict[str, Node]) -> bool:
    """Return whether a tensor is the output of a weighted operator, or an activation of one."""
    node = producers.get(tensor)
    if node is None:
        return False
    if node.operator in WEIGHTED:
        return True
    return node.operator in ACTIVATIONS and any(_from_weights(name, producers) for name in node.inputs)


def _fused(graph: Graph, node: Node, producers: dict[str, Node]) -> Iterator[tuple[str, str]]:
    """Yield (first output, tensor) where a node reads a weighted operator that it is fused with."""
    for tensor in _read(graph, node):
        producer = producers.get(tensor)
        if node.operator in ACTIVATIONS and producer is not None and producer.operator in WEIGHTED:
            yield node.outputs[0], tensor


def _grids(graph: Graph, wanted: set[str], symmetric: bool) -> list[Grid]:
    """Return one grid per group of tensors that share a scale."""
    parent = {tensor: tensor for tensor in wanted}

    def find(tensor: str) -> str:
        while parent[tensor] != tensor:
            tensor = parent[tensor]
        return tensor

    for tensors in _moves(graph, wanted):
        for tensor in tensors:
            parent[find(tensor)] = find(tensors[-1])
    produced = [graph.input, *(output for node in graph.nodes for output in node.outputs)]
    members: dict[str, list[str]] = {}
    for tensor in produced:
        if tensor in wanted:
            members.setdefault(find(tensor), []).append(tensor)
    return [Grid(tensors, symmetric=symmetric) for tensors in members.values()]
