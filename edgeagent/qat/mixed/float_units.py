"""Units that stay float together, and networks with some nodes in float.

A *unit* is a convolution with the activation after it, up to the tensor that other nodes read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from edgeagent.errors import DataError
from edgeagent.qat.core.operator_kinds import ACTIVATIONS, WEIGHTED
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.macs import count_macs
from edgeagent.qat.graph.node import Node
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.grid.plan import GridPlan
from edgeagent.qat.network.network import Network


@dataclass(frozen=True)
class Unit:
    """Nodes that stay float together.

    Attributes:
        name: name of the weighted node, or of the first of several.
        nodes: names of all nodes.
        macs: multiply-accumulates for one picture.
        reads: tensors written by nodes outside.
        writes: tensors written by its nodes.
    """

    name: str
    nodes: frozenset[str]
    macs: int
    reads: frozenset[str]
    writes: frozenset[str]

    def is_adjacent_to(self, others: Iterable[Unit]) -> bool:
        """Return whether the unit reads a tensor of one of the others, or writes one that they read."""
        return any(self.reads & other.writes or self.writes & other.reads for other in others)


def find_units(graph: Graph, group: int = 1) -> list[Unit]:
    """Return the units of a graph in order; ``group`` joins that many consecutive units into one."""
    readers = graph.consumers()
    macs = count_macs(graph)
    parts = [_with_activation(graph, node, readers) for node in graph.nodes if node.operator in WEIGHTED]
    grouped = [list(chain(*parts[start : start + group])) for start in range(0, len(parts), group)]
    return [_unit(nodes, sum(macs.get(node.name, 0) for node in nodes)) for nodes in grouped]


def with_float_nodes(network: Network, float_nodes: frozenset[str]) -> Network:
    """Return a copy of a network, with its weights and grids, that computes the named nodes in float.

    Raises:
        DataError: the network is not on affine grids.
    """
    plan = network.plan
    if plan.kind != "affine":
        raise DataError("nodes can stay float on affine grids only; plan the network for these")
    picture = plan.grids[plan.of[network.graph.input]].fixed
    return on_plan(network, plan_affine_grids(network.graph, picture, float_nodes))


def on_plan(network: Network, plan: GridPlan) -> Network:
    """Return a network of the same graph on another plan, with the weights and the common grids."""
    new = Network(network.graph, plan)
    new.copy_from(network)
    new.set_mode("quantize")
    return new


def _with_activation(graph: Graph, weighted: Node, readers: dict[str, list[Node]]) -> list[Node]:
    """Return a weighted node and the activation that is its only reader: f(x), or x * f(x)."""
    tensor = weighted.outputs[0]
    found = readers.get(tensor, [])
    gates = [node for node in found if node.operator != "Mul"]
    products = [node for node in found if node.operator == "Mul"]
    if tensor in {head.tensor for head in graph.heads} or len(gates) != 1:
        return [weighted]
    (gate,) = gates
    if gate.operator not in ACTIVATIONS:
        return [weighted]
    if not products:
        return [weighted, gate]
    is_product = len(products) == 1 and set(products[0].inputs) == {tensor, gate.outputs[0]}
    return [weighted, gate, products[0]] if is_product else [weighted]


def _unit(nodes: list[Node], macs: int) -> Unit:
    made = {name for node in nodes for name in node.outputs}
    read = {name for node in nodes for name in node.inputs}
    return Unit(
        nodes[0].name, frozenset(n.name for n in nodes), macs, frozenset(read - made), frozenset(made)
    )
