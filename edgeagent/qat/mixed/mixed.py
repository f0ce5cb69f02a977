"""A calibrated or trained network with some of its nodes left in float.

A *unit* is what is left in float as a whole: a convolution with the activation behind it, up to the tensor
that other nodes read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import cast

import torch

from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.macs import WEIGHTED, count_macs
from edgeagent.qat.graph.node import Node
from edgeagent.qat.grid.affine import GridPlan, plan_affine_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network

ACTIVATIONS = frozenset(
    {"Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Mul"}
)


@dataclass(frozen=True)
class Unit:
    """Nodes that are left in float together.

    Attributes:
        name: of the weighted node, or of the first of several.
        nodes: names of all nodes.
        macs: multiply-accumulates for one picture.
        reads: tensors that come from elsewhere.
        gives: tensors that others read.
    """

    name: str
    nodes: frozenset[str]
    macs: int
    reads: frozenset[str]
    gives: frozenset[str]

    def touches(self, others: Iterable[Unit]) -> bool:
        """Return whether one of the others makes what this one reads, or reads what it makes."""
        return any(self.reads & other.gives or self.gives & other.reads for other in others)


def find_units(graph: Graph, group: int = 1) -> list[Unit]:
    """Return the units of a graph in order, or groups of that many consecutive ones."""
    readers = graph.consumers()
    macs = count_macs(graph)
    parts = [_with_activation(graph, node, readers) for node in graph.nodes if node.operator in WEIGHTED]
    grouped = [list(chain(*parts[start : start + group])) for start in range(0, len(parts), group)]
    return [_unit(nodes, sum(macs.get(node.name, 0) for node in nodes)) for nodes in grouped]


def with_float_nodes(network: Network, float_nodes: frozenset[str]) -> Network:
    """Return a copy of a network that computes the named nodes in float, with its weights and grids.

    Raises:
        DataError: the network was planned for another preset than ``a``.
    """
    plan = network.plan
    if plan.preset != "a":
        raise DataError("nodes can be left in float under preset a only; plan the network for it")
    picture = plan.grids[plan.of[network.graph.input]].fixed
    return on_plan(network, plan_affine_grids(network.graph, picture, float_nodes))


def on_plan(network: Network, plan: GridPlan) -> Network:
    """Return a network of the same graph on another plan, with the weights, and the grids of same tensors."""
    new = Network(network.graph, plan)
    take_over(new, network)
    new.set_mode("quantize")
    return new


@torch.no_grad()
def take_over(new: Network, network: Network) -> None:
    """Give a network the weights of another of the same graph, and the grids of the tensors of both."""
    new.convolutions.load_state_dict(network.convolutions.state_dict())
    for tensor, index in new.plan.of.items():
        if tensor in network.plan.of:
            grid = cast(ActivationGrid, network.grids[network.plan.of[tensor]])
            copied = cast(ActivationGrid, new.grids[index])
            copied.load_state_dict(grid.state_dict())
            copied.zero_point.requires_grad_(grid.zero_point.requires_grad)


def _with_activation(graph: Graph, weighted: Node, readers: dict[str, list[Node]]) -> list[Node]:
    """A weighted node, and the activation that alone reads it: one node, or x times a function of x."""
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
