"""Channels of very different ranges in groups with a grid each, in the float graph; exact.

::

    Conv -> SiLU -> depthwise Conv -> SiLU -> Conv ...
    Conv of large channels -> SiLU -> depthwise Conv -> SiLU \\
                                                              Concat -> Conv, its weights in the new order ...
    Conv of small channels -> SiLU -> depthwise Conv -> SiLU /

A tensor has one grid for all channels in most integer engines. Where the largest channel takes it, a channel
of a hundredth of its range has three codes left. Scaling channels to similar ranges
(:mod:`edgeagent.qat.ptq.equalization`) is not exact through SiLU; so the channels go separate ways as far as
the depthwise convolution, after which ranges are similar again: its weights have a scale for each channel.

The stem of YOLOX-nano has channels from .04 to 124 after its SiLU; the rounding of this one tensor is nine
tenths of what its calibration loses (docs/adr/0064).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.silu import find_silu

Reals = npt.NDArray[np.float64]
Order = npt.NDArray[np.intp]

BLOCK = 8
"""Channels of a group are a multiple of it: kernels compute so many at once."""
UNEVEN = 16.0
"""Range of the tensor over that of its smallest channels, from which channels are put into groups."""
SMALLEST = 0.25
"""Share of the channels that are the smallest ones."""
DEAD = 1e-4
"""Range of a channel that needs no codes, as a share of the range of the tensor."""


@dataclass(frozen=True)
class _Chain:
    """Convolution, depthwise convolution, the nodes of their SiLUs, and the readers of the last product."""

    convolution: Node
    first: tuple[Node, Node]
    depthwise: Node
    second: tuple[Node, Node]
    readers: tuple[Node, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.convolution, *self.first, self.depthwise, *self.second


def group_channels(graph: Graph, ranges: Mapping[str, Reals]) -> Graph:
    """Return the graph with uneven channels in two groups; the graph itself where there are none.

    Tensors keep their names, but the Concat has that of the last product with its channels in another order.

    Args:
        graph: float graph.
        ranges: largest absolute value (channels,) after the activation of each convolution, by its name.
    """
    constants, replaced = dict(graph.constants), dict[str, tuple[Node, ...]]()
    for chain in _chains(graph):
        order, large = _groups(ranges[chain.convolution.name])
        if not 0 < large < len(order):
            continue
        nodes = [
            _part(chain, number, part, constants) for number, part in enumerate(np.split(order, [large]))
        ]
        joined = chain.second[1].outputs[0]
        name = f"{chain.depthwise.name}/groups"
        join = Node(name, "Concat", tuple(part[-1].outputs[0] for part in nodes), (joined,), {"axis": 1})
        replaced.update({node.name: () for node in chain.nodes})
        replaced[chain.second[1].name] = (*nodes[0], *nodes[1], join)
        for reader in chain.readers:
            weight = f"{reader.inputs[1]}/order"
            constants[weight] = np.ascontiguousarray(constants.pop(reader.inputs[1])[:, order])
            replaced[reader.name] = (replace(reader, inputs=(reader.inputs[0], weight, *reader.inputs[2:])),)
    if not replaced:
        return graph
    nodes_now = tuple(one for node in graph.nodes for one in replaced.get(node.name, (node,)))
    used = {name for node in nodes_now for name in node.inputs}
    return replace(
        graph, nodes=nodes_now, constants={name: value for name, value in constants.items() if name in used}
    )


def _groups(ranges: Reals) -> tuple[Order, int]:
    """Return the channels from the largest range to the smallest, and how many are large; 0 for all alike.

    The division is the one that leaves the least sum of squared rounding errors, each relative to the range
    of its channel.
    """
    order = np.argsort(-ranges, kind="stable")
    top = float(ranges.max(initial=0.0))
    alive = ranges[ranges > DEAD * top]
    if len(order) < 2 * BLOCK or not len(alive) or top < UNEVEN * float(np.quantile(alive, SMALLEST)):
        return order, 0
    sizes = np.sort(alive)[::-1]
    costs = {
        large: sum(float(np.square(group[:1] / group).sum()) for group in np.split(sizes, [large]))
        for large in range(BLOCK, len(order) - BLOCK + 1, BLOCK)
    }
    return order, min(costs, key=lambda large: costs[large])


def _part(chain: _Chain, number: int, part: Order, constants: dict[str, Constant]) -> tuple[Node, ...]:
    """Return the nodes of a group of channels, and add their weights to the constants."""
    own: dict[str, str] = {}

    def name_of(tensor: str) -> str:
        return own.setdefault(tensor, f"{tensor}/{number}")

    nodes = []
    for node in chain.nodes:
        inputs = list(node.inputs)
        if node.operator == "Conv":
            for position, constant in enumerate(node.inputs[1:], 1):
                if constant:
                    inputs[position] = f"{constant}/{number}"
                    constants[inputs[position]] = np.ascontiguousarray(constants[constant][part])
        inputs = [own.get(tensor, tensor) for tensor in inputs]
        attributes = dict(node.attributes)
        if node is chain.depthwise:
            attributes["group"] = len(part)
        outputs = tuple(name_of(tensor) for tensor in node.outputs)
        nodes.append(Node(f"{node.name}/{number}", node.operator, tuple(inputs), outputs, attributes))
    return tuple(nodes)


def _chains(graph: Graph) -> list[_Chain]:
    readers, silu = graph.consumers(), find_silu(graph)
    heads = {head.tensor for head in graph.heads}
    gates = {node.inputs[0]: node for node in graph.nodes if node.operator == "Sigmoid"}
    found = []
    taken: set[str] = set()
    for node in graph.nodes:
        if node.operator != "Conv" or node.attributes.get("group", 1) != 1 or node.name in taken:
            continue
        first = silu.get(node.outputs[0])
        after = readers.get(first.outputs[0], []) if first is not None else []
        if first is None or len(after) != 1 or not _is_depthwise(graph, after[0]):
            continue
        (depthwise,) = after
        second = silu.get(depthwise.outputs[0])
        last = readers.get(second.outputs[0], []) if second is not None else []
        if second is None or second.outputs[0] in heads or not all(_is_dense(graph, one) for one in last):
            continue
        if not _own_constants(readers, (node, depthwise, *last)):
            continue
        chain = _Chain(
            node,
            (gates[node.outputs[0]], first),
            depthwise,
            (gates[depthwise.outputs[0]], second),
            tuple(last),
        )
        found.append(chain)
        taken.update(one.name for one in (*chain.nodes, *last))
    return found


def _is_depthwise(graph: Graph, node: Node) -> bool:
    if node.operator != "Conv" or node.inputs[1] not in graph.constants:
        return False
    weight = graph.constants[node.inputs[1]]
    return bool(weight.shape[1] == 1 and node.attributes.get("group", 1) == weight.shape[0])


def _is_dense(graph: Graph, node: Node) -> bool:
    return (
        node.operator == "Conv" and node.attributes.get("group", 1) == 1 and node.inputs[1] in graph.constants
    )


def _own_constants(readers: Mapping[str, list[Node]], nodes: tuple[Node, ...]) -> bool:
    """Return whether no other node reads the weights and biases of the nodes."""
    return all(len(readers[name]) == 1 for node in nodes for name in node.inputs[1:] if name)
